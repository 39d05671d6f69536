#include "models/checkpoint/box.h"

#include <gmock/gmock.h>

#include <numeric>

namespace trireme::models {
namespace {

using testing::HasSubstr;

TEST(Volume, RefusesWhatOverflows) {
  EXPECT_EQ(volume({}), 1);
  EXPECT_EQ(volume({3, 4}), 12);
  EXPECT_EQ(volume({0, INT64_MAX}), 0);
  EXPECT_EQ(volume({INT64_MAX, INT64_MAX, 0}), 0);
  EXPECT_EQ(volume({INT64_MAX, 2}), std::nullopt);
  EXPECT_EQ(volume({std::int64_t{1} << 32, std::int64_t{1} << 32}), std::nullopt);
  EXPECT_EQ(volume({-1}), std::nullopt);
  EXPECT_EQ(volume({-1, 0}), std::nullopt);
}

TEST(LiesInside, IsNotFooledByOffsetsThatOverflow) {
  EXPECT_TRUE(lies_inside({{2, 0}, {1, 4}}, {3, 4}));
  EXPECT_FALSE(lies_inside({{3, 0}, {1, 4}}, {3, 4}));
  EXPECT_FALSE(lies_inside({{INT64_MAX, 0}, {INT64_MAX, 4}}, {3, 4}));
  EXPECT_FALSE(lies_inside({{0}, {3}}, {3, 4}));
  EXPECT_FALSE(lies_inside({{-1, 0}, {1, 4}}, {3, 4}));
}

TEST(TilingFault, AcceptsEveryExactTiling) {
  EXPECT_EQ(tiling_fault({}, {{{}, {}}}), "");
  EXPECT_EQ(tiling_fault({0, 4}, {}), "");
  EXPECT_EQ(tiling_fault({4, 4}, {{{0, 0}, {4, 4}}}), "");
  // A pinwheel: no axis cuts it through.
  EXPECT_EQ(
      tiling_fault({3, 3}, {{{0, 0}, {1, 2}}, {{0, 2}, {2, 1}}, {{2, 1}, {1, 2}}, {{1, 0}, {2, 1}}, {{1, 1}, {1, 1}}}),
      "");
}

TEST(TilingFault, NamesHolesOverlapsAndStrays) {
  EXPECT_THAT(tiling_fault({}, {}), HasSubstr("1 of 1 elements are in no slice"));
  EXPECT_THAT(tiling_fault({}, {{{}, {}}, {{}, {}}}), HasSubstr("overlap"));
  EXPECT_THAT(tiling_fault({4}, {{{0}, {2}}, {{3}, {1}}}), HasSubstr("1 of 4 elements are in no slice"));
  EXPECT_THAT(tiling_fault({4}, {{{0}, {3}}, {{2}, {2}}}), HasSubstr("[0] of size [3] and at [2] of size [2] overlap"));
  // As many elements as are due, one of them twice and one never.
  EXPECT_THAT(tiling_fault({2, 2}, {{{0, 0}, {2, 1}}, {{0, 0}, {1, 2}}}), HasSubstr("overlap"));
  EXPECT_THAT(tiling_fault({4}, {{{0}, {5}}}), HasSubstr("outside"));
  EXPECT_THAT(tiling_fault({4}, {{{0}, {4}}, {{2}, {0}}}), HasSubstr("is empty"));
  EXPECT_THAT(tiling_fault({0, 4}, {{{0, 0}, {0, 4}}}), HasSubstr("is empty"));
}

TEST(TilingFault, TakesAGridOfManyBoxesInItsStride) {
  std::vector<Box> boxes;
  for (std::int64_t row = 0; row < 200; ++row)
    for (std::int64_t column = 0; column < 100; ++column) boxes.push_back({{row, 3 * column}, {1, 3}});
  EXPECT_EQ(tiling_fault({200, 300}, boxes), "");
}

TEST(CopyBox, MovesEveryElementOfThePartAndNoOther) {
  std::vector<int> whole(4 * 5 * 6);
  std::iota(whole.begin(), whole.end(), 0);
  const Box all{{0, 0, 0}, {4, 5, 6}}, from{{1, 0, 2}, {3, 5, 4}}, to{{0, 1, 3}, {3, 3, 2}};
  std::vector<int> cut(3 * 5 * 4, -1), out(3 * 3 * 2, -1);
  copy_box(from, all, whole.data(), from, cut.data(), sizeof(int));
  const Box part = *intersection(from, to);
  copy_box(part, from, cut.data(), to, out.data(), sizeof(int));
  for (std::int64_t i = 0; i < 3; ++i)
    for (std::int64_t j = 0; j < 3; ++j)
      for (std::int64_t k = 0; k < 2; ++k) {
        const int due = i < 1 ? -1 : static_cast<int>((i * 5 + j + 1) * 6 + k + 3);
        EXPECT_EQ(out[static_cast<std::size_t>((i * 3 + j) * 2 + k)], due) << i << ' ' << j << ' ' << k;
      }
}

TEST(ContiguousBegin, KnowsWhatStaysTogether) {
  const Box box{{0, 0, 0}, {4, 5, 6}};
  EXPECT_EQ(contiguous_begin(box, box), 0);
  EXPECT_EQ(contiguous_begin({{2, 0, 0}, {2, 5, 6}}, box), 60);
  EXPECT_EQ(contiguous_begin({{1, 2, 0}, {1, 3, 6}}, box), 42);
  EXPECT_EQ(contiguous_begin({{1, 2, 3}, {1, 1, 2}}, box), 45);
  EXPECT_EQ(contiguous_begin({{1, 2, 0}, {2, 3, 6}}, box), std::nullopt);
  EXPECT_EQ(contiguous_begin({{0, 0, 1}, {4, 5, 1}}, box), std::nullopt);
  EXPECT_EQ(contiguous_begin({{}, {}}, {{}, {}}), 0);
}

}  // namespace
}  // namespace trireme::models
