#include "tune/sweep/dimensions.h"

#include <gmock/gmock.h>

#include "tune/space/space.h"

namespace trireme::tune {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;
using Kind = Dimension::Kind;
using Scale = Dimension::Scale;

std::vector<Dimension> read(const std::string& yaml) { return read_dimensions(YamlNode::parse(yaml, "sweep.yaml")); }

Dimension one(const std::string& yaml) {
  const std::vector<Dimension> dimensions = read("width: " + yaml);
  EXPECT_THAT(dimensions, SizeIs(1));
  return dimensions.at(0);
}

// As a sweep is refused: by the reader, or by the space that is made of what was read.
std::string refusal_of_file(const std::string& yaml) {
  try {
    Space{read(yaml)};
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("sweep.yaml line "));
    return error.what();
  }
  return "accepted";
}
std::string refusal(const std::string& yaml) { return refusal_of_file("width: " + yaml); }

std::vector<std::string> names(const std::string& yaml) {
  std::vector<std::string> names;
  for (const Dimension& dimension : read(yaml)) names.push_back(dimension.name);
  return names;
}

TEST(Dimensions, AConstantIsAChoiceOfOne) {
  for (const char* yaml : {"{value: 3}", "{value: 3, distribution: constant}"}) {
    EXPECT_EQ(one(yaml).kind, Kind::kChoice);
    EXPECT_THAT(one(yaml).choices, ElementsAre(Value(std::int64_t{3})));
  }
}

TEST(Dimensions, ValuesAreWhatTheyLookLike) {
  EXPECT_THAT(one("{values: [1, 2.0, true, adam, '3']}").choices,
              ElementsAre(Value(std::int64_t{1}), Value(2.0), Value(true), Value(std::string("adam")),
                          Value(std::string("3"))));
}

TEST(Dimensions, ProbabilitiesAreWeights) {
  EXPECT_THAT(one("{values: [a, b], probabilities: [0.75, 0.25]}").weights, ElementsAre(0.75, 0.25));
  EXPECT_THAT(one("{distribution: categorical_w_probabilities, values: [a, b], probabilities: [1, 3]}").weights,
              ElementsAre(1, 3));
}

TEST(Dimensions, BoundsWithoutAPointAreAnIntegerRange) {
  EXPECT_EQ(one("{min: 1, max: 8}").kind, Kind::kInteger);
  EXPECT_EQ(one("{min: -1, max: +8, step: 3}").kind, Kind::kInteger);
  EXPECT_EQ(one("{min: 1, max: 1024, log: true}").kind, Kind::kInteger);
  for (const char* yaml :
       {"{min: 1.0, max: 8}", "{min: 1, max: 8.0}", "{min: 1, max: 8e0}", "{min: 0, max: 1, q: 0.1}"})
    EXPECT_EQ(one(yaml).kind, Kind::kReal) << yaml;
}

TEST(Dimensions, ReadsBoundsStepAndScale) {
  const Dimension range = one("{min: 1e-5, max: 1e-1, log: true}");
  EXPECT_EQ(range.min, 1e-5);
  EXPECT_EQ(range.max, 0.1);
  EXPECT_EQ(range.step, 0);
  EXPECT_EQ(range.scale, Scale::kLog);
  EXPECT_EQ(one("{min: 0.0, max: 1, log: false}").scale, Scale::kUniform);
  EXPECT_EQ(one("{min: 0, max: 8, q: 2}").step, 2);
  EXPECT_EQ(one("{min: 0, max: 8, step: 2}").step, 2);
}

struct Named {
  std::string yaml;
  Kind kind;
  Scale scale;
  double step;
};
void PrintTo(const Named& named, std::ostream* out) { *out << named.yaml; }

class Distributions : public ::testing::TestWithParam<Named> {};

TEST_P(Distributions, AreThoseOfWandb) {
  const Dimension dimension = one("{distribution: " + GetParam().yaml + "}");
  EXPECT_EQ(dimension.kind, GetParam().kind);
  EXPECT_EQ(dimension.scale, GetParam().scale);
  EXPECT_EQ(dimension.step, GetParam().step);
  Space{{dimension}};
}

INSTANTIATE_TEST_SUITE_P(
    All, Distributions,
    ::testing::Values(Named{"uniform, min: 1, max: 8", Kind::kReal, Scale::kUniform, 0},
                      Named{"q_uniform, min: 1, max: 8", Kind::kInteger, Scale::kUniform, 1},
                      Named{"q_uniform, min: 0, max: 1, q: 0.25", Kind::kReal, Scale::kUniform, 0.25},
                      Named{"int_uniform, min: 1.0, max: 8.0", Kind::kInteger, Scale::kUniform, 0},
                      Named{"int_uniform, min: 0, max: 8, q: 4", Kind::kInteger, Scale::kUniform, 4},
                      Named{"log_uniform_values, min: 1, max: 8", Kind::kReal, Scale::kLog, 0},
                      Named{"q_log_uniform_values, min: 1, max: 8", Kind::kInteger, Scale::kLog, 1},
                      Named{"q_log_uniform_values, min: 0.5, max: 8, q: 0.5", Kind::kReal, Scale::kLog, 0.5},
                      Named{"normal, mu: 2, sigma: 3", Kind::kReal, Scale::kNormal, 0},
                      Named{"q_normal, mu: 2.5, sigma: 3", Kind::kInteger, Scale::kNormal, 1},
                      Named{"q_normal, mu: 2, sigma: 3, q: 0.5", Kind::kReal, Scale::kNormal, 0.5},
                      Named{"log_normal", Kind::kReal, Scale::kLogNormal, 0},
                      Named{"q_log_normal, q: 2", Kind::kInteger, Scale::kLogNormal, 2}));

TEST(Dimensions, ANormalDistributionHasMuAndSigma) {
  EXPECT_EQ(one("{mu: 2, sigma: 0.5}").scale, Scale::kNormal);
  EXPECT_EQ(one("{mu: 2, sigma: 0.5}").mean, 2);
  EXPECT_EQ(one("{mu: 2, sigma: 0.5}").deviation, 0.5);
  EXPECT_EQ(one("{distribution: normal}").mean, 0);
  EXPECT_EQ(one("{distribution: normal}").deviation, 1);
}

TEST(Dimensions, NestInAnyOfThreeWays) {
  const std::vector<std::string> expected{"optimizer.learning-rate", "optimizer.betas.first", "width"};
  EXPECT_EQ(names("{optimizer.learning-rate: {value: 1}, optimizer.betas.first: {value: 1}, width: {value: 1}}"),
            expected);
  EXPECT_EQ(names("{optimizer: {learning-rate: {value: 1}, betas: {first: {value: 1}}}, width: {value: 1}}"), expected);
  EXPECT_EQ(names("{optimizer: {parameters: {learning-rate: {value: 1}, betas: {parameters: {first: {value: 1}}}}}, "
                  "width: {value: 1}}"),
            expected);
}

TEST(Dimensions, AGroupMayBeCalledLikeAKey) {
  EXPECT_EQ(names("{clip: {min: {values: [1, 2]}, max: {value: 3}}}"),
            (std::vector<std::string>{"clip.min", "clip.max"}));
}

TEST(Dimensions, ConditionsAreAValueAListOrARange) {
  const Dimension dimension = one("{value: 1, when: {schedule.name: wsd, kind: [a, 2], depth: {min: 1, max: 3.5}}}");
  ASSERT_THAT(dimension.when, SizeIs(3));
  EXPECT_EQ(dimension.when[0].parent, "schedule.name");
  EXPECT_THAT(dimension.when[0].values, ElementsAre(Value(std::string("wsd"))));
  EXPECT_THAT(dimension.when[1].values, ElementsAre(Value(std::string("a")), Value(std::int64_t{2})));
  EXPECT_EQ(dimension.when[2].min, 1);
  EXPECT_EQ(dimension.when[2].max, 3.5);
  EXPECT_FALSE(one("{value: 1, when: {depth: {min: 1}}}").when[0].max.has_value());
}

TEST(Dimensions, RefuseUnknownKeys) {
  EXPECT_EQ(refusal("{min: 1, maxx: 8}"),
            "unknown key parameter width.maxx; did you mean max? (sweep.yaml line 1 column 17)");
  EXPECT_EQ(refusal("{value: 1, when: {depth: {mim: 1}}}"),
            "unknown key parameter width.when.depth.mim; did you mean min? (sweep.yaml line 1 column 34)");
  EXPECT_EQ(refusal("{minn: 1}"),
            "parameter width.minn must be a mapping; a constant is {value: 1}; did you mean min? (sweep.yaml line 1 "
            "column 9)");
}

TEST(Dimensions, RefuseKeysThatDoNotGoTogether) {
  EXPECT_EQ(refusal("{values: [1, 2], q: 1}"),
            "parameter width.q does not go with values, which takes values, probabilities, distribution, when "
            "(sweep.yaml line 1 column 25)");
  EXPECT_THAT(refusal("{value: 1, values: [1]}"), HasSubstr("parameter width.value does not go with values"));
  EXPECT_THAT(refusal("{value: 1, probabilities: [1]}"), HasSubstr("does not go with a constant"));
  EXPECT_THAT(refusal("{min: 1, max: 2, mu: 1}"), HasSubstr("width.mu does not go with a range"));
  EXPECT_THAT(refusal("{distribution: uniform, min: 1, max: 2, q: 1}"), HasSubstr("width.q does not go with uniform"));
  EXPECT_THAT(refusal("{distribution: uniform, min: 1, max: 2, log: true}"), HasSubstr("width.log does not go with"));
  EXPECT_THAT(refusal("{distribution: normal, min: 1, max: 2}"), HasSubstr("width.min does not go with normal"));
  EXPECT_THAT(refusal("{mu: 1, sigma: 2, log: true}"), HasSubstr("width.log does not go with normal"));
  EXPECT_THAT(refusal("{min: 1, max: 9, q: 2, step: 2}"), HasSubstr("width.step and q say the same"));
}

TEST(Dimensions, RefuseWhatIsMissing) {
  EXPECT_EQ(refusal("{min: 1}"), "parameter width has no max, which a range needs (sweep.yaml line 1 column 1)");
  EXPECT_THAT(refusal("{distribution: uniform, max: 1}"), HasSubstr("has no min, which uniform needs"));
  EXPECT_THAT(refusal("{distribution: categorical}"), HasSubstr("has no values, which a categorical"));
  EXPECT_THAT(refusal("{distribution: constant}"), HasSubstr("has no value, which a constant"));
  EXPECT_EQ(refusal("{when: {a: 1}}"),
            "parameter width.when has no value, values, or min and max beside it; a group takes no condition, each "
            "parameter its own (sweep.yaml line 1 column 9)");
  EXPECT_THAT(refusal("{when: {a: 1}, depth: {value: 3}}"), HasSubstr("a group takes no condition"));
  EXPECT_THAT(refusal("{log: true}"), HasSubstr("says no values"));
  EXPECT_THAT(refusal("{}"), HasSubstr("parameter width must hold a parameter or more"));
  EXPECT_THAT(refusal("{values: []}"), HasSubstr("width.values must hold a value or more"));
  EXPECT_THAT(refusal("{values: [1], probabilities: []}"), HasSubstr("must hold one number a value"));
  EXPECT_THAT(refusal("{value: 1, when: {a: []}}"), HasSubstr("width.when.a must hold a value or more"));
  EXPECT_THAT(refusal("{value: 1, when: {a: {}}}"), HasSubstr("must say min, max or both"));
}

TEST(Dimensions, RefuseDistributionsByName) {
  EXPECT_EQ(
      refusal("{distribution: log_uniform, min: 1, max: 2}"),
      "parameter width.distribution log_uniform has exponents for bounds in wandb; write log_uniform_values, whose "
      "min and max are the values themselves (sweep.yaml line 1 column 9)");
  EXPECT_THAT(refusal("{distribution: q_log_uniform, min: 1, max: 2}"), HasSubstr("write q_log_uniform_values"));
  for (const std::string name : {"beta", "q_beta", "inv_log_uniform", "inv_log_uniform_values"})
    EXPECT_THAT(refusal("{distribution: " + name + ", min: 1, max: 2}"),
                StartsWith("parameter width.distribution must be one of constant, categorical, uniform, q_uniform, "
                           "int_uniform, log_uniform_values, q_log_uniform_values, normal, q_normal, log_normal, "
                           "q_log_normal, got " +
                           name));
  EXPECT_THAT(refusal("{distribution: unifrm, min: 1, max: 2}"), HasSubstr("got unifrm; did you mean uniform?"));
  EXPECT_THAT(refusal("{distribution: [uniform], min: 1, max: 2}"), HasSubstr("got a list"));
}

TEST(Dimensions, RefuseValuesThatAreNone) {
  EXPECT_EQ(refusal("{min: 1, max: many}"),
            "parameter width.max must be a number, got many (sweep.yaml line 1 column 17)");
  EXPECT_THAT(refusal("{min: .nan, max: 2}"), HasSubstr("width.min must be a number, got .nan"));
  EXPECT_THAT(refusal("{min: 1, max: .inf}"), HasSubstr("width.max must be a number, got .inf"));
  EXPECT_THAT(refusal("{min: 1, max: 2, log: yes}"), HasSubstr("width.log must be true or false, got yes"));
  EXPECT_THAT(refusal("{values: [1, ~]}"),
              HasSubstr("width.values must be a number, a text, true or false, got nothing"));
  EXPECT_THAT(refusal("{values: [[1]]}"), HasSubstr("got a list"));
  EXPECT_THAT(refusal("{values: 3}"), HasSubstr("width.values must be a list, got 3"));
  EXPECT_THAT(refusal("{values: [1, 2], probabilities: [a, b]}"), HasSubstr("must be a number, got a"));
  EXPECT_THAT(refusal("{min: 0, max: 8, q: 0}"), HasSubstr("width.q must be above 0, got 0"));
  EXPECT_THAT(refusal("{min: 0, max: 8, step: -1}"), HasSubstr("width.step must be above 0, got -1"));
  EXPECT_THAT(refusal("{value: 1, when: {a: {min: 3, max: 2}}}"), HasSubstr("width.when.a has min 3 above max 2"));
  EXPECT_THAT(refusal("32"), HasSubstr("parameter width must be a mapping; a constant is {value: 32}"));
  EXPECT_THAT(refusal("[32, 64]"), HasSubstr("parameter width must be a mapping; a choice is {values: [...]}"));
}

TEST(Dimensions, RefuseWhatARangeCannotBe) {
  EXPECT_THAT(refusal("{min: 8, max: 1}"), HasSubstr("min 8 above max 1"));
  EXPECT_THAT(refusal("{min: 0, max: 1, log: true}"), HasSubstr("log scale"));
  EXPECT_THAT(refusal("{distribution: log_uniform_values, min: -1, max: 1}"), HasSubstr("log scale"));
  EXPECT_THAT(refusal("{distribution: int_uniform, min: 1.5, max: 3}"), HasSubstr("whole numbers"));
  EXPECT_THAT(refusal("{min: 0, max: 1, q: 0.3}"), HasSubstr("the nearest that can be reached are 0.9 and 1.2"));
  EXPECT_THAT(refusal("{values: [1, 2, 1.0]}"), HasSubstr("twice"));
  EXPECT_THAT(refusal("{values: [1, 2], probabilities: [1]}"), HasSubstr("2 values, but 1 probabilities"));
  EXPECT_THAT(refusal("{mu: 1, sigma: 0}"), HasSubstr("sigma above 0"));
  EXPECT_THAT(refusal("{values: [1, .inf]}"), HasSubstr("finite"));
}

TEST(Dimensions, RefuseNamesThatAFlagOrAConstraintCannotHave) {
  for (const std::string name : {"a b", "1a", "-a", "a.", "a..b", "a--b", "a=b", "'a,b'", "ü", "''"})
    EXPECT_THAT(refusal_of_file(name + ": {value: 1}"), HasSubstr("a name begins with a letter")) << name;
  EXPECT_EQ(refusal_of_file("_a1.b-2.3: {value: 1}"), "accepted");
}

TEST(Dimensions, RefuseTheSameNameTwice) {
  EXPECT_EQ(refusal_of_file("a: {value: 1}\nb: {value: 1}\na: {value: 1}\n"),
            "a is given twice (sweep.yaml line 3 column 1)");
  EXPECT_EQ(refusal_of_file("a.b: {value: 1}\na:\n  b: {value: 1}\n"),
            "parameter a.b is given twice (sweep.yaml line 3 column 3)");
}

TEST(Dimensions, RefuseConditionsThatCannotHold) {
  EXPECT_EQ(refusal_of_file("schedule: {values: [a, b]}\nwidth:\n  value: 1\n  when:\n    schedul: a\n"),
            "parameter width depends on schedul, which is no parameter; did you mean schedule? (sweep.yaml line 5 "
            "column 5)");
  EXPECT_THAT(refusal_of_file("a: {value: 1, when: {b: 1}}\nb: {value: 1, when: {a: 1}}\n"),
              HasSubstr("conditions go in a circle: a, b (sweep.yaml line 1"));
  EXPECT_THAT(refusal_of_file("a: {values: [x, y]}\nb: {value: 1, when: {a: z}}\n"), HasSubstr("(sweep.yaml line 2"));
}

TEST(Dimensions, RefuseMoreThanAFileShouldHave) {
  std::string many = "{values: [0";
  for (int i = 1; i <= 1000; ++i) many += ", " + std::to_string(i);
  EXPECT_THAT(refusal(many + "]}"), HasSubstr("1000 values at most, got 1001"));
  std::string deep = "{value: 1}";
  for (int i = 0; i < 10; ++i) deep = "{a: " + deep + "}";
  EXPECT_THAT(refusal(deep), HasSubstr("nested too deep"));
  EXPECT_THAT(refusal("&a {a: *a}"), HasSubstr("nested too deep"));
  std::string wide;
  for (int i = 0; i <= 1000; ++i) wide += "p" + std::to_string(i) + ": {value: 1}\n";
  EXPECT_THAT(refusal_of_file(wide), HasSubstr("parameter p1000 is one too many"));
}

}  // namespace
}  // namespace trireme::tune
