#pragma once
#include <functional>
#include <span>
#include <string_view>

#include "data/corpus/documents.h"
#include "data/tokenizer/tokenizer.h"

namespace trireme::data {

/// Encodes all documents of `reader` on `threads` threads and hands each to `take` on the calling thread, in the order
/// in which they were read, so that nothing depends on the number of threads. Memory: some 4 MiB of text a thread and
/// its ids, or the longest document.
///
/// @param threads  that encode, 1 or more; reading and `take` go on meanwhile
/// @throws Error what the reader, the tokenizer or `take` throws
void encode_documents(DocumentReader& reader, const Tokenizer& tokenizer, SpecialText special, int threads,
                      const std::function<void(std::string_view text, std::span<const TokenId> ids)>& take);

}  // namespace trireme::data
