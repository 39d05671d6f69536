#include "data/corpus/encode.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <string>
#include <utility>
#include <vector>

namespace trireme::data {
namespace {

constexpr std::size_t kRoundBytes = std::size_t{4} << 20;  // of text, a thread

// Documents that are encoded together. What is kept from round to round is only memory.
struct Round {
  std::vector<std::string> texts;
  std::vector<std::vector<TokenId>> ids;
  std::size_t count = 0;

  void read(DocumentReader& reader, std::size_t bytes) {
    count = 0;
    for (std::size_t held = 0; held < bytes; ++count) {
      if (count == texts.size()) texts.emplace_back();
      if (!reader.next(texts[count])) break;
      held += texts[count].size() + 64;  // documents without text must end a round too
    }
    ids.resize(std::max(ids.size(), count));
  }

  void encode(const Tokenizer& tokenizer, SpecialText special, int threads) {
    std::atomic<std::size_t> next{0};
    const auto work = [&] {
      constexpr std::size_t kAtOnce = 16;
      for (std::size_t begin = 0; (begin = next.fetch_add(kAtOnce)) < count;)
        for (std::size_t i = begin; i < std::min(begin + kAtOnce, count); ++i) {
          ids[i].clear();
          tokenizer.encode_to(texts[i], ids[i], special);
        }
    };
    std::vector<std::future<void>> helpers;  // a future keeps what its thread threw, and waits when dropped
    for (int i = 1; i < threads; ++i) helpers.push_back(std::async(std::launch::async, work));
    work();
    for (std::future<void>& helper : helpers) helper.get();
  }
};

}  // namespace

void encode_documents(DocumentReader& reader, const Tokenizer& tokenizer, SpecialText special, int threads,
                      const std::function<void(std::string_view text, std::span<const TokenId> ids)>& take) {
  // While one round is encoded, the one before is handed out and the next one is read.
  Round encoded, encoding;
  const std::size_t bytes = kRoundBytes * static_cast<std::size_t>(threads);
  encoding.read(reader, bytes);
  while (encoding.count > 0) {
    auto done = std::async(std::launch::async, [&] { encoding.encode(tokenizer, special, threads); });
    for (std::size_t i = 0; i < encoded.count; ++i) take(encoded.texts[i], encoded.ids[i]);
    encoded.read(reader, bytes);
    done.get();
    std::swap(encoded, encoding);
  }
  for (std::size_t i = 0; i < encoded.count; ++i) take(encoded.texts[i], encoded.ids[i]);
}

}  // namespace trireme::data
