#include "tune/space/dimension.h"

#include <gmock/gmock.h>

#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include "core/base/error.h"
#include "core/base/random.h"

namespace trireme::tune {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

using Kind = Dimension::Kind;
using Scale = Dimension::Scale;

Dimension with(Dimension dimension, const std::function<void(Dimension&)>& change) {
  change(dimension);
  return dimension;
}

Dimension stepped(Dimension dimension, double step) {
  return with(std::move(dimension), [&](Dimension& d) { d.step = step; });
}

Dimension normal(double mean, double deviation, Scale scale = Scale::kNormal) {
  return with(Dimension::real("x", 0, 1), [&](Dimension& d) {
    d.scale = scale;
    d.mean = mean;
    d.deviation = deviation;
  });
}

Dimension whole(Dimension dimension) {
  return with(std::move(dimension), [](Dimension& d) { d.kind = Kind::kInteger; });
}

Dimension prepared(Dimension dimension) {
  dimension.validate();
  dimension.prepare();
  return dimension;
}

// One of each kind, and of the corners of each.
std::vector<Dimension> all_kinds() {
  std::vector<Dimension> kinds{
      Dimension::real("x", -5, 5),
      Dimension::real("x", 0.1234567890123456, 0.1234567890123456),
      Dimension::real("x", 1e300, 1e300),
      Dimension::log_real("x", 1e-6, 1),
      Dimension::log_real("x", 1e-305, 1e-300),
      Dimension::log_real("x", 1e200, 1e200),
      stepped(Dimension::real("x", 0, 0.5), 0.1),
      stepped(Dimension::real("x", -0.3, 0.3), 0.1),
      stepped(Dimension::real("x", 0.05, 0.95), 0.3),
      stepped(Dimension::real("x", 0, 1000000), 0.01),
      stepped(Dimension::log_real("x", 0.1, 12.8), 0.1),
      Dimension::integer("x", 1, 8),
      Dimension::integer("x", -3, -3),
      Dimension::integer("x", 0, 1e12),
      Dimension::integer("x", 1e12 - 10, 1e12),
      stepped(Dimension::integer("x", 16, 256), 16),
      whole(Dimension::log_real("x", 1, 1024)),
      whole(Dimension::log_real("x", 1, 1e12)),
      whole(stepped(Dimension::log_real("x", 1, 1025), 4)),
      normal(3, 2),
      normal(-1, 0.5, Scale::kLogNormal),
      stepped(normal(0.05, 1), 0.1),
      stepped(normal(0, 1, Scale::kLogNormal), 0.5),
      whole(normal(0, 4)),
      whole(normal(1, 1, Scale::kLogNormal)),
      whole(normal(8, 1, Scale::kLogNormal)),
      Dimension::choice("x", {"sgd", "adam", "lion"}),
      Dimension::choice("x", {"only"}),
      Dimension::choice("x", {64, 8, 16.5, 1}),
      Dimension::choice("x", {1, "1", true, 1.5}),
  };
  for (Dimension& dimension : kinds) dimension = prepared(std::move(dimension));
  return kinds;
}

std::string described(const Dimension& d) {
  return "kind " + std::to_string(static_cast<int>(d.kind)) + " scale " + std::to_string(static_cast<int>(d.scale)) +
         " from " + std::to_string(d.min) + " to " + std::to_string(d.max) + " step " + std::to_string(d.step);
}

std::vector<double> positions() {
  const RandomStream random(1, "positions");
  std::vector<double> all{0, 1, 0.5, 1e-300, 1 - 0x1p-53, -1, 2};
  for (std::uint64_t i = 0; i < 300; ++i) all.push_back(random.uniform(i));
  return all;
}

TEST(Dimension, FindsThePositionOfEachOfItsValues) {
  for (const Dimension& d : all_kinds()) {
    SCOPED_TRACE(described(d));
    for (const double drawn : positions()) {
      const double position = d.snap(drawn);
      ASSERT_TRUE(position >= 0 && position <= 1) << position;
      const Value value = d.value_at(position);
      const double found = d.position_of(value);
      if (d.is_discrete()) {
        ASSERT_EQ(found, position) << value_text(value);
        ASSERT_EQ(d.value_at(found), value) << value_text(value);
      } else {
        ASSERT_NEAR(found, position, 1e-9) << value_text(value);
        const double number = std::get<double>(value);
        ASSERT_NEAR(std::get<double>(d.value_at(found)), number, 1e-6 * std::abs(number) + 1e-14);
      }
    }
  }
}

TEST(Dimension, SnapsToWhatStaysAsItIs) {
  for (const Dimension& d : all_kinds()) {
    SCOPED_TRACE(described(d));
    for (const double drawn : positions()) {
      const double position = d.snap(drawn);
      ASSERT_EQ(d.snap(position), position) << drawn;
      const double inside = std::min(std::max(drawn, 0.0), 1.0);
      ASSERT_EQ(d.value_at(position), d.value_at(inside)) << drawn;  // still the same value
      ASSERT_TRUE(d.is_discrete() || position == inside) << drawn;
    }
  }
}

TEST(Dimension, NumbersItsLevelsUpwards) {
  for (const Dimension& d : all_kinds()) {
    if (d.levels() == 0) continue;
    SCOPED_TRACE(described(d));
    const std::int64_t stride = std::max<std::int64_t>(1, d.levels() / 1000);
    std::optional<double> last;
    const auto check = [&](std::int64_t level) {
      const double position = d.position_of_level(level);
      ASSERT_EQ(d.level_of(position), level);
      const auto number = value_number(d.value_at(position));
      if (d.is_ordered()) {
        ASSERT_TRUE(number);
        ASSERT_TRUE(!last || *number > *last) << *number;
      }
      last = number;
    };
    for (std::int64_t level = 0; level < d.levels(); level += stride) check(level);
    last.reset();
    for (std::int64_t level = std::max<std::int64_t>(0, d.levels() - 5); level < d.levels(); ++level) check(level);
  }
}

TEST(Dimension, ReachesBothEnds) {
  for (const Dimension& d : all_kinds()) {
    if (d.kind == Kind::kChoice || d.scale == Scale::kNormal || d.scale == Scale::kLogNormal) continue;
    SCOPED_TRACE(described(d));
    EXPECT_NEAR(*value_number(d.value_at(0)), d.min, 1e-12 * std::abs(d.min));
    EXPECT_NEAR(*value_number(d.value_at(1)), d.max, 1e-12 * std::abs(d.max));
    for (const double drawn : positions()) {
      const double number = *value_number(d.value_at(d.snap(drawn)));
      ASSERT_TRUE(number >= d.min && number <= d.max) << number;
    }
  }
}

// How much of [0, 1] gives each value.
std::map<std::string, double> shares(const Dimension& d) {
  std::map<std::string, double> found;
  constexpr int kDraws = 120000;
  for (int i = 0; i < kDraws; ++i) found[value_text(d.value_at(d.snap((i + 0.5) / kDraws)))] += 1.0 / kDraws;
  return found;
}

TEST(Dimension, GivesEachWholeNumberTheSameShare) {
  for (const auto& d : {prepared(Dimension::integer("x", 1, 6)), prepared(stepped(Dimension::integer("x", -10, 10), 4)),
                        prepared(stepped(Dimension::real("x", 0, 0.5), 0.1))}) {
    const auto found = shares(d);
    EXPECT_EQ(found.size(), 6);
    for (const auto& [value, share] : found) EXPECT_NEAR(share, 1.0 / 6, 1e-4) << value;
  }
}

TEST(Dimension, ShowsStepsWithoutDust) {
  const auto values = [](const Dimension& d) {
    std::vector<std::string> texts;
    for (std::int64_t level = 0; level < d.levels(); ++level)
      texts.push_back(value_text(d.value_at(d.position_of_level(level))));
    return texts;
  };
  EXPECT_THAT(values(prepared(stepped(Dimension::real("x", -0.3, 0.3), 0.1))),
              ElementsAre("-0.3", "-0.2", "-0.1", "0.0", "0.1", "0.2", "0.3"));
  EXPECT_THAT(values(prepared(stepped(Dimension::real("x", 0.05, 0.95), 0.3))),
              ElementsAre("0.05", "0.35", "0.65", "0.95"));
}

// Cells end in the middle between neighbours, and the first begins half a step below: log 0.5, 1.5, 2.5, 3.5, 4.5.
TEST(Dimension, GivesWholeNumbersOfALogScaleTheirPartOfIt) {
  const auto found = shares(prepared(whole(Dimension::log_real("x", 1, 4))));
  for (int n = 1; n <= 4; ++n)
    EXPECT_NEAR(found.at(std::to_string(n)), std::log((n + 0.5) / (n - 0.5)) / std::log(9), 1e-4);
}

TEST(Dimension, DrawsALogScaleByItsLogarithm) {
  const Dimension d = prepared(Dimension::log_real("x", 1e-4, 1));
  EXPECT_NEAR(std::get<double>(d.value_at(0.5)), 1e-2, 1e-12);
  EXPECT_NEAR(std::get<double>(d.value_at(0.25)), 1e-3, 1e-12);
  EXPECT_NEAR(d.position_of(0.1), 0.75, 1e-12);
}

TEST(Dimension, DrawsNormalDistributionsByTheirQuantiles) {
  constexpr double kOneDeviation = 0.8413447460685429;
  const Dimension d = prepared(normal(3, 2)), logarithmic = prepared(normal(3, 2, Scale::kLogNormal));
  EXPECT_NEAR(std::get<double>(d.value_at(0.5)), 3, 1e-12);
  EXPECT_NEAR(std::get<double>(d.value_at(kOneDeviation)), 5, 1e-9);
  EXPECT_NEAR(std::get<double>(d.value_at(1 - kOneDeviation)), 1, 1e-9);
  EXPECT_NEAR(std::get<double>(logarithmic.value_at(kOneDeviation)), std::exp(5), 1e-6);
  EXPECT_EQ(value_text(prepared(stepped(normal(0, 1), 0.25)).value_at(0.55)), "0.25");
  EXPECT_EQ(prepared(whole(normal(0, 1, Scale::kLogNormal))).value_at(0.001), Value(std::int64_t{0}));
  EXPECT_EQ(value_text(prepared(stepped(normal(0, 1), 0.1)).value_at(0.4999)), "0.0");  // and not -0.0
}

TEST(Dimension, TakesNumbersInAnOrderAndTextInNone) {
  const Dimension numbers = prepared(Dimension::choice("x", {64, 8, 16.5, 1}));
  EXPECT_TRUE(numbers.is_ordered());
  EXPECT_EQ(numbers.value_at(0.1), Value(1));
  EXPECT_EQ(numbers.value_at(0.9), Value(64));
  const Dimension words = prepared(Dimension::choice("x", {"sgd", "adam"}));
  EXPECT_FALSE(words.is_ordered());
  EXPECT_EQ(words.value_at(0.1), Value("sgd"));
  EXPECT_FALSE(prepared(Dimension::choice("x", {1, "2"})).is_ordered());
}

TEST(Dimension, DrawsChoicesByTheirWeights) {
  const Dimension d =
      prepared(with(Dimension::choice("x", {30, 10, 20}), [](Dimension& x) { x.weights = {1, 1e-12, 3}; }));
  EXPECT_EQ(d.value_at(d.draw(0)), Value(30));
  EXPECT_EQ(d.value_at(d.draw(0.2499)), Value(30));
  EXPECT_EQ(d.value_at(d.draw(0.2501)), Value(20));
  EXPECT_EQ(d.value_at(d.draw(1 - 0x1p-53)), Value(20));
  EXPECT_EQ(d.value_at(d.snap(0)), Value(10));  // positions know no weights
  // 0.1 + 0.2 + 0.3 taken off again leaves 6e-17 of the sum.
  const Dimension dust =
      prepared(with(Dimension::choice("x", {"a", "b", "c"}), [](Dimension& x) { x.weights = {0.1, 0.2, 0.3}; }));
  EXPECT_EQ(dust.value_at(dust.draw(1 - 0x1p-53)), Value("c"));
}

TEST(Dimension, DrawsEqualChoicesWithoutWeights) {
  for (const auto& [value, share] : shares(prepared(Dimension::choice("x", {"a", "b", "c"}))))
    EXPECT_NEAR(share, 1.0 / 3, 1e-4) << value;
}

void expect_position_refused(const Dimension& dimension, const Value& value, const std::string& message) {
  const Dimension d = prepared(dimension);
  try {
    d.position_of(value);
    ADD_FAILURE() << value_text(value) << " was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBadInput);
    EXPECT_THAT(error.what(), HasSubstr(message));
  }
}

TEST(Dimension, RefusesValuesThatItDoesNotTake) {
  expect_position_refused(Dimension::real("rate", 0, 1), 1.5, "parameter rate takes a number in [0, 1], got 1.5");
  expect_position_refused(Dimension::real("rate", 0, 1), NAN, "takes a number, got nan");
  expect_position_refused(Dimension::real("rate", 0, 1), "0.5", "takes a number, got 0.5");
  expect_position_refused(Dimension::real("rate", 0, 1), true, "takes a number, got true");
  expect_position_refused(Dimension::integer("n", 1, 3), 1.5, "takes an integer, got 1.5");
  expect_position_refused(Dimension::integer("n", 1, 3), 4, "takes an integer in [1, 3], got 4");
  expect_position_refused(stepped(Dimension::integer("n", 1, 5), 2), 2, "takes steps of 2 from 1 on, got 2");
  expect_position_refused(stepped(Dimension::real("x", 0, 1), 0.25), 0.3, "takes steps of 0.25 from 0 on, got 0.3");
  expect_position_refused(Dimension::choice("o", {"sgd", "adam"}), "lion", "takes one of sgd, adam, got lion");
  expect_position_refused(Dimension::choice("o", {1, 2}), "1", "takes one of 1, 2, got 1");
  expect_position_refused(Dimension::choice("o", {"sgd"}), "adam", "takes sgd, got adam");
  expect_position_refused(normal(0, 1), 7.5, "takes a number in [-5.99");
  expect_position_refused(normal(0, 1, Scale::kLogNormal), -1.0, "takes a number in [");
  EXPECT_EQ(prepared(Dimension::integer("n", 1, 3)).position_of(2.0), 0.5);
  EXPECT_EQ(prepared(stepped(Dimension::real("x", 0, 1), 0.1)).position_of(0.1 + 0.2),
            prepared(stepped(Dimension::real("x", 0, 1), 0.1)).position_of(0.3));
}

void expect_refused(const Dimension& dimension, const std::string& message) {
  try {
    dimension.validate();
    ADD_FAILURE() << "was taken, instead of: " << message;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr(message));
  }
}

TEST(Dimension, RefusesRangesThatMakeNoSense) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  expect_refused(Dimension::real("", 0, 1), "needs a name");
  expect_refused(Dimension::real("x", 2, 1), "parameter x has min 2 above max 1");
  expect_refused(Dimension::real("x", 0, kInfinity), "must have finite bounds, got 0 and inf");
  expect_refused(Dimension::real("x", NAN, 1), "must have finite bounds, got nan and 1");
  expect_refused(Dimension::real("x", -1e308, 1e308), "spans more than numbers can");
  expect_refused(Dimension::log_real("x", 0, 1), "log scale, which needs min above 0, got 0");
  expect_refused(stepped(Dimension::real("x", 0, 1), -0.1), "must have a step above 0, got -0.1");
  expect_refused(stepped(Dimension::real("x", 0, 1), NAN), "must have a step above 0, got nan");
  expect_refused(stepped(Dimension::real("x", 0, 1), 0.3), "the nearest that can be reached are 0.9 and 1.2");
  expect_refused(stepped(Dimension::integer("x", 1, 10), 4), "the nearest that can be reached are 9 and 13");
  expect_refused(stepped(Dimension::real("x", 0, 1), 1e-10), "within 1e+09 steps of 0, got 1 in steps of 1e-10");
  expect_refused(Dimension::integer("x", 0.5, 2), "its bounds must be whole numbers, got 0.5 and 2");
  expect_refused(stepped(Dimension::integer("x", 0, 3), 1.5), "its step must be a whole number, got 1.5");
  expect_refused(Dimension::integer("x", 1e300, 1e300), "within 1e+12 steps of 0");
  expect_refused(with(Dimension::real("x", 2, 1), [](Dimension& d) { d.where = "line 3"; }), "(line 3)");
}

TEST(Dimension, RefusesDistributionsThatMakeNoSense) {
  expect_refused(normal(NAN, 1), "must have a finite mu, got nan");
  expect_refused(normal(0, 0), "must have a sigma above 0, got 0");
  expect_refused(normal(1e308, 1e308), "values pass all numbers");
  expect_refused(normal(0, 100, Scale::kLogNormal), "values pass all numbers");
  expect_refused(whole(normal(0, 1e12)), "within 1e+07 steps of 0");
  expect_refused(whole(normal(15, 1, Scale::kLogNormal)), "within 1e+07 steps of 0");
}

TEST(Dimension, RefusesChoicesThatMakeNoSense) {
  const auto weighted = [](std::vector<double> weights) {
    return with(Dimension::choice("x", {"a", "b"}), [&](Dimension& d) { d.weights = std::move(weights); });
  };
  expect_refused(Dimension::choice("x", {}), "has no values");
  expect_refused(Dimension::choice("x", {1, 2, 1.0}), "has the value 1.0 twice");
  expect_refused(Dimension::choice("x", {1, NAN}), "must have finite values, got nan");
  expect_refused(weighted({1}), "has 2 values, but 1 probabilities");
  expect_refused(weighted({1, -1}), "must have probabilities above 0, got -1");
  expect_refused(weighted({1, NAN}), "must have probabilities above 0, got nan");
  expect_refused(weighted({0, 0}), "must have probabilities above 0, got 0");
  expect_refused(with(Dimension::integer("x", 0, 1), [](Dimension& d) { d.weights = {1, 1}; }), "of choices");
}

}  // namespace
}  // namespace trireme::tune
