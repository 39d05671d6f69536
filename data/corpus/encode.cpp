#include "data/corpus/encode.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <string>
#include <utility>
#include <vector>

namespace trireme::data {
namespace {

constexpr std::size_t kBatchBytes = std::size_t{64} << 10;  // of text: what a thread takes at once
constexpr std::size_t kBatchesAThread = 64;

// Documents that one thread encodes, their ids in one row: a vector for each of many small documents would have the
// threads wait for the allocator. What is kept from use to use is only memory.
struct Batch {
  std::vector<std::string> texts;
  std::size_t count = 0;
  std::vector<TokenId> ids;
  std::vector<std::size_t> ends;  // of each document in `ids`

  void read(DocumentReader& reader) {
    count = 0;
    for (std::size_t held = 0; held < kBatchBytes; ++count) {
      if (count == texts.size()) texts.emplace_back();
      if (!reader.next(texts[count])) return;
      held += texts[count].size() + 64;  // documents without text must fill a batch too
    }
  }

  void encode(const Tokenizer& tokenizer, SpecialText special) {
    ids.clear();
    ends.clear();
    for (std::size_t i = 0; i < count; ++i) {
      tokenizer.encode_to(texts[i], ids, special);
      ends.push_back(ids.size());
    }
  }
};

// Batches that are encoded together.
struct Round {
  std::vector<Batch> batches;
  std::size_t count = 0;

  void read(DocumentReader& reader, std::size_t most) {
    batches.resize(most);
    for (count = 0; count < most; ++count) {
      batches[count].read(reader);
      if (batches[count].count == 0) return;
    }
  }

  void encode(const Tokenizer& tokenizer, SpecialText special, int threads) {
    std::atomic<std::size_t> next{0};
    const auto work = [&] {
      for (std::size_t i = 0; (i = next++) < count;) batches[i].encode(tokenizer, special);
    };
    std::vector<std::future<void>> helpers;  // a future keeps what its thread threw, and waits when dropped
    for (int i = 1; i < threads; ++i) helpers.push_back(std::async(std::launch::async, work));
    work();
    for (std::future<void>& helper : helpers) helper.get();
  }

  template <class Take>
  void hand_out(const Take& take) const {
    for (std::size_t b = 0; b < count; ++b) {
      const Batch& batch = batches[b];
      for (std::size_t i = 0, begin = 0; i < batch.count; begin = batch.ends[i++])
        take(batch.texts[i], std::span(batch.ids).subspan(begin, batch.ends[i] - begin));
    }
  }
};

}  // namespace

void encode_documents(DocumentReader& reader, const Tokenizer& tokenizer, SpecialText special, int threads,
                      const std::function<void(std::string_view text, std::span<const TokenId> ids)>& take) {
  // While one round is encoded, the one before is handed out and the next one is read.
  Round encoded, encoding;
  const std::size_t batches = kBatchesAThread * static_cast<std::size_t>(threads);
  encoding.read(reader, batches);
  while (encoding.count > 0) {
    auto done = std::async(std::launch::async, [&] { encoding.encode(tokenizer, special, threads); });
    encoded.hand_out(take);
    encoded.read(reader, batches);
    done.get();
    std::swap(encoded, encoding);
  }
  encoded.hand_out(take);
}

}  // namespace trireme::data
