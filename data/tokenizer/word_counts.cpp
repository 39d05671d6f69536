#include "data/tokenizer/word_counts.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <future>

#include "core/base/error.h"
#include "core/base/hash.h"

namespace trireme::data {

void WordCounts::Part::add(std::string_view word, std::uint64_t hash, std::uint64_t count) {
  if (2 * (entries.size() + 1) > slots.size()) grow();
  const std::size_t mask = slots.size() - 1;
  std::size_t at = hash & mask;
  for (; slots[at] != 0; at = (at + 1) & mask) {
    Entry& entry = entries[slots[at] - 1];
    if (entry.hash == hash && word_of(entry) == word) {
      entry.count += count;
      return;
    }
  }
  if (word.size() > UINT32_MAX || entries.size() >= UINT32_MAX - 1)
    throw Error(ErrorCode::kBadInput, "more words, or a longer one, than 32 bits can count");
  entries.push_back({hash, count, bytes.size(), static_cast<std::uint32_t>(word.size())});
  bytes += word;
  slots[at] = static_cast<std::uint32_t>(entries.size());
}

void WordCounts::Part::grow() {
  slots.assign(std::max<std::size_t>(64, 2 * slots.size()), 0);
  const std::size_t mask = slots.size() - 1;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    std::size_t at = entries[i].hash & mask;
    while (slots[at] != 0) at = (at + 1) & mask;
    slots[at] = static_cast<std::uint32_t>(i + 1);
  }
}

void WordCounts::Part::absorb(Part& other) {
  for (const Entry& entry : other.entries) add(other.word_of(entry), entry.hash, entry.count);
  other = Part();
}

void WordCounts::add(std::string_view document) {
  while (!document.empty()) {
    const std::string_view word = document.substr(0, scanner_.first_piece(document));
    add_word(word, 1);
    document.remove_prefix(word.size());
  }
}

void WordCounts::add_word(std::string_view word, std::uint64_t count) {
  const std::uint64_t hash = xxh3_64(word);
  parts_[hash >> (64 - kPartBits)].add(word, hash, count);
}

std::size_t WordCounts::size() const {
  std::size_t size = 0;
  for (const Part& part : parts_) size += part.entries.size();
  return size;
}

void WordCounts::merge(std::span<WordCounts> tables) {
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t part = 0; (part = next++) < tables[0].parts_.size();)
      for (WordCounts& other : tables.subspan(1)) tables[0].parts_[part].absorb(other.parts_[part]);
  };
  std::vector<std::future<void>> helpers;  // a future keeps what its thread threw, and waits when dropped
  for (std::size_t i = 1; i < tables.size(); ++i) helpers.push_back(std::async(std::launch::async, work));
  work();
  for (std::future<void>& helper : helpers) helper.get();
}

void WordCounts::keep_most_frequent(std::size_t most) {
  if (size() <= most) return;
  std::vector<std::uint64_t> counts;
  counts.reserve(size());
  for_each([&](std::string_view, std::uint64_t count) { counts.push_back(count); });
  const auto first_to_go = counts.begin() + static_cast<std::ptrdiff_t>(most);
  std::nth_element(counts.begin(), first_to_go, counts.end(), std::greater<>());
  for (Part& part : parts_) {
    Part kept;
    for (const Entry& entry : part.entries)
      if (entry.count > *first_to_go) kept.add(part.word_of(entry), entry.hash, entry.count);
    part = std::move(kept);
  }
}

}  // namespace trireme::data
