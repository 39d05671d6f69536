#include "data/corpus/token_row.h"

#include <bit>
#include <cstring>

#include "core/base/error.h"

namespace trireme::data {
namespace {

static_assert(std::endian::native == std::endian::little, "checksums are over little-endian bytes");

template <class Element>
void store(std::span<const TokenId> ids, std::uint64_t end_of_text, char* out) {
  const auto put = [&](Element element) {
    std::memcpy(out, &element, sizeof element);
    out += sizeof element;
  };
  for (const TokenId id : ids) put(static_cast<Element>(id));
  put(static_cast<Element>(end_of_text));
}

}  // namespace

void TokenRow::clear() {
  bytes_.clear();
  documents_.clear();
}

void TokenRow::add(const TokenStorage& storage, std::span<const TokenId> ids, std::int64_t text_bytes) {
  for (const TokenId id : ids)
    if (id < 0 || static_cast<std::uint64_t>(id) >= storage.vocabulary_size)
      throw Error(ErrorCode::kBadInput, "token id ", id, " is outside of the vocabulary of ", storage.vocabulary_size);
  if (text_bytes < 0) throw Error(ErrorCode::kBadInput, "a document cannot have ", text_bytes, " bytes");
  const std::size_t had = bytes_.size();
  bytes_.resize(had + (ids.size() + 1) * storage.element_bytes());
  storage.element_bytes() == 2 ? store<std::uint16_t>(ids, storage.end_of_text, bytes_.data() + had)
                               : store<std::uint32_t>(ids, storage.end_of_text, bytes_.data() + had);
  documents_.push_back({tokens() + ids.size() + 1, this->text_bytes() + static_cast<std::uint64_t>(text_bytes)});
}

}  // namespace trireme::data
