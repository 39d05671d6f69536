#include <algorithm>
#include <bit>
#include <memory>
#include <utility>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "models/checkpoint/box.h"
#include "models/checkpoint/checkpoint.h"

namespace trireme::models {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are hashed and stored as they lie in memory");

void add_number(Sha256& hash, std::uint64_t value) { hash.update(&value, sizeof value); }

void add_text(Sha256& hash, std::string_view text) {
  add_number(hash, text.size());
  hash.update(text);
}

}  // namespace

std::string WeightsHash::of_piece(const void* bytes, std::size_t size) {
  Sha256 hash;
  hash.update(bytes, size);
  return hash.hex();
}

std::string WeightsHash::of_pieces(const std::string& name, StoredType type, const std::vector<std::int64_t>& shape,
                                   const std::vector<std::string>& pieces) {
  Sha256 hash;
  add_text(hash, name);
  add_text(hash, type_name(type));
  add_number(hash, shape.size());
  for (const std::int64_t extent : shape) add_number(hash, static_cast<std::uint64_t>(extent));
  add_number(hash, pieces.size());
  for (const std::string& piece : pieces) hash.update(piece);
  return hash.hex();
}

std::string WeightsHash::of_tensor(const std::string& name, StoredType type, const std::vector<std::int64_t>& shape,
                                   const void* data) {
  const auto elements = volume(shape);
  if (!elements) throw Error(ErrorCode::kBug, "tensor ", name, " has the impossible shape ", extents_text(shape));
  Tensor tensor;
  tensor.update(data, static_cast<std::size_t>(*elements) * bytes_per_element(type));
  return tensor.part(name, type, shape);
}

void WeightsHash::Tensor::update(const void* bytes, std::size_t size) {
  for (const auto* at = static_cast<const char*>(bytes); size > 0;) {
    if (!piece_) {
      piece_ = std::make_unique<Sha256>();
      left_ = kPieceBytes;
    }
    const std::size_t count = std::min(size, left_);
    piece_->update(at, count);
    at += count;
    size -= count;
    left_ -= count;
    if (left_ > 0) continue;
    pieces_.push_back(piece_->hex());
    piece_.reset();
  }
}

std::string WeightsHash::Tensor::part(const std::string& name, StoredType type,
                                      const std::vector<std::int64_t>& shape) {
  if (piece_) pieces_.push_back(std::exchange(piece_, nullptr)->hex());
  return of_pieces(name, type, shape, pieces_);
}

void WeightsHash::add(const std::string& name, std::string part) {
  if (!name.starts_with("weights/"))
    throw Error(ErrorCode::kBug, "the weights hash covers tensors named weights/..., not ", name);
  for (const auto& [known, _] : parts_)
    if (known == name) throw Error(ErrorCode::kBug, "tensor ", name, " was added to the weights hash before");
  parts_.emplace_back(name, std::move(part));
}

std::string WeightsHash::hex() const {
  auto sorted = parts_;
  std::sort(sorted.begin(), sorted.end());
  Sha256 hash;
  hash.update("trireme-weights-1\n");
  for (const auto& [name, part] : sorted) hash.update(part + "\n");
  return hash.hex();
}

}  // namespace trireme::models
