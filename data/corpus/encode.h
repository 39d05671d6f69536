#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/corpus/corpus.h"
#include "data/corpus/documents.h"
#include "data/corpus/ordered.h"
#include "data/corpus/token_row.h"
#include "data/tokenizer/tokenizer.h"

namespace trireme::data {

/// Encodes all documents of `reader` on `threads` threads (1 or more) and hands the results over in order, so that
/// nothing depends on the number of threads:
///
///     void each(std::string_view text, std::span<const TokenId> ids, Result&)  a document, on any thread
///     void take(Result&, std::uint64_t bytes_taken)                            a chunk, on the calling thread
///
/// @tparam Result  what a chunk of documents comes to; cleared by clear() before each use
/// @throws Error what the reader, the tokenizer, `each` or `take` throws
template <class Result, class Each, class Take>
void encode_documents(DocumentReader& reader, const Tokenizer& tokenizer, const EncodingOptions& encoding, int threads,
                      Each each, Take take) {
  struct Item {
    DocumentChunk chunk;
    Result result;
    std::size_t size() const { return chunk.size(); }
  };
  in_order<Item>(
      threads, [&](Item& item) { return reader.next(item.chunk); },
      [&](Item& item, int) {
        item.result.clear();
        Tokenizer::Session session(tokenizer);
        std::vector<TokenId> ids;
        item.chunk.for_each([&](std::string_view text) {
          ids.clear();
          session.encode_to(text, ids, encoding);
          each(text, std::span<const TokenId>(ids), item.result);
        });
      },
      [&](Item& item) { take(item.result, item.chunk.bytes_taken()); });
}

/// The same with whole lines of JSON:
///
///     void each(std::string_view line, const std::function<std::string()>& place, Tokenizer::Session*, Result&)
///
/// @param tokenizer  null: there is no session
template <class Result, class Each, class Take>
void encode_lines(DocumentReader& reader, const Tokenizer* tokenizer, int threads, Each each, Take take) {
  struct Item {
    DocumentChunk chunk;
    Result result;
    std::size_t size() const { return chunk.size(); }
  };
  in_order<Item>(
      threads, [&](Item& item) { return reader.next(item.chunk); },
      [&](Item& item, int) {
        item.result.clear();
        std::optional<Tokenizer::Session> session;
        if (tokenizer) session.emplace(*tokenizer);
        item.chunk.for_each_line([&](std::string_view line, const std::function<std::string()>& place) {
          each(line, place, session ? &*session : nullptr, item.result);
        });
      },
      [&](Item& item) { take(item.result, item.chunk.bytes_taken()); });
}

/// What a chunk comes to: a row a split.
struct RowsOfSplits {
  std::array<TokenRow, 2> rows;
  TokenRow& of(Split split) { return rows[static_cast<std::size_t>(split)]; }
  void clear() {
    for (TokenRow& row : rows) row.clear();
  }
};

}  // namespace trireme::data
