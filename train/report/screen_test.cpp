#include "train/report/screen.h"

#include <gmock/gmock.h>

#include "train/report/testing.h"

namespace trireme::train {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::RunFolder;

std::size_t cells(const std::string& line) {
  return static_cast<std::size_t>(std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

TEST(Screen, ShowsHowFarTheRunIsAndItsFiguresAndWhatItWrote) {
  const RunFolder folder;
  folder.train(20);
  const RunLog log(folder.path());
  const std::string text = joined(screen_of(log, 100, 40, false, log.last_change() + 1));
  EXPECT_THAT(text, AllOf(HasSubstr("running"), HasSubstr("step 20/100"), HasSubstr("0.5000"),
                          HasSubstr("validation loss"), HasSubstr("1.5000"), HasSubstr("3.0 MiB"),
                          HasSubstr("start: ranks 2"), HasSubstr("> The <i></script> 20"), HasSubstr("└")));
  EXPECT_THAT(joined(screen_of(log, 100, 40, false, log.last_change() + 1e6)), HasSubstr("not complete"));
  const models::RunOwner owner = models::RunOwner::claim(folder.path());
  RunFiles(&owner, 20).event(names::kStopped, 20);
  EXPECT_THAT(joined(screen_of(RunLog(folder.path()), 100, 40, false, log.last_change() + 1)),
              HasSubstr("not complete"))
      << "a run that says that it stops is not waited for";
  RunFiles(&owner, 20).event(names::kEnd, 20);
  EXPECT_THAT(joined(screen_of(RunLog(folder.path()), 100, 40, false, log.last_change() + 1e6)),
              HasSubstr("  complete"));
}

TEST(Screen, FitsIntoAnyTerminal) {
  const RunFolder folder;
  folder.train(20);
  folder.append("events.jsonl",
                "{\"event\":\"fault\",\"step\":20,\"time\":1,\"what\":\"" + std::string(500, 'x') + "\"}\n");
  const RunLog log(folder.path());
  for (const std::size_t columns : {1, 7, 24, 40, 80, 300})
    for (const std::size_t rows : {1, 2, 5, 10, 24, 80}) {
      const auto lines = screen_of(log, columns, rows, false, 0);
      EXPECT_LE(lines.size(), rows);
      for (const auto& line : lines) EXPECT_LE(cells(line), columns) << columns << " x " << rows << ": " << line;
    }
}

TEST(Screen, ARunsTextSendsNoControlCharactersToTheTerminal) {
  const RunFolder folder;
  folder.put("events.jsonl",
             "{\"event\":\"sample\",\"step\":1,\"prompt\":\"\\u001b[2J\",\"text\":\"a\\nb\\u0007\"}\n"
             "{\"event\":\"fa\\u001b]0;x\\u0007ult\",\"step\":1}\n");
  const std::string text = joined(screen_of(RunLog(folder.path()), 80, 24, false, 0));
  EXPECT_THAT(text, AllOf(Not(HasSubstr("\x1b")), Not(HasSubstr("\x07")), HasSubstr("a b")));
}

TEST(Screen, ARunWithoutARecordIsShown) {
  const RunFolder folder;
  folder.put("events.jsonl", "{\"event\":\"start\",\"step\":0,\"time\":1}\n");
  EXPECT_THAT(joined(screen_of(RunLog(folder.path()), 80, 24, false, 0)), HasSubstr("step 0"));
}

}  // namespace
}  // namespace trireme::train
