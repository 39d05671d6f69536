#include "data/corpus/count_words.h"

#include <vector>

#include "data/corpus/ordered.h"

namespace trireme::data {
namespace {

constexpr std::size_t kRoundChunks = (std::size_t{64} << 20) / DocumentReader::kChunkBytes;

struct Chunk {
  DocumentChunk chunk;
  std::uint64_t documents = 0, text_bytes = 0;
  std::size_t size() const { return chunk.size(); }
};

}  // namespace

CountedText count_words(DocumentReader& reader, int threads, const std::function<void(std::uint64_t)>& progress,
                        std::size_t most_words) {
  CountedText result;
  std::vector<WordCounts> tables(static_cast<std::size_t>(threads));
  for (bool more = true; more;) {
    std::size_t left = kRoundChunks;
    in_order<Chunk>(
        threads, [&](Chunk& chunk) { return left-- > 0 && (more = reader.next(chunk.chunk)); },
        [&](Chunk& chunk, int thread) {
          chunk.documents = chunk.text_bytes = 0;
          chunk.chunk.for_each([&](std::string_view document) {
            tables[static_cast<std::size_t>(thread)].add(document);
            ++chunk.documents;
            chunk.text_bytes += document.size();
          });
        },
        [&](const Chunk& chunk) {
          result.documents += chunk.documents;
          result.text_bytes += chunk.text_bytes;
          progress(chunk.chunk.bytes_taken());
        });
    // Tables that together hold fewer cannot hold more different ones: what is asked does not depend on the threads.
    std::size_t words = 0;
    for (const WordCounts& table : tables) words += table.size();
    if (words <= most_words) continue;
    WordCounts::merge(tables);
    if (tables[0].size() <= most_words) continue;
    tables[0].keep_most_frequent(most_words / 2);
    result.rare_words_were_left_out = true;
  }
  WordCounts::merge(tables);
  result.words = std::move(tables[0]);
  return result;
}

}  // namespace trireme::data
