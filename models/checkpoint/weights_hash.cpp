#include <algorithm>
#include <bit>

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
  const std::size_t bytes = static_cast<std::size_t>(*elements) * bytes_per_element(type);
  std::vector<std::string> pieces;
  for (std::size_t begin = 0; begin < bytes; begin += kPieceBytes)
    pieces.push_back(of_piece(static_cast<const char*>(data) + begin, std::min(kPieceBytes, bytes - begin)));
  return of_pieces(name, type, shape, pieces);
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
