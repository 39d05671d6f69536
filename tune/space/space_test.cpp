#include "tune/space/space.h"

#include <gmock/gmock.h>

#include <cmath>
#include <set>

#include "core/base/error.h"
#include "core/base/random.h"

namespace trireme::tune {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Dimension when(Dimension dimension, const std::string& parent, std::vector<Value> values) {
  dimension.when.push_back({parent, std::move(values), {}, {}, ""});
  return dimension;
}

Dimension when_in(Dimension dimension, const std::string& parent, std::optional<double> min,
                  std::optional<double> max) {
  dimension.when.push_back({parent, {}, min, max, "line 7"});
  return dimension;
}

Dimension stepped(Dimension dimension, double step) {
  dimension.step = step;
  return dimension;
}

// nesterov depends on momentum, which depends on the optimizer; beta on two things. Parents come last.
Space nested() {
  return Space({when_in(Dimension::choice("nesterov", {true, false}), "momentum", 0.5, {}),
                when_in(when(Dimension::real("beta", 0, 1), "optimizer", {"adam", "lion"}), "layers", 2, 3),
                when(Dimension::real("momentum", 0, 1), "optimizer", {"sgd"}),
                Dimension::choice("optimizer", {"sgd", "adam", "lion"}), Dimension::integer("layers", 1, 4)});
}

// Which of nested()'s parameters there are.
std::vector<std::string> there(const Space& space, const std::string& optimizer, std::int64_t layers, double momentum) {
  Point point(space.size(), 0.5);
  point[2] = momentum;
  point[3] = space[3].position_of(optimizer);
  point[4] = space[4].position_of(layers);
  std::vector<std::string> names;
  for (const Parameter& parameter : space.parameters(space.snap(point))) names.push_back(parameter.name);
  return names;
}

TEST(Space, HasParametersWhereAllTheirConditionsHold) {
  const Space space = nested();
  EXPECT_THAT(there(space, "sgd", 2, 0.7), ElementsAre("nesterov", "momentum", "optimizer", "layers"));
  EXPECT_THAT(there(space, "sgd", 2, 0.5), ElementsAre("nesterov", "momentum", "optimizer", "layers"));
  EXPECT_THAT(there(space, "sgd", 2, 0.4), ElementsAre("momentum", "optimizer", "layers"));
  EXPECT_THAT(there(space, "adam", 2, 0.7), ElementsAre("beta", "optimizer", "layers"));
  EXPECT_THAT(there(space, "lion", 3, 0.7), ElementsAre("beta", "optimizer", "layers"));
  EXPECT_THAT(there(space, "lion", 4, 0.7), ElementsAre("optimizer", "layers"));
  EXPECT_THAT(there(space, "lion", 1, 0.7), ElementsAre("optimizer", "layers"));
}

TEST(Space, OrdersParentsBeforeWhatDependsOnThem) {
  const Space space = nested();
  EXPECT_TRUE(space.has_conditions());
  EXPECT_FALSE(Space({Dimension::real("x", 0, 1)}).has_conditions());
  std::set<std::size_t> seen;
  for (const std::size_t i : space.order()) {
    for (const Space::Gate& gate : space.gates(i)) EXPECT_TRUE(seen.contains(gate.parent)) << space[i].name;
    seen.insert(i);
  }
  EXPECT_EQ(seen.size(), space.size());
}

TEST(Space, PutsWhatBecomesActiveInTheMiddleOfItsRange) {
  const Space space = nested();
  Point point(space.size(), kInactive);
  point = space.snap(point);
  EXPECT_EQ(space.parameters(point)[0].name, "beta");  // the middle optimizer is adam, the middle number of layers 3
  EXPECT_EQ(point[1], 0.5);
  EXPECT_TRUE(std::isnan(point[2]));
}

TEST(Space, ComparesStepsAsTheyAreMeant) {
  const Space space({stepped(Dimension::real("dropout", 0, 0.5), 0.1),
                     when(Dimension::real("x", 0, 1), "dropout", {0.1 + 0.2, std::int64_t{0}})});
  EXPECT_EQ(space.parameters(space.point({{"dropout", 0.3}, {"x", 0.5}})).size(), 2);
  EXPECT_EQ(space.parameters(space.point({{"dropout", 0.0}, {"x", 0.5}})).size(), 2);
  EXPECT_EQ(space.parameters(space.point({{"dropout", 0.2}})).size(), 1);
}

void expect_refused(std::vector<Dimension> dimensions, const std::vector<std::string>& constraints,
                    const std::string& message) {
  try {
    std::vector<Constraint> parsed;
    for (const std::string& text : constraints) parsed.push_back(Constraint::parse(text));
    const Space space(std::move(dimensions), std::move(parsed));
    ADD_FAILURE() << "was taken, instead of: " << message;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr(message));
  }
}

TEST(Space, RefusesWhatItCannotBe) {
  const Dimension x = Dimension::real("x", 0, 1), width = Dimension::integer("width", 1, 8);
  expect_refused({}, {}, "there is no parameter to search over");
  expect_refused({x, width, x}, {}, "parameter x is given twice");
  expect_refused({Dimension::real("x", 1, 0)}, {}, "parameter x has min 1 above max 0");
  expect_refused({when(x, "widh", {1}), width}, {}, "depends on widh, which is no parameter; did you mean width?");
  expect_refused({width}, {"widh <= 4"}, "names widh, which is no parameter; did you mean width?");
}

TEST(Space, RefusesConditionsThatCannotHold) {
  const Dimension x = Dimension::real("x", 0, 1), width = stepped(Dimension::integer("width", 8, 32), 8);
  const Dimension optimizer = Dimension::choice("optimizer", {"sgd", "adam"});
  const Dimension heads = Dimension::choice("heads", {1, 4, 16});
  expect_refused({when(x, "width", {9}), width}, {}, "takes steps of 8 from 8 on, got 9");
  expect_refused({when(x, "width", {16, 64}), width}, {}, "takes an integer in [8, 32], got 64");
  expect_refused({when(x, "optimizer", {"adm"}), optimizer}, {}, "takes one of sgd, adam, got adm");
  expect_refused({when(x, "y", {0.5}), Dimension::real("y", 0, 1)}, {}, "its condition takes min and max");
  expect_refused({when(x, "width", {}), width}, {}, "its condition on width names no value");
  const std::string never = "parameter x would never be there: ";
  expect_refused({when_in(x, "width", 33, {}), width}, {}, never + "width takes [8, 32] in steps of 8, nothing in [33");
  expect_refused({when_in(x, "width", {}, 7), width}, {}, "nothing in [-inf, 7] (line 7)");
  expect_refused({when_in(x, "width", 9, 15), width}, {}, "nothing in [9, 15]");
  expect_refused({when_in(x, "width", 16, 8), width}, {}, "nothing in [16, 8]");
  expect_refused({when_in(x, "width", NAN, {}), width}, {}, "nothing in [nan, inf]");
  expect_refused({when_in(x, "heads", 5, 15), heads}, {}, never + "heads takes 1, 4, 16, nothing in [5, 15]");
  expect_refused({when_in(x, "optimizer", 0, {}), optimizer}, {}, never + "optimizer takes sgd, adam, nothing in [0");
  expect_refused({when_in(x, "y", 2, {}), Dimension::real("y", 0, 1)}, {}, "y takes [0, 1], nothing in [2, inf]");
  for (const auto& [min, max] : {std::pair(8, 8), {32, 40}, {0, 8}, {9, 16}, {31, 32}})
    EXPECT_NO_THROW(Space({when_in(x, "width", min, max), width})) << min;
  EXPECT_NO_THROW(Space({when_in(x, "heads", 5, 16), heads}));
}

TEST(Space, NamesTheCircleOfConditionsAndNothingElse) {
  const auto on = [](const char* name, const char* parent) {
    return when(Dimension::choice(name, {1, 2}), parent, {1});
  };
  expect_refused({on("a", "a")}, {}, "conditions go in a circle: a");
  expect_refused({on("tail", "b"), Dimension::choice("root", {1, 2}), on("a", "b"), on("b", "c"), on("c", "a")}, {},
                 "conditions go in a circle: b, c, a");
}

TEST(Space, FindsThePointOfParameters) {
  const Space space = nested();
  const Point point = space.point({{"layers", std::int64_t{2}}, {"optimizer", "adam"}, {"beta", 0.25}});
  EXPECT_TRUE(std::isnan(point[0]) && std::isnan(point[2]));
  EXPECT_EQ(point[1], 0.25);
  EXPECT_EQ(space[3].value_at(point[3]), Value("adam"));
  const Space fixed({Dimension::integer("layers", 3, 3), Dimension::real("x", 0, 1)});
  EXPECT_EQ(fixed.parameters(fixed.point({{"x", 0.5}})).size(), 2);  // what has one value needs not be said
}

void expect_no_point(const Space& space, const Parameters& parameters, const std::string& message) {
  try {
    space.point(parameters);
    ADD_FAILURE() << "was taken, instead of: " << message;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBadInput);
    EXPECT_THAT(error.what(), HasSubstr(message));
  }
}

TEST(Space, RefusesParametersThatAreNoPoint) {
  const Space space = nested();
  const Parameter layers{"layers", std::int64_t{2}}, sgd{"optimizer", "sgd"}, adam{"optimizer", "adam"};
  expect_no_point(space, {layers, adam, {"bta", 0.1}}, "unknown parameter bta; did you mean beta?");
  expect_no_point(space, {layers, adam, {"beta", 0.1}, {"beta", 0.1}}, "parameter beta is given twice");
  expect_no_point(space, {layers, adam}, "parameter beta is missing");
  expect_no_point(space, {layers, adam, {"beta", 1.5}}, "parameter beta takes a number in [0, 1], got 1.5");
  expect_no_point(space, {layers, adam, {"beta", 0.1}, {"momentum", 0.9}},
                  "parameter momentum is not there where optimizer is adam");
  expect_no_point(space, {layers, adam, {"beta", 0.1}, {"nesterov", true}},
                  "parameter nesterov is not there where momentum is not");
  expect_no_point(space, {{"layers", std::int64_t{4}}, adam, {"beta", 0.1}},
                  "parameter beta is not there where layers is 4");
  const Space bound({Dimension::integer("a", 1, 4), Dimension::integer("b", 1, 4)}, {Constraint::parse("a <= b")});
  expect_no_point(bound, {{"a", std::int64_t{3}}, {"b", std::int64_t{2}}}, "breaks the constraint 'a <= b'");
}

TEST(Space, DrawsUntilConstraintsAreObeyed) {
  const RandomStream random(1, "space");
  const auto uniform = [&](std::uint64_t attempt, std::size_t i) { return random.uniform(attempt, i); };
  const Space space({Dimension::integer("a", 1, 100), Dimension::integer("b", 1, 100)},
                    {Constraint::parse("a + b >= 195")});
  EXPECT_TRUE(space.is_feasible(space.draw_feasible(uniform)));
  const Space empty({Dimension::integer("a", 1, 2), Dimension::integer("b", 1, 2)},
                    {Constraint::parse("a + b >= 5"), Constraint::parse("a > 0")});
  try {
    empty.draw_feasible(uniform);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("'a + b >= 5' and 'a > 0'"), HasSubstr("100000")));
  }
}

TEST(Space, DrawsEachDimensionFromItsOwnNumber) {
  Dimension weighted = Dimension::choice("c", {"a", "b"});
  weighted.weights = {3, 1};
  const Space space({Dimension::real("x", 0, 10), weighted});
  EXPECT_EQ(space.parameters(space.draw({0.25, 0.7}))[0].value, Value(2.5));
  EXPECT_EQ(space.parameters(space.draw({0.25, 0.7}))[1].value, Value("a"));
  EXPECT_EQ(space.parameters(space.draw({0.25, 0.8}))[1].value, Value("b"));
}

TEST(Space, SaysNothingOfConstraintsOnWhatIsInactive) {
  const Space space(
      {Dimension::choice("optimizer", {"sgd", "adam"}), when(Dimension::integer("n", 1, 9), "optimizer", {"sgd"})},
      {Constraint::parse("n <= 4")});
  EXPECT_FALSE(space.is_feasible(space.snap({0.25, 0.9})));
  EXPECT_TRUE(space.is_feasible(space.snap({0.25, 0.1})));
  EXPECT_TRUE(space.is_feasible(space.snap({0.75, 0.9})));
}

TEST(Space, VisitsValuesAsWrittenTheLastTurningFastest) {
  const Space space({Dimension::choice("width", {64, 8}), Dimension::choice("optimizer", {"sgd", "adam"})});
  std::vector<std::string> seen;
  const auto note = [&](const Point& point) {
    const Parameters p = space.parameters(point);
    seen.push_back(value_text(p[0].value) + " " + value_text(p[1].value));
    return seen.size() < 3;
  };
  space.for_each_point(note);
  EXPECT_THAT(seen, ElementsAre("64 sgd", "64 adam", "8 sgd"));
}

TEST(Space, HasNoEndWhereAnActiveDimensionHasNone) {
  EXPECT_EQ(nested().distinct(), std::nullopt);
  EXPECT_EQ(Space({Dimension::integer("a", 1, 1e12), Dimension::integer("b", 1, 1e12)}).distinct(), std::nullopt);
  EXPECT_EQ(Space({Dimension::integer("a", 1, 1e6), Dimension::integer("b", 1, 1e6)}).distinct(), 1000000000000);
  try {
    nested().for_each_point([](const Point&) { return true; });
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("parameter beta has no end of values"));
  }
}

// Spaces of few points: numbers, choices, conditions by value and by range on what came before, in any order.
class RandomSpace {
 public:
  RandomSpace(std::uint64_t seed, bool finite) : random_(seed, "random space") {
    const std::size_t count = 2 + below(4);
    for (std::size_t i = 0; i < count; ++i) dimensions_.push_back(dimension("p" + std::to_string(i), finite));
    for (std::size_t i = 1; i < count; ++i)
      for (std::size_t gates = below(3); gates > 0; --gates) dimensions_[i].when.push_back(condition(below(i)));
    for (std::size_t i = count; i > 1; --i) std::swap(dimensions_[i - 1], dimensions_[below(i)]);
  }

  Space space() const { return Space(dimensions_, {Constraint::parse("p0 + p1 <= 3.5")}); }

 private:
  std::size_t below(std::size_t count) { return random_.bits(next_++) % count; }

  Dimension dimension(const std::string& name, bool finite) {
    const auto size = static_cast<double>(below(3));
    switch (below(finite ? 4 : 6)) {
      case 0:
        return Dimension::integer(name, 1, 1 + size);
      case 1:
        return stepped(Dimension::real(name, 0, 0.3 * size), 0.3);
      case 2:
        return Dimension::choice(name, {"a", "b", true});
      case 3:
        return Dimension::choice(name, {4, 1, 2.5});
      case 4:
        return Dimension::real(name, -1, 1);
      default:
        return Dimension::log_real(name, 0.01, 10);
    }
  }

  Condition condition(std::size_t parent) {
    Dimension of = dimensions_[parent];
    of.prepare();
    const auto some_value = [&] { return of.value_at(of.snap(random_.uniform(next_++))); };
    Condition condition{of.name, {}, {}, {}, ""};
    if (of.is_discrete() && below(2) == 0) {
      condition.values = {some_value(), some_value()};
    } else if (const auto number = value_number(some_value())) {
      (below(2) == 0 ? condition.min : condition.max) = *number;
    } else {
      condition.values = {of.choices[0]};
    }
    return condition;
  }

  RandomStream random_;
  std::uint64_t next_ = 0;
  std::vector<Dimension> dimensions_;
};

// By the definition: going up from a parameter, every condition holds for the values at hand.
bool is_there(const Space& space, const std::vector<Value>& values, std::size_t i) {
  for (const Condition& condition : space[i].when) {
    const std::size_t parent = *space.find(condition.parent);
    const auto number = value_number(values[parent]);
    bool holds = false;
    for (const Value& wanted : condition.values) holds |= same_value(wanted, values[parent]);
    if (condition.values.empty())
      holds = number && *number >= condition.min.value_or(-1e9) && *number <= condition.max.value_or(1e9);
    if (!holds || !is_there(space, values, parent)) return false;
  }
  return true;
}

bool obeys_constraint(const Space& space, const std::vector<Value>& values) {
  double sum = 0;
  for (const char* name : {"p0", "p1"}) {
    const std::size_t i = *space.find(name);
    if (!is_there(space, values, i)) return true;
    sum += value_number(values[i]).value_or(NAN);
  }
  return sum <= 3.5;
}

// Keys of all points, by trying each value of each parameter with each of all others.
void collect_keys(const Space& space, std::vector<Value>& values, std::set<std::string>& all,
                  std::set<std::string>& feasible) {
  if (values.size() < space.size()) {
    const Dimension& next = space[values.size()];
    for (std::int64_t level = 0; level < next.levels(); ++level) {
      values.push_back(next.value_at(next.position_of_level(level)));
      collect_keys(space, values, all, feasible);
      values.pop_back();
    }
    return;
  }
  Point point(space.size(), kInactive);
  for (std::size_t i = 0; i < space.size(); ++i)
    if (is_there(space, values, i)) point[i] = space[i].position_of(values[i]);
  all.insert(space.key(point));
  if (obeys_constraint(space, values)) feasible.insert(space.key(point));
}

TEST(Space, CountsAndVisitsEachPointOnce) {
  std::size_t conditional = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const Space space = RandomSpace(seed, /*finite=*/true).space();
    conditional += space.has_conditions();
    std::set<std::string> all, feasible, visited;
    std::vector<Value> values;
    collect_keys(space, values, all, feasible);
    EXPECT_EQ(space.distinct(), all.size()) << seed;
    space.for_each_point([&](const Point& point) {
      EXPECT_TRUE(visited.insert(space.key(point)).second) << seed;
      return true;
    });
    ASSERT_EQ(visited, feasible) << seed;
  }
  EXPECT_GT(conditional, 100);
}

TEST(Space, KnowsThePointOfItsParameters) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const Space space = RandomSpace(seed, /*finite=*/false).space();
    const RandomStream random(seed, "points");
    for (std::uint64_t k = 0; k < 20; ++k) {
      std::vector<double> uniforms;
      for (std::size_t i = 0; i < space.size(); ++i) uniforms.push_back(random.uniform(k, i));
      const Point point = space.draw(uniforms);
      ASSERT_EQ(space.key(space.snap(point)), space.key(point)) << seed;
      if (!space.is_feasible(point)) continue;
      const Point back = space.point(space.parameters(point));
      for (std::size_t i = 0; i < space.size(); ++i) {
        ASSERT_EQ(std::isnan(back[i]), std::isnan(point[i])) << seed;
        if (std::isnan(point[i])) continue;
        ASSERT_NEAR(back[i], point[i], space[i].is_discrete() ? 0 : 1e-12) << seed;
      }
    }
  }
}

TEST(Space, TellsPointsApartByTheirKeys) {
  const Space space({Dimension::real("x", 0, 1), Dimension::real("y", 0, 1)});
  EXPECT_EQ(space.key({0.25, kInactive}), space.key({0.25, -kInactive}));
  EXPECT_EQ(space.key({0.0, 0.5}), space.key({-0.0, 0.5}));
  EXPECT_NE(space.key({0.25, kInactive}), space.key({0.25, 0}));
  EXPECT_NE(space.key({0.25, 0.5}), space.key({0.5, 0.25}));
  EXPECT_NE(space.key({0.25, 0.5}), space.key({0.25, 0.5 + 0x1p-53}));
}

}  // namespace
}  // namespace trireme::tune
