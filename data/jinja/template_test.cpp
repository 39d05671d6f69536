#include "data/jinja/template.h"

#include <gmock/gmock.h>

#include <chrono>

namespace trireme::data::jinja {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using Json = nlohmann::ordered_json;

std::string render(const std::string& source, const Json& variables = Json::object(), const Budget& budget = {}) {
  return Template::parse(source, "t").render(variables, budget).text;
}

std::string refusal(const std::string& source, const Json& variables = Json::object()) {
  try {
    return "rendered: " + render(source, variables);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBadInput);
    return error.what();
  }
}

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (; times > 0; --times) all += text;
  return all;
}

TEST(Template, PrintsValuesAsPythonDoes) {
  EXPECT_EQ(render("{{ [1, 2.0, 1e16, none, true, 'it\\'s', (1,), {'a': 'é\\n'}] }}"),
            "[1, 2.0, 1e+16, None, True, \"it's\", (1,), {'a': 'é\\n'}]");
  EXPECT_EQ(render("{{ x }}{{ x.y is defined }}", {{"x", {{"b", 1}, {"a", 2.5}}}}), "{'b': 1, 'a': 2.5}False");
}

TEST(Template, DividesAsPythonDoes) {
  EXPECT_EQ(render("{{ -7 // 2 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 1 / 3 }} {{ -7.5 % 2 }}"),
            "-4 2 -2 0.3333333333333333 0.5");
}

TEST(Template, CountsCharactersAndNotBytes) {
  EXPECT_EQ(render("{{ 'né日'[1] }}{{ 'né日'|length }}{{ 'né日'[::-1] }}{{ 'né日'.find('日') }}"), "é3日én2");
}

TEST(Template, UndefinedPrintsNothingAndHasNoMembers) {
  EXPECT_EQ(render("[{{ missing }}][{% for x in missing %}{% endfor %}]"), "[][]");
  EXPECT_THAT(refusal("\n{{ missing.name }}"), HasSubstr("t: line 2: 'missing' is undefined"));
}

TEST(Template, VariablesOfABodyEndWithIt) {
  EXPECT_EQ(render("{% set n = 1 %}{% for i in [2, 3] %}{% set n = i %}{{ n }}{% endfor %}{{ n }}"), "231");
  EXPECT_EQ(render("{% set ns = namespace(n=0) %}{% for i in [2, 3] %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}"),
            "5");
}

TEST(Template, ABodyHidesWhatItSetsLater) {
  EXPECT_EQ(
      render("{% for i in [1] %}{{ x }}{% endfor %}{% set x = 2 %}{% for i in [1] %}{{ x }}{% endfor %}", {{"x", 1}}),
      "2");
}

TEST(Template, FiltersAreLazyAsGeneratorsAre) {
  EXPECT_EQ(render("{% set g = [1, 2]|map('string') %}{{ g|join }}{{ g|join }}|{{ 'yes' if [1]|reject('odd') }}"),
            "12|yes");
}

TEST(Template, LoopsAskTheirConditionWhenAnItemsTurnComes) {
  EXPECT_EQ(render("{% set ns = namespace(stop=false) %}{% for i in [1, 2, 3] if not ns.stop %}{{ i }}{% if i == 2 %}"
                   "{% set ns.stop = true %}{% endif %}{% endfor %}"),
            "12");
}

TEST(Template, MacrosTakeNamesDefaultsAndACaller) {
  EXPECT_EQ(render("{% macro m(a, b=a) %}{{ a }}{{ b }}{{ varargs }}{{ caller() if caller }}{% endmacro %}"
                   "{{ m(1) }}{{ m(1, b=2) }}{{ m(1, 2, 3) }}{% call m(4) %}body{% endcall %}"),
            "11()12()12(3,)44()body");
}

TEST(Template, WritesJsonAsPythonDoes) {
  EXPECT_EQ(render("{{ x|tojson }}", {{"x", {{"é", {1, 2.0, nullptr}}, {"t", "<\n\x01>"}}}}),
            "{\"é\": [1, 2.0, null], \"t\": \"<\\n\\u0001>\"}");
  EXPECT_EQ(render("{{ {'b': [], 'a': [1]}|tojson(indent=2, sort_keys=true) }}"),
            "{\n  \"a\": [\n    1\n  ],\n  \"b\": []\n}");
}

TEST(Template, TellsWhichBytesWereGenerated) {
  const auto made = Template::parse("é{% for m in x %}{% generation %}ü{{ m }}{% endgeneration %}-{% endfor %}", "t")
                        .render({{"x", {"a", "日"}}});
  EXPECT_EQ(made.text, "éüa-ü日-");
  EXPECT_THAT(made.generated, ElementsAre(Pair(2, 5), Pair(6, 11)));
}

TEST(Template, TellsTheTimeOfItsClock) {
  const auto noon = [] { return std::chrono::system_clock::from_time_t(1'700'000'000); };
  const auto made = Template::parse("{{ strftime_now('%Y %%') }}", "t").render(Json::object(), {}, noon);
  EXPECT_EQ(made.text, "2023 %");
}

TEST(Template, WhatItRaisesIsItsOwnWord) {
  try {
    render("{{ raise_exception('roles must take turns') }}");
    FAIL();
  } catch (const TemplateRaised& raised) {
    EXPECT_EQ(raised.message(), "roles must take turns");
    EXPECT_THAT(raised.what(), HasSubstr("t: line 1"));
  }
}

TEST(Template, NamesWhatIsNotSupportedWithItsLine) {
  EXPECT_THAT(refusal("\n\n{{ x|pprint }}"), HasSubstr("t: line 3: the filter 'pprint' is not supported"));
  EXPECT_THAT(refusal("{% include 'x' %}"), HasSubstr("the tag 'include' is not supported"));
  EXPECT_THAT(refusal("{{ x is odder }}"), HasSubstr("there is no test 'odder'"));
  EXPECT_THAT(refusal("{{ 9999999999999999999 }}"), HasSubstr("64 bits"));
  EXPECT_THAT(refusal("{{ 'a'.format(1) }}"), HasSubstr("'format' of str is not supported"));
}

TEST(Template, ListsAndDictsCannotBeChanged) {
  EXPECT_THAT(refusal("{{ [].append(1) }}"), HasSubstr("unsafe"));
  EXPECT_THAT(refusal("{{ {}.update({}) }}"), HasSubstr("unsafe"));
  EXPECT_EQ(render("{{ ''.__class__ }}{{ [].__class__ is defined }}"), "False");
}

TEST(Template, IntegersDoNotOverflow) {
  for (const char* expression :
       {"9223372036854775807 + 1", "(-9223372036854775807 - 1) // -1", "-(-9223372036854775807 - 1)",
        "3037000500 * 3037000500", "10 ** 19", "(-9223372036854775807 - 1)|abs", "'1e30'|int"})
    EXPECT_THAT(refusal("{{ " + std::string(expression) + " }}"), HasSubstr("64 bits")) << expression;
  EXPECT_EQ(render("{{ (-9223372036854775807 - 1) % -1 }}"), "0");
  EXPECT_THAT(refusal("{{ 1 % 0 }}"), HasSubstr("modulo by zero"));
}

// What follows would take all of a machine, or end the process.

struct Hostile {
  const char* name;
  std::string source;
};

std::string many_variables() {
  std::string source;
  for (int i = 0; i < 10000; ++i) source += "{%set v" + std::to_string(i) + "=1%}";
  return source + "{% for i in range(99999) %}{{ v9999 ~ v9998 ~ missing }}{% endfor %}";
}

std::string many_parameters() {
  std::string source = "{% macro m(a";
  for (int i = 0; i < 20000; ++i) source += ",a" + std::to_string(i);
  return source + ") %}{% endmacro %}";
}

class HostileTemplate : public testing::TestWithParam<Hostile> {};

TEST_P(HostileTemplate, EndsWithinItsBudget) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(refusal(GetParam().source), testing::Not(HasSubstr("rendered: ")));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));  // under sanitizers, on a busy machine
}

INSTANTIATE_TEST_SUITE_P(
    All, HostileTemplate,
    testing::Values(
        Hostile{"MacroWithoutEnd", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"},
        Hostile{"CallBlocksWithoutEnd", "{% macro m() %}{% call m() %}x{% endcall %}{% endmacro %}{{ m() }}"},
        Hostile{"RecursiveLoop", "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}"},
        Hostile{"DoubledText",
                "{% set ns = namespace(t='ab') %}{% for i in range(99) %}{% set ns.t = ns.t + ns.t %}{% endfor %}"},
        Hostile{"DoubledList",
                "{% set ns = namespace(t=[1]) %}{% for i in range(99) %}{% set ns.t = ns.t + ns.t %}{% endfor %}"},
        Hostile{"NestedRanges", "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"},
        Hostile{"RepeatedText", "{{ 'x' * 10 ** 12 }}"}, Hostile{"RepeatedList", "{{ [1, 2] * 10 ** 12 }}"},
        Hostile{"WideFormat", "{{ '%999999999d' % 1 }}"}, Hostile{"StarFormat", "{{ '%*d' % (10 ** 15, 1) }}"},
        Hostile{"Centered", "{{ 'x'|center(10 ** 12) }}"}, Hostile{"Indented", "{{ 'x\ny'|indent(10 ** 12) }}"},
        Hostile{"IndentedJson", "{{ [[1]]|tojson(indent=10 ** 12) }}"},
        Hostile{"Batch", "{{ [1]|batch(10 ** 12, 'x')|list }}"}, Hostile{"Slices", "{{ [1]|slice(10 ** 12)|list }}"},
        Hostile{"Joined", "{{ range(99999)|join('x' * 10 ** 6) }}"},
        Hostile{"Replaced", "{{ ('a' * 10 ** 6).replace('', 'x' * 10 ** 6) }}"},
        Hostile{"ZeroFilled", "{{ 'x'.zfill(10 ** 15) }}"},
        Hostile{"SlowSearch", "{% set t = 'a' * 10 ** 7 %}{{ t.find('a' * 10 ** 6 ~ 'b') }}"},
        Hostile{"SlowSearchBackwards", "{% set t = 'a' * 10 ** 7 %}{{ t.rfind('ab' ~ 'a' * 10 ** 6) }}"},
        Hostile{"Printed", "{% set t = 'a' * 10 ** 6 %}{% for i in range(999) %}{{ t }}{% endfor %}"},
        Hostile{"CapturedInEachOther",
                "{% macro m(n) %}{{ 'x' * 10 ** 6 }}{% if n %}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(90) }}"},
        Hostile{
            "DeepListPrinted",
            "{% set ns = namespace(l=[]) %}{% for i in range(9999) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}"},
        Hostile{"DeepListsCompared",
                "{% set ns = namespace(l=[], m=[]) %}{% for i in range(9999) %}{% set ns.l = [ns.l] %}{% set ns.m = "
                "[ns.m] %}"
                "{% endfor %}{{ ns.l == ns.m }}"},
        Hostile{"DeepGenerators",
                "{% set ns = namespace(l=[1]) %}{% for i in range(9999) %}{% set ns.l = ns.l|map('string') %}{% endfor "
                "%}{{ ns.l|list }}"},
        Hostile{"NamespaceInItself", "{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}"},
        Hostile{"Parentheses", "{{ " + repeated("(", 100000) + "1" + repeated(")", 100000) + " }}"},
        Hostile{"OpenLists", "{{ " + repeated("[", 100000)},
        Hostile{"Negations", "{{ " + repeated("not ", 50000) + "1 }}"},
        Hostile{"Signs", "{{ " + repeated("-", 100000) + "1 }}"},
        Hostile{"Conditions", "{{ " + repeated("1 if 0 else ", 20000) + "1 }}"},
        Hostile{"Targets", "{% set " + repeated("(", 100000) + "a = 1 %}"},
        Hostile{"Sums", "{{ 1" + repeated("+1", 100000) + " }}"},
        Hostile{"Attributes", "{{ a" + repeated(".a", 100000) + " }}"},
        Hostile{"Filters", "{{ 'a'" + repeated("|upper", 40000) + " }}"},
        Hostile{"Tests", "{{ 1" + repeated(" is eq 1", 20000) + " }}"},
        Hostile{"Calls", "{{ a" + repeated("()", 100000) + " }}"}, Hostile{"Blocks", repeated("{% if 1 %}", 25000)},
        Hostile{"Loops", repeated("{%for a in b%}", 15000)},
        Hostile{"MacrosInMacros", repeated("{%macro m()%}", 15000)}, Hostile{"ManyVariables", many_variables()},
        Hostile{"ManyParameters", many_parameters()}, Hostile{"TooLong", std::string(kMaxTemplateBytes + 1, ' ')}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(Template, LongFlatChainsAreNoHarm) {
  EXPECT_EQ(render("{{ 1" + repeated(" ~ 1", 20000) + " }}").size(), 20001u);
  EXPECT_EQ(render("{{ 1" + repeated(" and 1", 20000) + " }}"), "1");
  EXPECT_EQ(render("{% if 0 %}" + repeated("{% elif 0 %}", 10000) + "{% else %}x{% endif %}"), "x");
}

TEST(Template, ALongChainOfValuesIsFreedWithoutRecursion) {
  EXPECT_EQ(render("{% set ns = namespace(l=[], d={}) %}{% for i in range(90000) %}{% set ns.l = [ns.l] %}"
                   "{% set ns.d = {'d': ns.d} %}{% endfor %}{% set ns.l = 1 %}{{ ns.l }}"),
            "1");
}

TEST(Template, InputOfAnySizeDoesNotCountAgainstTheBudget) {
  const Json variables{{"text", std::string(20 << 20, 'x')}};
  EXPECT_EQ(render("{{ text|length }}", variables, {.steps = 1'000'000, .output_bytes = 100, .memory_bytes = 1000}),
            std::to_string(20 << 20));
}

TEST(Template, RefusesVariablesThatAreNoUtf8OrTooDeep) {
  EXPECT_THAT(refusal("x", {{"a", "\xff"}}), HasSubstr("UTF-8"));
  Json deep = 1;
  for (int i = 0; i < 300; ++i) deep = Json::array({deep});
  EXPECT_THAT(refusal("x", {{"a", deep}}), HasSubstr("nested deeper"));
  EXPECT_THAT(refusal("\xff"), HasSubstr("UTF-8"));
}

}  // namespace
}  // namespace trireme::data::jinja
