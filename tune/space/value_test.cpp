#include "tune/space/value.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/random.h"

namespace trireme::tune {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(Value, IsShownAsPeopleWriteIt) {
  EXPECT_EQ(value_text(true), "true");
  EXPECT_EQ(value_text(false), "false");
  EXPECT_EQ(value_text(std::int64_t{-3}), "-3");
  EXPECT_EQ(value_text(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(value_text("adam"), "adam");
  EXPECT_EQ(value_text(0.001), "0.001");
  EXPECT_EQ(value_text(1.0), "1.0");
  EXPECT_EQ(value_text(0.0), "0.0");
  EXPECT_EQ(value_text(-2.5), "-2.5");
  EXPECT_EQ(value_text(1e-5), "1e-05");
  EXPECT_EQ(value_text(1e15), "1e+15");
  EXPECT_EQ(value_text(123456789012345.0), "123456789012345.0");
}

TEST(Value, ReadsBackFromItsText) {
  const RandomStream random(1, "value");
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const double number = (random.uniform(i) - 0.5) * std::pow(10.0, 40 * random.uniform(i, 1) - 20);
    EXPECT_EQ(std::strtod(value_text(number).c_str(), nullptr), number);
  }
  for (const double number : {1e-4, 9.9999999999999e-5, 1e15, 999999999999999.9, 5e-324, 1.7976931348623157e308})
    EXPECT_EQ(std::strtod(value_text(number).c_str(), nullptr), number);
}

TEST(Value, IsANumberOnlyWhereItWasWrittenAsOne) {
  EXPECT_EQ(value_number(std::int64_t{3}), 3);
  EXPECT_EQ(value_number(0.5), 0.5);
  EXPECT_EQ(value_number("3"), std::nullopt);
  EXPECT_EQ(value_number(true), std::nullopt);
}

TEST(Value, IsTheSameByNumberButNotAcrossKinds) {
  EXPECT_TRUE(same_value(std::int64_t{1}, 1.0));
  EXPECT_TRUE(same_value("a", "a"));
  EXPECT_TRUE(same_value(true, true));
  EXPECT_FALSE(same_value(std::int64_t{1}, "1"));
  EXPECT_FALSE(same_value(std::int64_t{1}, true));
  EXPECT_FALSE(same_value("true", true));
  EXPECT_FALSE(same_value(true, false));
  EXPECT_FALSE(same_value(1.0, 1.5));
  // As doubles they would be one number.
  EXPECT_FALSE(same_value(std::int64_t{9007199254740993}, std::int64_t{9007199254740992}));
}

TEST(Value, GoesThroughJsonUnchanged) {
  for (const Value& value : {Value(true), Value(std::int64_t{-7}), Value(1.0), Value(0.1), Value("sgd"), Value("")}) {
    const auto text = value_json(value).dump();
    EXPECT_EQ(value_from_json(nlohmann::json::parse(text), "it"), value) << text;
  }
  EXPECT_EQ(value_from_json(nlohmann::json::parse("18446744073709551615"), "it"), Value(18446744073709551615.0));
}

TEST(Value, RefusesJsonThatIsNoValue) {
  for (const char* text : {"null", "[1]", "{\"a\": 1}"})
    EXPECT_THAT([&] { value_from_json(nlohmann::json::parse(text), "parameter width"); },
                ThrowsMessage<Error>(HasSubstr("parameter width must be a number, a text, true or false, got ")));
}

TEST(Parameters, AreAnObjectInJson) {
  const Parameters parameters{{"model.width", std::int64_t{128}}, {"optimizer.name", "adam"}, {"rate", 1e-3}};
  const auto json = parameters_json(parameters);
  EXPECT_EQ(json.dump(), R"({"model.width":128,"optimizer.name":"adam","rate":0.001})");
}

}  // namespace
}  // namespace trireme::tune
