#include "data/jinja/characters.h"

#include <gmock/gmock.h>

namespace trireme::data::jinja {
namespace {

TEST(Characters, ChangeCaseAsPythonDoes) {
  EXPECT_EQ(to_upper("straße ﬁ ŉ é"), "STRASSE FI ʼN É");
  EXPECT_EQ(to_lower("ΑΣ ΣΑ İ"), "ας σα i̇");
  EXPECT_EQ(to_title("they're ǆ"), "They'Re ǅ");
  EXPECT_EQ(capitalize("ßX y"), "Ssx y");
  EXPECT_EQ(swap_case("aB1"), "Ab1");
}

TEST(Characters, HaveTheClassesOfPython) {
  EXPECT_TRUE(all_have_class("²", kDigit));
  EXPECT_FALSE(all_have_class("²", kDecimal));
  EXPECT_FALSE(all_have_class("", kAlpha));
  EXPECT_TRUE(is_upper("A1"));
  EXPECT_FALSE(is_lower("aB"));
  EXPECT_TRUE(is_title("Ab C"));
  EXPECT_EQ(decimal_value(U'٣'), 3);
  EXPECT_EQ(decimal_value(U'a'), -1);
}

TEST(Characters, SpaceIsThatOfUnicode) {
  EXPECT_EQ(strip_left("\u3000\x1c a"), "a");
  EXPECT_EQ(strip_right("a\u00a0\u2028\n"), "a");
}

TEST(Characters, LinesEndWhereverPythonEndsThem) {
  std::vector<std::string_view> lines;
  for (const auto& [line, whole] : split_lines("a\r\nb\x0b"
                                               "c\u2028\n"))
    lines.push_back(line);
  EXPECT_THAT(lines, testing::ElementsAre("a", "b", "c", ""));
}

TEST(Characters, AreQuotedAsReprDoes) {
  EXPECT_EQ(quoted("it's"), "\"it's\"");
  EXPECT_EQ(quoted("'\"\\"), R"('\'"\\')");
  EXPECT_EQ(quoted("\n\x7f\u200b\U000e0001é"), R"('\n\x7f\u200b\U000e0001é')");
}

}  // namespace
}  // namespace trireme::data::jinja
