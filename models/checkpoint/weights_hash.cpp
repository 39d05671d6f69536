#include "models/checkpoint/weights_hash.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <utility>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "models/checkpoint/box.h"

namespace trireme::models {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are hashed and stored as they lie in memory");

void add_number(Sha256& hash, std::uint64_t value) { hash.update(&value, sizeof value); }

void add_text(Sha256& hash, std::string_view text) {
  add_number(hash, text.size());
  hash.update(text);
}

}  // namespace

std::string WeightsHash::of_pieces(const std::string& name, StoredType type, const std::vector<std::int64_t>& shape,
                                   const Pieces& pieces) {
  const auto elements = volume(shape);
  if (!elements) throw Error(ErrorCode::kBug, "tensor ", name, " has the impossible shape ", extents_text(shape));
  const std::uint64_t bytes = static_cast<std::uint64_t>(*elements) * bytes_per_element(type);
  const std::uint64_t count = bytes / kPieceBytes + (bytes % kPieceBytes != 0);
  Sha256 hash;
  add_text(hash, name);
  add_text(hash, type_name(type));
  add_number(hash, shape.size());
  for (const std::int64_t extent : shape) add_number(hash, static_cast<std::uint64_t>(extent));
  add_number(hash, count);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto piece = pieces.find(i);
    if (piece == pieces.end())
      throw Error(ErrorCode::kBug, "nobody has hashed piece ", i, " of ", count, " of tensor ", name);
    hash.update(piece->second);
  }
  return hash.hex();
}

std::string WeightsHash::of_tensor(const std::string& name, StoredType type, const std::vector<std::int64_t>& shape,
                                   const void* data) {
  const std::uint64_t bytes = static_cast<std::uint64_t>(volume(shape).value_or(0)) * bytes_per_element(type);
  Stream stream;
  stream.update(data, bytes);
  return of_pieces(name, type, shape, stream.finish(bytes));
}

void WeightsHash::Stream::update(const void* bytes, std::size_t size) {
  for (const auto* from = static_cast<const char*>(bytes); size > 0;) {
    const std::uint64_t in_piece = at_ % kPieceBytes;
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(size, kPieceBytes - in_piece));
    if (in_piece == 0) piece_ = std::make_unique<Sha256>();
    if (piece_) piece_->update(from, count);  // else the piece began before
    from += count;
    at_ += count;
    size -= count;
    if (at_ % kPieceBytes == 0 && piece_) pieces_[at_ / kPieceBytes - 1] = std::exchange(piece_, nullptr)->hex();
  }
}

WeightsHash::Pieces WeightsHash::Stream::finish(std::uint64_t tensor_bytes) {
  if (piece_ && at_ == tensor_bytes) pieces_[at_ / kPieceBytes] = piece_->hex();
  piece_.reset();
  return std::move(pieces_);
}

void WeightsHash::add(const std::string& name, std::string part) {
  if (!name.starts_with(kWeightsPrefix))
    throw Error(ErrorCode::kBug, "the weights hash covers tensors named weights/..., not ", name);
  if (!parts_.emplace(name, std::move(part)).second)
    throw Error(ErrorCode::kBug, "tensor ", name, " was added to the weights hash before");
}

std::string WeightsHash::hex() const {
  Sha256 hash;
  hash.update("trireme-weights-1\n");
  for (const auto& [name, part] : parts_) hash.update(part + "\n");
  return hash.hex();
}

}  // namespace trireme::models
