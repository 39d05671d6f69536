#include "tune/importance/importance.h"

#include <gmock/gmock.h>

#include <cmath>
#include <functional>
#include <numbers>

#include "core/base/error.h"
#include "core/base/random.h"
#include "tune/search/search_testing.h"

namespace trireme::tune {
namespace {

using namespace testing;
using ::testing::Each;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// The same trials for the same space: what an oracle was asked about stays the same.
History random_trials(const Space& space, int count, const std::function<double(const Point&)>& function) {
  const RandomStream random(1, "importance/test");
  History history;
  for (int trial = 0; trial < count; ++trial) {
    std::vector<double> uniforms;
    for (std::size_t i = 0; i < space.size(); ++i)
      uniforms.push_back(random.uniform(static_cast<std::uint64_t>(trial), i));
    Point point = space.draw(uniforms);
    const double value = function(point);
    history.push_back(done(trial, std::move(point), {value}));
  }
  return history;
}

Space reals(int count) {
  std::vector<Dimension> dimensions;
  for (int i = 0; i < count; ++i) dimensions.push_back(real("x" + std::to_string(i), 0, 1));
  return Space(std::move(dimensions));
}

double share_of(const std::vector<Importance>& shares, const std::string& name) {
  for (const Importance& importance : shares)
    if (importance.name == name) return importance.share;
  ADD_FAILURE() << name << " is missing";
  return -1;
}

double linear(const Point& p) { return 3 * p[0] + 2 * p[1] + p[2]; }
double product(const Point& p) { return (p[0] - 0.5) * (p[1] - 0.5); }

// Ishigami and Homma 1990: shares 0.314, 0.442, 0, and 0.244 of the first and third together.
double ishigami(const Point& p) {
  const auto angle = [&](std::size_t i) { return std::numbers::pi * (2 * p[i] - 1); };
  return std::sin(angle(0)) + 7 * std::pow(std::sin(angle(1)), 2) + 0.1 * std::pow(angle(2), 4) * std::sin(angle(0));
}

TEST(Fanova, FindsTheSharesOfALinearFunction) {
  const Space space = reals(4);
  const auto shares = fanova_importance(space, random_trials(space, 600, linear), 0, 1);
  EXPECT_EQ(shares[0].name, "x0");  // most important first
  EXPECT_NEAR(share_of(shares, "x0"), 9.0 / 14, 0.03);
  EXPECT_NEAR(share_of(shares, "x1"), 4.0 / 14, 0.03);
  EXPECT_NEAR(share_of(shares, "x2"), 1.0 / 14, 0.03);
  EXPECT_NEAR(share_of(shares, "x3"), 0, 0.01);
}

TEST(Fanova, GivesAProductToThePairAlone) {
  const Space space = reals(3);
  const History history = random_trials(space, 600, product);
  EXPECT_THAT(fanova_importance(space, history, 0, 1), Each(Field(&Importance::share, ::testing::Lt(0.05))));
  const auto pairs = fanova_pairs(space, history, 0, 1);
  ASSERT_EQ(pairs.size(), 3);
  EXPECT_EQ(pairs[0].first + "*" + pairs[0].second, "x0*x1");
  EXPECT_GT(pairs[0].share, 0.9);
  EXPECT_LT(pairs[1].share, 0.03);
  EXPECT_EQ(fanova_pairs(space, history, 0, 1, 1).size(), 1);
}

TEST(Fanova, FindsSharesAndInteractionOfIshigamisFunction) {
  const Space space = reals(3);
  const History history = random_trials(space, 2000, ishigami);
  const auto shares = fanova_importance(space, history, 0, 1);
  EXPECT_NEAR(share_of(shares, "x0"), 0.314, 0.05);
  EXPECT_NEAR(share_of(shares, "x1"), 0.442, 0.1);
  EXPECT_NEAR(share_of(shares, "x2"), 0, 0.03);
  const auto pairs = fanova_pairs(space, history, 0, 1);
  EXPECT_EQ(pairs[0].first + "*" + pairs[0].second, "x0*x2");
  EXPECT_NEAR(pairs[0].share, 0.244, 0.05);
}

// An additive function of a choice, whole numbers and a logarithm.
TEST(Fanova, CountsAllKindsOfParametersEvenlyByPosition) {
  const Space space({choice("c", {std::string("a"), std::string("b"), std::string("c")}), integer("i", 1, 4),
                     real("rate", 1e-4, 1, Dimension::Scale::kLog), choice("one", {std::string("only")})});
  const auto value = [&](const Point& p) {
    const Parameters at = space.parameters(p);
    const double c = at[0].value == Value(std::string("b")) ? 1.5 : 0;
    return c + *value_number(at[1].value) * 0.5 + std::log10(*value_number(at[2].value)) * 0.5;
  };
  const auto shares = fanova_importance(space, random_trials(space, 600, value), 0, 1);
  const double c = 1.5 * 1.5 * 2 / 9, i = 0.25 * 15 / 12, rate = 0.25 * 16 / 12, sum = c + i + rate;
  EXPECT_NEAR(share_of(shares, "c"), c / sum, 0.04);
  EXPECT_NEAR(share_of(shares, "i"), i / sum, 0.04);
  EXPECT_NEAR(share_of(shares, "rate"), rate / sum, 0.04);
  EXPECT_EQ(share_of(shares, "one"), 0);
}

// sgd gives 4 momentum, adam 3: means over momentum are 2 and 3, over the optimizer 2 momentum + 1.5.
TEST(Fanova, GivesAConditionalParameterWhatItDoesWhereItIsThere) {
  const Space space({choice("optimizer", {std::string("sgd"), std::string("adam")}),
                     when(real("momentum", 0, 1), "optimizer", {std::string("sgd")}),
                     when(real("beta", 0, 1), "optimizer", {std::string("adam")})});
  const History history = random_trials(space, 600, [](const Point& p) { return std::isnan(p[1]) ? 3.0 : 4 * p[1]; });
  const auto shares = fanova_importance(space, history, 0, 1);
  const double optimizer = 0.25, momentum = 4.0 / 12, whole = 0.5 * 16 / 12 + 0.25;
  EXPECT_NEAR(share_of(shares, "optimizer"), optimizer / whole, 0.04);
  EXPECT_NEAR(share_of(shares, "momentum"), momentum / whole, 0.04);
  EXPECT_NEAR(share_of(shares, "beta"), 0, 0.01);
  const auto pairs = fanova_pairs(space, history, 0, 1);
  EXPECT_EQ(pairs[0].first + "*" + pairs[0].second, "optimizer*momentum");
  EXPECT_NEAR(pairs[0].share, (whole - optimizer - momentum) / whole, 0.04);
}

// What Optuna 5.0.0 says of the same trials: FanovaImportanceEvaluator(seed=0), of the positions as floats in [0, 1].
TEST(Fanova, AgreesWithOptuna) {
  const Space space = reals(3);
  const auto shares = fanova_importance(space, random_trials(space, 200, ishigami), 0, 1);
  EXPECT_NEAR(share_of(shares, "x0"), 0.331, 0.03);
  EXPECT_NEAR(share_of(shares, "x1"), 0.262, 0.03);
  EXPECT_NEAR(share_of(shares, "x2"), 0.055, 0.03);
}

TEST(Fanova, IsNotAboutTrialsThatDiverged) {
  const Space space = reals(4);
  History history = random_trials(space, 600, linear);
  for (std::size_t k = 0; k < history.size(); ++k)
    if (history[k].point[3] > 0.99) history[k].values = {1e300 * history[k].point[3]};
  const auto shares = fanova_importance(space, history, 0, 1);
  EXPECT_GT(share_of(shares, "x0"), 0.4);
  EXPECT_LT(share_of(shares, "x3"), 0.25);
}

TEST(Fanova, SeesTheFewValuesThatDiffer) {
  const Space space = reals(2);
  const auto rare = [](const Point& p) { return p[0] > 0.85 ? 1.5e308 : -1.5e308; };
  EXPECT_GT(share_of(fanova_importance(space, random_trials(space, 200, rare), 0, 1), "x0"), 0.95);
  const auto frequent = [](const Point& p) { return p[0] > 0.15 ? 1.5e308 : -1.5e308; };
  EXPECT_GT(share_of(fanova_importance(space, random_trials(space, 200, frequent), 0, 1), "x0"), 0.95);
}

TEST(Fanova, IsAFunctionOfItsSeedAndDoesNotDependOnUnitsOfTheValue) {
  const Space space = reals(3);
  History history = random_trials(space, 100, linear);
  const auto shares = fanova_importance(space, history, 0, 5);
  const auto again = fanova_importance(space, history, 0, 5), other = fanova_importance(space, history, 0, 6);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(shares[i].share, again[i].share);
  EXPECT_NE(shares[0].share, other[0].share);
  for (Observation& observation : history) observation.values[0] *= 0x1p1000;
  const auto scaled = fanova_importance(space, history, 0, 5);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(scaled[i].share, shares[i].share);
  for (Observation& observation : history) observation.values[0] = (observation.values[0] - 0x3p1000) * 0x1p22;
  const auto far_apart = fanova_importance(space, history, 0, 5);  // their differences pass all numbers
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(far_apart[i].share, shares[i].share, 0.01);
}

TEST(Fanova, TakesTheObjectiveThatItIsAskedForAndOnlyTrialsThatAreDone) {
  const Space space = reals(2);
  History history = random_trials(space, 200, [](const Point& p) { return p[0]; });
  for (Observation& observation : history) observation.values.push_back(observation.point[1]);
  history.push_back({.trial = 200, .point = {0.5, 0.5}, .outcome = Outcome::kFailed, .values = {}, .note = {}});
  history.push_back({.trial = 201, .point = {0.5, 0.5}, .outcome = Outcome::kPending, .values = {}, .note = {}});
  EXPECT_GT(share_of(fanova_importance(space, history, 0, 1), "x0"), 0.95);
  EXPECT_GT(share_of(fanova_importance(space, history, 1, 1), "x1"), 0.95);
}

using Evaluator = std::function<std::vector<Importance>(const Space&, const History&, std::size_t)>;
const std::vector<Evaluator> kEvaluators{
    [](const Space& space, const History& history, std::size_t o) { return fanova_importance(space, history, o, 1); },
    kernel_importance};

TEST(Importance, IsZeroWhereAllValuesAreTheSame) {
  const Space space = reals(2);
  const History history = random_trials(space, 20, [](const Point&) { return 0.1; });
  for (const Evaluator& evaluate : kEvaluators) {
    const auto shares = evaluate(space, history, 0);
    EXPECT_EQ(shares.size(), 2);
    EXPECT_THAT(shares, Each(Field(&Importance::share, 0)));
  }
  EXPECT_EQ(fanova_pairs(space, history, 0, 1).at(0).share, 0);
}

TEST(Importance, IsZeroWhereThereIsNothingToChoose) {
  const Space space({integer("layers", 3, 3)});
  int trial = 0;
  const History history = random_trials(space, 20, [&](const Point&) { return ++trial; });
  for (const Evaluator& evaluate : kEvaluators) EXPECT_EQ(evaluate(space, history, 0).at(0).share, 0);
  EXPECT_TRUE(fanova_pairs(space, history, 0, 1).empty());
}

TEST(Importance, RefusesTooFewTrialsAndUnknownObjectives) {
  const Space space = reals(3);
  const History few = random_trials(space, 9, linear), enough = random_trials(space, 10, linear);
  for (const Evaluator& evaluate : kEvaluators) {
    EXPECT_THAT([&] { evaluate(space, few, 0); }, ThrowsMessage<Error>(HasSubstr("10 complete trials or more, got 9")));
    EXPECT_NO_THROW(evaluate(space, enough, 0));
    EXPECT_THAT([&] { evaluate(space, enough, 1); }, ThrowsMessage<Error>(HasSubstr("no objective 1")));
  }
}

TEST(KernelImportance, FindsTheSharesOfALinearFunctionInFewTrials) {
  const Space space = reals(4);
  const auto shares = kernel_importance(space, random_trials(space, 40, linear), 0);
  EXPECT_NEAR(share_of(shares, "x0"), 9.0 / 14, 0.1);
  EXPECT_NEAR(share_of(shares, "x1"), 4.0 / 14, 0.1);
  EXPECT_NEAR(share_of(shares, "x2"), 1.0 / 14, 0.05);
  EXPECT_NEAR(share_of(shares, "x3"), 0, 0.02);
}

TEST(KernelImportance, CountsAnInteractionForBoth) {
  const Space space = reals(3);
  const auto shares = kernel_importance(space, random_trials(space, 60, product), 0);
  EXPECT_NEAR(share_of(shares, "x0"), 1, 0.2);
  EXPECT_NEAR(share_of(shares, "x1"), 1, 0.2);
  EXPECT_NEAR(share_of(shares, "x2"), 0, 0.05);
}

TEST(KernelImportance, KnowsChoicesAndConditions) {
  const Space space({choice("optimizer", {std::string("sgd"), std::string("adam")}),
                     when(real("momentum", 0, 1), "optimizer", {std::string("sgd")}),
                     when(real("beta", 0, 1), "optimizer", {std::string("adam")})});
  const auto shares = kernel_importance(
      space, random_trials(space, 60, [](const Point& p) { return std::isnan(p[1]) ? 3.0 : 4 * p[1]; }), 0);
  EXPECT_GT(share_of(shares, "optimizer"), 0.3);
  EXPECT_GT(share_of(shares, "momentum"), 0.3);
  EXPECT_LT(share_of(shares, "beta"), 0.03);
}

}  // namespace
}  // namespace trireme::tune
