#include "data/corpus/count_words.h"

#include <gmock/gmock.h>

#include <map>
#include <random>

#include "core/base/error.h"

namespace trireme::data {
namespace {

using Counts = std::map<std::string, std::uint64_t>;

Counts counts_of(const CountedText& text) {
  Counts counts;
  text.words.for_each([&](std::string_view word, std::uint64_t count) { counts.emplace(word, count); });
  EXPECT_EQ(counts.size(), text.words.size());
  return counts;
}

CountedText counted(const std::string& content, int threads, std::size_t most_words = 1 << 20) {
  DocumentReader reader({memory_input("memory", {}, content)});
  return count_words(reader, threads, [](std::uint64_t) {}, most_words);
}

// A word of letters: digits are words of their own.
std::string word_of(unsigned number) {
  std::string word = " w";
  for (; number > 0; number /= 26) word += static_cast<char>('a' + number % 26);
  return word;
}

// Words of a vocabulary in which the first ones are the most frequent.
std::string text_of(std::size_t bytes, unsigned vocabulary) {
  std::mt19937 random(1);
  std::string text;
  while (text.size() < bytes) {
    const unsigned limit = 1 + static_cast<unsigned>(random()) % vocabulary;
    text += word_of(static_cast<unsigned>(random()) % limit) + (random() % 20 ? "" : "\n\n");
  }
  return text;
}

TEST(CountWords, CountsTheSameOnAnyNumberOfThreads) {
  const std::string text = text_of(4'000'000, 5000);
  const CountedText one = counted(text, 1);
  EXPECT_EQ(one.text_bytes, text.size());
  EXPECT_FALSE(one.rare_words_were_left_out);
  WordCounts whole;  // documents end behind blank lines, where no word goes on
  whole.add("to be or not to be");
  Counts expected;
  whole.for_each([&](std::string_view word, std::uint64_t count) { expected.emplace(word, count); });
  EXPECT_EQ(expected, (Counts{{"to", 1}, {" be", 2}, {" or", 1}, {" not", 1}, {" to", 1}}));
  for (const int threads : {2, 3, 7}) {
    const CountedText many = counted(text, threads);
    EXPECT_EQ(counts_of(many), counts_of(one)) << threads;
    EXPECT_EQ(many.documents, one.documents);
  }
}

TEST(CountWords, TooManyDifferentWordsLeaveTheFrequentOnesWhateverTheThreads) {
  const std::string text = text_of(70'000'000, 20'000);  // two stretches of 64 MiB
  const Counts all = counts_of(counted(text, 4));
  const CountedText one = counted(text, 1, 5000);
  EXPECT_TRUE(one.rare_words_were_left_out);
  const Counts kept = counts_of(one);
  EXPECT_LT(kept.size(), all.size());
  EXPECT_EQ(kept.at(" w"), all.at(" w"));
  for (const int threads : {2, 5}) EXPECT_EQ(counts_of(counted(text, threads, 5000)), kept) << threads;
}

TEST(CountWords, AnErrorOfProgressEndsIt) {
  DocumentReader reader({memory_input("memory", {}, "text")});
  EXPECT_THROW(count_words(reader, 2, [](std::uint64_t) { throw Error(ErrorCode::kInterrupted, "stop"); }), Error);
}

TEST(WordCounts, KeepsTheMostFrequentWordsAndDropsEqualsTogether) {
  WordCounts words;
  for (const auto& [word, count] : Counts{{"a", 5}, {"b", 3}, {"c", 3}, {"d", 1}, {"e", 9}})
    words.add_word(word, count);
  words.keep_most_frequent(5);
  EXPECT_EQ(words.size(), 5u);
  words.keep_most_frequent(3);  // "b" and "c" are as frequent
  EXPECT_EQ(words.size(), 2u);
}

}  // namespace
}  // namespace trireme::data
