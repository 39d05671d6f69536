#include "tune/sweep/yaml_node.h"

#include <gmock/gmock.h>

namespace trireme::tune {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

YamlNode node(const std::string& yaml) { return YamlNode::parse(yaml, "sweep.yaml"); }
YamlNode value_of(const std::string& yaml) { return *node("key: " + yaml).map().find("key"); }

template <class Action>
std::string refusal(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    return error.what();
  }
  return "accepted";
}

TEST(PlainValue, IsWhatItLooksLike) {
  EXPECT_EQ(plain_value("1"), Value(std::int64_t{1}));
  EXPECT_EQ(plain_value("-12"), Value(std::int64_t{-12}));
  EXPECT_EQ(plain_value("+3"), Value(std::int64_t{3}));
  EXPECT_EQ(plain_value("0"), Value(std::int64_t{0}));
  EXPECT_EQ(plain_value("1.0"), Value(1.0));
  EXPECT_EQ(plain_value("1e-3"), Value(0.001));
  EXPECT_EQ(plain_value("-.5"), Value(-0.5));
  EXPECT_EQ(plain_value("true"), Value(true));
  EXPECT_EQ(plain_value("False"), Value(false));
  EXPECT_EQ(plain_value("99999999999999999999"), Value(1e20));
}

TEST(PlainValue, AllElseIsText) {
  for (const char* text :
       {"", "adam", "no", "1x", "0x10", "007", "-01", "inf", "nan", "1_000", "+-1", ".", "-", "e5", "1 2", "truE"})
    EXPECT_EQ(plain_value(text), Value(std::string(text))) << text;
}

TEST(YamlNode, QuotedValuesAreText) {
  EXPECT_EQ(value_of("'1'").value(), Value(std::string("1")));
  EXPECT_EQ(value_of("\"true\"").value(), Value(std::string("true")));
  EXPECT_EQ(value_of("!!str 1").value(), Value(std::string("1")));
  EXPECT_EQ(value_of("1").value(), Value(std::int64_t{1}));
}

TEST(YamlNode, ReadsScalarsAsTheKeyNeedsThem) {
  EXPECT_EQ(value_of("1e-3").number(), 0.001);
  EXPECT_EQ(value_of("'1e-3'").number(), 0.001);
  EXPECT_EQ(value_of("no").text(), "no");
  EXPECT_EQ(value_of("007").integer(0, 10), 7);
  EXPECT_TRUE(value_of("True").flag());
  EXPECT_EQ(value_of("90").seconds(), 90);
  EXPECT_EQ(value_of("1.5").seconds(), 1.5);
  EXPECT_EQ(value_of("1h30m").seconds(), 5400);
  EXPECT_TRUE(value_of("10").is_whole());
  EXPECT_FALSE(value_of("10.0").is_whole());
  EXPECT_FALSE(value_of("1e1").is_whole());
}

TEST(YamlNode, SaysWhatIsNeededWhatIsThereAndWhere) {
  const std::string place = " (sweep.yaml line 1 column 1)";
  EXPECT_EQ(refusal([] { value_of("abc").number(); }), "key must be a number, got abc" + place);
  EXPECT_EQ(refusal([] { value_of(".inf").number(); }), "key must be a number, got .inf" + place);
  EXPECT_EQ(refusal([] { value_of("1e999").number(); }), "key must be a number, got 1e999" + place);
  EXPECT_EQ(refusal([] { value_of("[1]").number(); }), "key must be a number, got a list" + place);
  EXPECT_EQ(refusal([] { value_of("11").integer(0, 10); }), "key must be an integer from 0 to 10, got 11" + place);
  EXPECT_EQ(refusal([] { value_of("1.0").integer(0, 10); }), "key must be an integer from 0 to 10, got 1.0" + place);
  EXPECT_EQ(refusal([] { value_of("yes").flag(); }), "key must be true or false, got yes" + place);
  EXPECT_EQ(refusal([] { value_of("{a: 1}").text(); }), "key must be a text, got a mapping" + place);
  EXPECT_EQ(refusal([] { value_of("").value(); }), "key must be a number, a text, true or false, got nothing" + place);
  EXPECT_EQ(refusal([] { value_of("1").items(); }), "key must be a list, got 1" + place);
  EXPECT_EQ(refusal([] { value_of("[]").map(); }), "key must be a mapping of keys, got a list" + place);
  EXPECT_THAT(refusal([] { value_of("\"a\\0b\"").text(); }), HasSubstr("the character 0"));
  for (const char* text : {"0", "-1", "1m1h", "soon", ".inf", "[1]"})
    EXPECT_THAT(refusal([&] { value_of(text).seconds(); }), StartsWith("key must be a duration above 0")) << text;
  EXPECT_EQ(refusal([] { value_of("randm").one_of({"grid", "random"}); }),
            "key must be one of grid, random, got randm; did you mean random?" + place);
}

TEST(YamlNode, KnowsItsPlace) {
  const YamlMap map = node("a:\n  - 1\n  - b:\n      c: 2\n").map();
  const YamlNode item = map.find("a")->items()[1];
  EXPECT_EQ(item.where(), "sweep.yaml line 3 column 5");
  const YamlNode deep = *item.map().find("b")->map().find("c");
  EXPECT_EQ(deep.path(), "a.b.c");
  EXPECT_EQ(deep.where(), "sweep.yaml line 4 column 7");
}

TEST(YamlNode, RefusesUnusualKeys) {
  EXPECT_EQ(refusal([] { node("a: 1\nb: 2\na: 3\n").map(); }), "a is given twice (sweep.yaml line 3 column 1)");
  EXPECT_THAT(refusal([] { node("[a]: 1\n").map(); }), HasSubstr("a key must be a plain word"));
  const YamlMap map = node("a:\n  widthh: 1\n").map().find("a")->map();
  EXPECT_EQ(refusal([&] { map.expect_only({"height", "width"}); }),
            "unknown key a.widthh; did you mean width? (sweep.yaml line 2 column 3)");
  EXPECT_EQ(refusal([&] { map.expect_only({"min", "max"}); }),
            "unknown key a.widthh; there are min, max (sweep.yaml line 2 column 3)");
}

TEST(YamlNode, RefusesWhatIsNotOneDocument) {
  EXPECT_THAT(refusal([] { node("a: [1\n"); }), StartsWith("not YAML: "));
  EXPECT_THAT(refusal([] { node("a: 1\n---\nb: 2\n"); }), HasSubstr("a second YAML document"));
  EXPECT_EQ(refusal([] { node("").map(); }),
            "the file must be a mapping of keys, got nothing (sweep.yaml line 1 column 1)");
  EXPECT_THAT(refusal([] { node(std::string(100000, '[')); }), StartsWith("not YAML: "));
}

TEST(YamlNode, CountsWhatAliasesMultiply) {
  std::string yaml = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\nb: [";
  for (int i = 0; i < 6000; ++i) yaml += "*a, ";
  const YamlNode list = *node(yaml + "]").map().find("b");
  EXPECT_THAT(refusal([&] {
                for (const YamlNode& item : list.items()) item.items();
              }),
              HasSubstr("the file is too large"));
}

}  // namespace
}  // namespace trireme::tune
