#include "tune/commands/text_table.h"

#include <gmock/gmock.h>

namespace trireme::tune {
namespace {

using testing::ElementsAre;

TEST(TextTable, SetsNumbersToTheRightAndTextToTheLeft) {
  TextTable table({"trial", "state", "loss"});
  table.add({"9", "complete", "0.25"});
  table.add({"10", "failed", "-"});
  EXPECT_THAT(table.lines(80), ElementsAre("trial  state     loss",  //
                                           "    9  complete  0.25",  //
                                           "   10  failed       -"));
}

TEST(TextTable, CountsCharactersAndNotBytes) {
  TextTable table({"a", "b"});
  table.add({"é—é", "x"});
  table.add({"abcd", "y"});
  EXPECT_THAT(table.lines(80), ElementsAre("a     b", "é—é   x", "abcd  y"));
}

TEST(TextTable, CutsOffWhatANarrowTerminalCannotShow) {
  TextTable table({"name", "value"});
  table.add({"éé", "1234"});
  EXPECT_THAT(table.lines(8), ElementsAre("name  v…", "éé     …"));
  EXPECT_THAT(table.lines(11), ElementsAre("name  value", "éé     1234"));
}

TEST(CutTo, LeavesWhatFits) {
  EXPECT_EQ(cut_to("abc", 3), "abc");
  EXPECT_EQ(cut_to("abcd", 3), "ab…");
  EXPECT_EQ(cut_to("ééé", 2), "é…");
  EXPECT_EQ(cut_to("abc", 1), "…");
  EXPECT_EQ(cut_to("abc", 0), "");
}

}  // namespace
}  // namespace trireme::tune
