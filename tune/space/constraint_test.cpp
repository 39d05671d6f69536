#include "tune/space/constraint.h"

#include <gmock/gmock.h>

#include <map>

#include "core/base/error.h"

namespace trireme::tune {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Values = std::map<std::string, Value>;

bool holds(const std::string& text, const Values& values = {}) {
  return Constraint::parse(text).holds([&](const std::string& name) -> std::optional<Value> {
    const auto found = values.find(name);
    if (found == values.end()) return {};
    return found->second;
  });
}

std::string refusal(const std::string& text) {
  try {
    Constraint::parse(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    return error.what();
  }
  return "accepted";
}

const Values kModel{{"width", std::int64_t{512}},
                    {"model.layers", std::int64_t{6}},
                    {"learning-rate", 0.01},
                    {"schedule", std::string("wsd")},
                    {"tied", true}};

TEST(Constraint, ComparesNumbers) {
  EXPECT_TRUE(holds("1 < 2"));
  EXPECT_FALSE(holds("2 < 2"));
  EXPECT_TRUE(holds("2 <= 2"));
  EXPECT_TRUE(holds("3 > 2.5"));
  EXPECT_TRUE(holds("3 >= 3"));
  EXPECT_TRUE(holds("3 == 3.0"));
  EXPECT_FALSE(holds("3 != 3"));
  EXPECT_TRUE(holds(".5 == 5e-1"));
}

TEST(Constraint, BindsAsArithmeticDoes) {
  EXPECT_TRUE(holds("2 + 3 * 4 == 14"));
  EXPECT_TRUE(holds("(2 + 3) * 4 == 20"));
  EXPECT_TRUE(holds("10 - 4 - 3 == 3"));
  EXPECT_TRUE(holds("24 / 4 / 2 == 3"));
  EXPECT_TRUE(holds("2 ** 3 ** 2 == 512"));
  EXPECT_TRUE(holds("-2 ** 2 == -4"));
  EXPECT_TRUE(holds("2 ** -1 == 0.5"));
  EXPECT_TRUE(holds("2*3**2 == 18"));
  EXPECT_TRUE(holds("7 % 4 * 2 == 6"));
  EXPECT_TRUE(holds("- -3 == +3"));
}

TEST(Constraint, ARemainderHasTheSignOfTheDivisor) {
  EXPECT_TRUE(holds("-7 % 4 == 1"));
  EXPECT_TRUE(holds("7 % -4 == -1"));
  EXPECT_TRUE(holds("-8 % 4 == 0"));
  EXPECT_TRUE(holds("7.5 % 2 == 1.5"));
}

TEST(Constraint, ComputesFunctions) {
  EXPECT_TRUE(holds("min(3, 1, 2) == 1"));
  EXPECT_TRUE(holds("max(3, 1 + 4) == 5"));
  EXPECT_TRUE(holds("abs(-2) == 2"));
  EXPECT_TRUE(holds("log(exp(2)) == 2"));
  EXPECT_TRUE(holds("log2(8) == 3"));
  EXPECT_TRUE(holds("sqrt(16) == 4"));
  EXPECT_TRUE(holds("floor(-1.5) == -2 and ceil(-1.5) == -1"));
  EXPECT_TRUE(holds("round(2.5) == 3"));
}

TEST(Constraint, JoinsTruths) {
  EXPECT_TRUE(holds("1 < 2 or 1 > 2 and 1 > 3"));
  EXPECT_FALSE(holds("(1 < 2 or 1 > 2) and 1 > 3"));
  EXPECT_TRUE(holds("not 1 > 2"));
  EXPECT_TRUE(holds("not not 1 < 2"));
  EXPECT_TRUE(holds("not 1 > 2 and 1 < 2"));
}

TEST(Constraint, ChainsComparisons) {
  EXPECT_TRUE(holds("1 <= 2 < 3"));
  EXPECT_FALSE(holds("1 <= 3 < 3"));
  EXPECT_FALSE(holds("3 < 2 < 5"));
}

TEST(Constraint, ReadsNamesWithDotsAndDashes) {
  EXPECT_TRUE(holds("width * model.layers <= 4096", kModel));
  EXPECT_FALSE(holds("width * model.layers < 3072", kModel));
  EXPECT_TRUE(holds("learning-rate == 0.01", kModel));
  EXPECT_TRUE(holds("width - model.layers == 506", kModel));
  EXPECT_TRUE(holds("width -6 == 506", kModel));
  EXPECT_THAT(Constraint::parse("b > a.c and a.c > b-2 or b > 1").names(), ElementsAre("b", "a.c", "b-2"));
}

TEST(Constraint, FunctionNamesAreParametersWithoutParentheses) {
  EXPECT_TRUE(holds("log + max(1, min) == 5", {{"log", 2.0}, {"min", 3.0}}));
}

TEST(Constraint, ComparesTextAndTruthForEquality) {
  EXPECT_TRUE(holds("schedule == 'wsd'", kModel));
  EXPECT_FALSE(holds("schedule == \"cosine\"", kModel));
  EXPECT_TRUE(holds("schedule != 'cosine'", kModel));
  EXPECT_TRUE(holds("tied == true and tied", kModel));
  EXPECT_FALSE(holds("not tied or tied == false", kModel));
  EXPECT_TRUE(holds("(width > 3) == tied", kModel));
  EXPECT_FALSE(holds("width == '512'", kModel));
}

TEST(Constraint, ComparesNothingWithTextThatIsNoNumber) {
  EXPECT_FALSE(holds("schedule > 3", kModel));
  EXPECT_FALSE(holds("schedule <= 3", kModel));
  EXPECT_FALSE(holds("schedule * 2 == 3", kModel));
}

TEST(Constraint, WhatIsNotANumberComparesToNothing) {
  for (const char* sign : {"<", "<=", ">", ">=", "==", "!="}) {
    EXPECT_FALSE(holds(std::string("1 / 0 ") + sign + " 3")) << sign;
    EXPECT_FALSE(holds(std::string("1 % 0 ") + sign + " 3")) << sign;
    EXPECT_FALSE(holds(std::string("3 ") + sign + " min(1, sqrt(-1))")) << sign;
    EXPECT_FALSE(holds(std::string("3 ") + sign + " max(sqrt(-1), 1)")) << sign;
  }
}

TEST(Constraint, SaysNothingWhereAParameterIsInactive) {
  EXPECT_TRUE(holds("width > 1000 and decay < 1", kModel));
  EXPECT_FALSE(holds("width > 1000", kModel));
}

TEST(Constraint, KeepsItsText) { EXPECT_EQ(Constraint::parse(" a  < 3").text(), " a  < 3"); }

TEST(Constraint, NamesWhatIsWrongAndWhere) {
  EXPECT_EQ(refusal("width * * 3 < 2"),
            "constraint \"width * * 3 < 2\" column 9: expected a number, a parameter, 'text' or (, got * 3 < 2");
  EXPECT_THAT(refusal(""), HasSubstr("column 1: expected a number, a parameter, 'text' or (, got the end"));
  EXPECT_THAT(refusal("a < "), HasSubstr("column 5: "));
  EXPECT_THAT(refusal("(a < 3"), HasSubstr("column 7: expected an operator or ), got the end"));
  EXPECT_THAT(refusal("a < 3)"), HasSubstr("column 6: expected an operator, got )"));
  EXPECT_THAT(refusal("a < 3 b"), HasSubstr("column 7: expected an operator, got b"));
  EXPECT_THAT(refusal("a < 3x"), HasSubstr("column 6: expected an operator, got x"));
  EXPECT_THAT(refusal("a == 'b"), HasSubstr("column 6: a text is not closed"));
  EXPECT_THAT(refusal("a < 1e999"), HasSubstr("column 5: a number must lie"));
  EXPECT_THAT(refusal("a < and"), HasSubstr("column 5: "));
  EXPECT_THAT(refusal("log10(a) < 3"), AllOf(HasSubstr("column 1: "), HasSubstr("log10; there are min, max, abs")));
  EXPECT_THAT(refusal("min(a) < 3"), HasSubstr("min takes two numbers or more, got 1"));
  EXPECT_THAT(refusal("log(a, 2) < 3"), HasSubstr("log takes one number, got 2"));
}

TEST(Constraint, RefusesWhatIsNoComparison) {
  for (const char* text : {"width * 3", "width", "3", "'a'", "true", "-width"})
    EXPECT_THAT(refusal(text), HasSubstr("is no comparison")) << text;
}

TEST(Constraint, RefusesToComputeWithTextAndTruth) {
  for (const char* text :
       {"'a' + 1 < 2", "1 * true < 2", "-'a' < 2", "log('a') < 2", "(a < 2) + 1 < 3", "2 ** 'a' < 1"})
    EXPECT_THAT(refusal(text), HasSubstr("no number to compute with")) << text;
  EXPECT_THAT(refusal("a < 'b'"), HasSubstr("only be compared by == and !="));
  EXPECT_THAT(refusal("1 == 'b'"), HasSubstr("two kinds"));
  EXPECT_THAT(refusal("true != 'b'"), HasSubstr("two kinds"));
  EXPECT_THAT(refusal("a < 3 and 4"), HasSubstr("stand between comparisons"));
  EXPECT_THAT(refusal("not 4"), HasSubstr("stand between comparisons"));
}

TEST(Constraint, SaysOurWordForThatOfOtherLanguages) {
  EXPECT_THAT(refusal("a < 3 && b < 3"), HasSubstr("got &&; write and"));
  EXPECT_THAT(refusal("a < 3 || b < 3"), HasSubstr("got ||; write or"));
  EXPECT_THAT(refusal("!a"), HasSubstr("got !; write not"));
  EXPECT_THAT(refusal("a = 3"), HasSubstr("got =; write =="));
  EXPECT_THAT(refusal("a ^ 2 < 3"), HasSubstr("got ^; write **"));
}

TEST(Constraint, RefusesEndlessTextBeforeTheStackDoes) {
  const auto repeated = [](const std::string& part, int times) {
    std::string text;
    for (int i = 0; i < times; ++i) text += part;
    return text;
  };
  for (const char* part : {"(", "-", "+", "not ", "2**", "abs("})
    EXPECT_THAT(refusal(repeated(part, 300) + "1 < 2"), HasSubstr("nested too deep")) << part;
  EXPECT_THAT(refusal(repeated("1+", 100000) + "1 < 2"), HasSubstr("longer than 2000"));
  EXPECT_TRUE(holds(repeated("1+", 990) + "1 == 991"));
}

}  // namespace
}  // namespace trireme::tune
