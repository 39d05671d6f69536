#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/tokenizer/tokenizer.h"

namespace trireme::data {

/// How ids are stored: what a tokenizer decides.
struct TokenStorage {
  std::uint64_t vocabulary_size = 0;
  std::uint64_t end_of_text = 0;

  /// 2 (uint16) where all ids fit, else 4 (uint32); little-endian.
  std::uint64_t element_bytes() const { return vocabulary_size <= 65536 ? 2 : 4; }
};

/// Documents as they will lie in a shard: their ids, each followed by the end of text. Made on any thread.
class TokenRow {
 public:
  struct Document {
    std::uint64_t end;         ///< tokens of the row up to here, its end of text included
    std::uint64_t text_bytes;  ///< of the row up to here
  };

  void clear();
  /// @throws Error kBadInput for an id outside of the vocabulary, or a negative length
  void add(const TokenStorage& storage, std::span<const TokenId> ids, std::int64_t text_bytes);

  const std::string& bytes() const { return bytes_; }
  const std::vector<Document>& documents() const { return documents_; }
  std::uint64_t tokens() const { return documents_.empty() ? 0 : documents_.back().end; }
  std::uint64_t text_bytes() const { return documents_.empty() ? 0 : documents_.back().text_bytes; }

 private:
  std::string bytes_;
  std::vector<Document> documents_;
};

}  // namespace trireme::data
