#include "train/report/braille_plot.h"

#include <gmock/gmock.h>

namespace trireme::train {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

std::size_t cells(const std::string& line) {
  return static_cast<std::size_t>(std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

Curve curve(std::vector<double> x, std::vector<double> y) { return decimate(x, y, 1000); }

TEST(BraillePlot, ALineFromCornerToCornerIsDrawnInDots) {
  const auto lines = braille_plot({{curve({0, 1}, {0, 1}), ""}}, 9 + 4, 3, false);
  ASSERT_THAT(lines, SizeIs(3));
  // 8 x 8 dots, from the lower left to the upper right: nothing in the upper left and the lower right.
  EXPECT_THAT(lines[0], HasSubstr("│⠀⠀⡠⠊"));
  EXPECT_THAT(lines[1], HasSubstr("│⡠⠊⠀⠀"));
}

TEST(BraillePlot, EveryLineIsAsWideAsAskedFor) {
  for (const std::size_t columns : {24, 57, 200})
    for (const std::size_t rows : {4, 13})
      for (const auto& line : braille_plot({{curve({1, 2, 300000}, {5, -3e7, 4}), ""}}, columns, rows, false))
        EXPECT_EQ(cells(line), columns) << line;
}

TEST(BraillePlot, AnEmptyPlotAndAConstantOneAreDrawn) {
  EXPECT_THAT(braille_plot({{Curve(), ""}}, 30, 5, false), SizeIs(5));
  EXPECT_THAT(braille_plot({{curve({7}, {2}), ""}}, 30, 5, false), SizeIs(5));
  EXPECT_THAT(braille_plot({{curve({1, 2, 3}, {2, 2, 2}), ""}}, 30, 5, false)[3], HasSubstr("⣀⣀"));
}

TEST(BraillePlot, OnlyWithColourThereAreControlCharacters) {
  const std::vector<PlotCurve> curves = {{curve({0, 1}, {0, 1}), "\x1b[36m"}, {curve({0, 1}, {1, 0}), "\x1b[33m"}};
  EXPECT_THAT(braille_plot(curves, 30, 5, false), Each(Not(HasSubstr("\x1b"))));
  const auto coloured = braille_plot(curves, 30, 5, true);
  EXPECT_THAT(coloured[0], HasSubstr("\x1b[36m"));
  EXPECT_THAT(coloured[0], HasSubstr("\x1b[33m"));
  for (std::size_t row = 0; row < 4; ++row) EXPECT_THAT(coloured[row], HasSubstr("\x1b[0m")) << "no colour runs on";
}

}  // namespace
}  // namespace trireme::train
