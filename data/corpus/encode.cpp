#include "data/corpus/encode.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
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
    std::mutex mutex;
    std::exception_ptr failure;
    const auto work = [&] {
      try {
        constexpr std::size_t kAtOnce = 16;
        for (std::size_t begin = 0; (begin = next.fetch_add(kAtOnce)) < count;)
          for (std::size_t i = begin; i < std::min(begin + kAtOnce, count); ++i) {
            ids[i].clear();
            tokenizer.encode_to(texts[i], ids[i], special);
          }
      } catch (...) {
        const std::scoped_lock lock(mutex);
        failure = std::current_exception();
      }
    };
    std::vector<std::thread> helpers;
    for (int i = 1; i < threads; ++i) helpers.emplace_back(work);
    work();
    for (std::thread& helper : helpers) helper.join();
    if (failure) std::rethrow_exception(failure);
  }
};

}  // namespace

void encode_documents(DocumentReader& reader, const Tokenizer& tokenizer, SpecialText special, int threads,
                      const std::function<void(std::string_view text, std::span<const TokenId> ids)>& take) {
  Round round;
  for (;;) {
    round.read(reader, kRoundBytes * static_cast<std::size_t>(threads));
    if (round.count == 0) return;
    round.encode(tokenizer, special, threads);
    for (std::size_t i = 0; i < round.count; ++i) take(round.texts[i], round.ids[i]);
  }
}

}  // namespace trireme::data
