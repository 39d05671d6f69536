#pragma once
#include <cstdint>
#include <functional>

#include "data/corpus/documents.h"
#include "data/tokenizer/word_counts.h"

namespace trireme::data {

struct CountedText {
  WordCounts words;
  std::uint64_t documents = 0, text_bytes = 0;
  bool rare_words_were_left_out = false;
};

/// Counts the words of all documents of `reader` on `threads` threads (1 or more).
///
/// Memory does not grow with the text: after each 64 MiB of it, when there are more than `most_words` different words,
/// all but the most frequent half of `most_words` are forgotten. The stretches are cut the same way whatever the
/// number of threads, so that the result is the same.
///
/// @param progress  called on this thread with the bytes of input done so far; may throw to end it
CountedText count_words(DocumentReader& reader, int threads, const std::function<void(std::uint64_t)>& progress,
                        std::size_t most_words = std::size_t{4} << 20);

}  // namespace trireme::data
