#include "serve/engine/stop_text.h"

#include <gtest/gtest.h>

#include <random>

namespace trireme::serve {
namespace {

struct Passed {
  std::string text;
  std::optional<std::string> found;
};

Passed passed(const std::vector<std::string>& texts, const std::vector<std::string>& pieces) {
  StopText stop(texts);
  Passed result;
  for (const std::string& piece : pieces) result.text += stop.pass(piece);
  result.found = stop.found();
  if (!result.found) result.text += stop.rest();
  return result;
}

TEST(StopText, EndsBeforeTheFirstOfTheTexts) {
  const Passed one = passed({"end", "n"}, {"the ", "men", "d"});
  EXPECT_EQ(one.text, "the me");
  EXPECT_EQ(one.found, "n");
  EXPECT_EQ(passed({"aab"}, {"a", "a", "a", "b", "c"}).text, "a");
  EXPECT_EQ(passed({"xy"}, {"ax"}).text, "ax") << "what was held back is given in the end";
  EXPECT_EQ(passed({}, {"a", "b"}).text, "ab");
  EXPECT_EQ(passed({""}, {"ab"}).text, "ab");
}

TEST(StopText, PiecesOfAnySizeGiveWhatTheWholeDoes) {
  std::mt19937 random(1);
  const auto word = [&](std::size_t most) {
    std::string text;
    for (std::size_t i = random() % (most + 1); i > 0; --i) text += static_cast<char>('a' + random() % 2);
    return text;
  };
  for (int round = 0; round < 5000; ++round) {
    const std::string text = word(12);
    const std::vector<std::string> stops = {word(4), word(3)};
    std::size_t first = std::string::npos, last = std::string::npos;
    for (std::size_t end = 1; end <= text.size() && first == std::string::npos; ++end)
      for (const std::string& stop : stops)
        if (!stop.empty() && text.substr(0, end).ends_with(stop))
          first = std::min(first, end - stop.size()), last = end;
    std::vector<std::string> pieces;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t size = 1 + random() % 3;
      pieces.push_back(text.substr(at, size));
      at += size;
    }
    const Passed result = passed(stops, pieces);
    EXPECT_EQ(result.text, text.substr(0, first)) << text << " until " << stops[0] << " or " << stops[1];
    EXPECT_EQ(result.found.has_value(), last != std::string::npos);
  }
}

}  // namespace
}  // namespace trireme::serve
