#include "tune/search/random.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

#include "tune/search/search_testing.h"

namespace trireme::tune {
namespace {

using namespace testing;

constexpr std::int64_t kDraws = 4000;

double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

Dimension normal(Dimension::Scale scale, double mean, double deviation, double step = 0) {
  Dimension dimension = real("x", 0, 1, scale);
  dimension.mean = mean;
  dimension.deviation = deviation;
  dimension.step = step;
  return dimension;
}

// Independent draws: nothing has been tried before any of them.
std::vector<Value> draws_of(const Dimension& dimension) {
  const Space space({dimension});
  RandomSearch random({space, /*seed=*/3});
  std::vector<Value> values;
  for (std::int64_t trial = 0; trial < kDraws; ++trial)
    values.push_back(space.parameters(random.suggest({}, trial)->point)[0].value);
  return values;
}

// The distance of Kolmogorov & Smirnov times sqrt(n): above 1.95 by chance once in a thousand times.
double misfit(const Dimension& dimension, const std::function<double(double)>& cdf) {
  std::vector<double> numbers;
  for (const Value& value : draws_of(dimension)) numbers.push_back(*value_number(value));
  std::sort(numbers.begin(), numbers.end());
  double distance = 0;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const double expected = cdf(numbers[i]), n = static_cast<double>(numbers.size());
    distance = std::max({distance, expected - static_cast<double>(i) / n, static_cast<double>(i + 1) / n - expected});
  }
  return distance * std::sqrt(static_cast<double>(kDraws));
}

// Pearson's sum of squares. @param expected  values and their probabilities; where these do not add up to 1, all other
// values are one more cell
double misfit(const Dimension& dimension, const std::vector<std::pair<Value, double>>& expected) {
  double rest = 1;
  for (const auto& entry : expected) rest -= entry.second;
  std::vector<double> counts(expected.size() + 1, 0);
  for (const Value& value : draws_of(dimension)) {
    const auto found = std::find_if(expected.begin(), expected.end(),
                                    [&](const auto& entry) { return same_value(entry.first, value); });
    counts[static_cast<std::size_t>(found - expected.begin())] += 1;
  }
  double sum = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double probability = i < expected.size() ? expected[i].second : std::max(rest, 1e-9);
    const double mean = probability * static_cast<double>(kDraws);
    sum += (counts[i] - mean) * (counts[i] - mean) / mean;
  }
  return sum;
}

TEST(RandomSearch, DrawsRealNumbersOfTheirDistributions) {
  using Scale = Dimension::Scale;
  EXPECT_LT(misfit(real("x", -2, 3), [](double x) { return (x + 2) / 5; }), 1.95);
  EXPECT_LT(misfit(real("x", 1e-5, 10, Scale::kLog), [](double x) { return std::log10(x / 1e-5) / 6; }), 1.95);
  EXPECT_LT(misfit(normal(Scale::kNormal, 3, 2), [](double x) { return normal_cdf((x - 3) / 2); }), 1.95);
  EXPECT_LT(misfit(normal(Scale::kLogNormal, -1, 0.5), [](double x) { return normal_cdf((std::log(x) + 1) / 0.5); }),
            1.95);
}

// Critical values are those that chance passes once in a thousand times, of one degree of freedom fewer than cells.
TEST(RandomSearch, DrawsBothEndsOfARangeAsOftenAsWhatLiesBetween) {
  std::vector<std::pair<Value, double>> whole, quantised;
  for (std::int64_t i = 1; i <= 8; ++i) whole.emplace_back(i, 1. / 8);
  EXPECT_LT(misfit(integer("x", 1, 8), whole), 24.3);
  for (const double x : {0.0, 0.1, 0.2, 0.3, 0.4, 0.5}) quantised.emplace_back(x, 1. / 6);
  EXPECT_LT(misfit(stepped("x", 0, 0.5, 0.1), quantised), 20.5);
}

TEST(RandomSearch, DrawsIntegersOnALogarithmicScaleByTheirShareOfIt) {
  std::vector<std::pair<Value, double>> expected;
  for (std::int64_t i = 1; i <= 8; ++i) {
    const auto x = static_cast<double>(i);
    expected.emplace_back(i, std::log((x + 0.5) / (x - 0.5)) / std::log(8.5 / 0.5));
  }
  EXPECT_LT(misfit(integer("x", 1, 8, Dimension::Scale::kLog), expected), 24.3);
}

TEST(RandomSearch, RoundsANormalDistribution) {
  std::vector<std::pair<Value, double>> expected;
  for (int i = -2; i <= 2; ++i)
    expected.emplace_back(static_cast<double>(i), normal_cdf(i + 0.5) - normal_cdf(i - 0.5));
  EXPECT_LT(misfit(normal(Dimension::Scale::kNormal, 0, 1, /*step=*/1), expected), 20.5);
}

TEST(RandomSearch, DrawsChoicesByTheirWeights) {
  EXPECT_LT(misfit(choice("x", {true, std::string("b"), 4.5}, {1, 2, 5}),
                   {{true, 1. / 8}, {std::string("b"), 2. / 8}, {4.5, 5. / 8}}),
            13.8);
  EXPECT_LT(misfit(choice("x", {std::int64_t{9}, std::int64_t{4}, std::int64_t{6}}, {3, 1, 4}),
                   {{std::int64_t{9}, 3. / 8}, {std::int64_t{4}, 1. / 8}, {std::int64_t{6}, 4. / 8}}),
            13.8);
}

TEST(RandomSearch, DrawsParametersIndependently) {
  const Space space({real("x", 0, 1), real("y", 0, 1)});
  RandomSearch random({space, 5});
  double across = 0, onwards = 0, last = 0.5;
  for (std::int64_t trial = 0; trial < kDraws; ++trial) {
    const Point point = random.suggest({}, trial)->point;
    across += (point[0] - 0.5) * (point[1] - 0.5);
    onwards += (point[0] - 0.5) * (last - 0.5);
    last = point[0];
  }
  const double allowed = 3.3 * std::sqrt(static_cast<double>(kDraws)) / 12;
  EXPECT_LT(std::abs(across), allowed);
  EXPECT_LT(std::abs(onwards), allowed);
}

}  // namespace
}  // namespace trireme::tune
