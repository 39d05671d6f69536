#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/word_scanner.h"

namespace trireme::data {

/// How often each word (piece of the pre-tokenizer) occurs in a text: all that training a tokenizer needs of it. Some
/// 50 bytes a different word. Not for several threads at once.
class WordCounts {
 public:
  /// Counts the words of one document.
  void add(std::string_view document);
  void add_word(std::string_view word, std::uint64_t count);

  /// Different words.
  std::size_t size() const;
  /// Calls `take(std::string_view word, std::uint64_t count)` for each, in no order that means anything.
  template <class Take>
  void for_each(const Take& take) const {
    for (const Part& part : parts_)
      for (const Entry& entry : part.entries) take(part.word_of(entry), entry.count);
  }

  /// Adds all counts up into the first table, on as many threads as there are tables; the others are empty then.
  static void merge(std::span<WordCounts> tables);

  /// Forgets the rarest words until at most `most` are left. Which ones depends on nothing but the counts: those as
  /// rare as the first one that has to go, go too.
  void keep_most_frequent(std::size_t most);

 private:
  struct Entry {
    std::uint64_t hash, count;
    std::uint64_t begin;  // in `bytes`
    std::uint32_t size;
  };
  // Words whose hashes have the same highest bits: parts are merged side by side.
  struct Part {
    std::string_view word_of(const Entry& entry) const {
      return std::string_view(bytes).substr(entry.begin, entry.size);
    }
    void add(std::string_view word, std::uint64_t hash, std::uint64_t count);
    void grow();
    void absorb(Part& other);

    std::string bytes;
    std::vector<Entry> entries;
    std::vector<std::uint32_t> slots;  // 1 + place in entries, 0: free; open addressing, at most half full
  };
  static constexpr int kPartBits = 6;

  WordScanner scanner_;
  std::array<Part, std::size_t{1} << kPartBits> parts_;
};

}  // namespace trireme::data
