#include <gmock/gmock.h>

#include <cstdlib>

#include "core/base/error.h"
#include "core/config/command.h"

namespace trireme {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

struct Inner {
  double rate = 3e-4;
  std::string name = "cosine";
  static constexpr auto fields() {
    using C = Inner;
    return std::tuple{Field{"rate", &C::rate, "step size", Range(0, 1)},
                      Field{"name", &C::name, "which", OneOf("constant", "cosine")}};
  }
};

struct Outer {
  std::int64_t steps = 10;
  bool json = false;
  std::vector<std::string> input;
  Inner schedule;
  static constexpr auto fields() {
    using C = Outer;
    return std::tuple{Field{"steps", &C::steps, "how many", AtLeast(0)}, Field{"json", &C::json, "machine output"},
                      Field{"input", &C::input, "files"}, Field{"schedule", &C::schedule, "group"}};
  }
};

int run(Outer& outer, std::vector<std::string> words, bool as_config = false) {
  Program program{"test", "a test", {}, ""};
  Command command{.name = "", .summary = "s", .run = [&](const Assignments& flags) {
                    apply_assignments(flags, fields_of(outer));
                    return 0;
                  }};
  (as_config ? command.config : command.options) = fields_of(outer);
  program.commands = {command};
  words.insert(words.begin(), "test");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return run_command(program, static_cast<int>(argv.size()), argv.data(), false);
}

TEST(Config, FlagsFilesAndPrintingShareOneFieldList) {
  Outer outer;
  run(outer, {"--schedule.rate=1e-3", "--steps", "1e3", "--json", "--input", "a", "b", "--input=c"});
  EXPECT_EQ(outer.schedule.rate, 1e-3);
  EXPECT_EQ(outer.steps, 1000);
  EXPECT_TRUE(outer.json);
  EXPECT_THAT(outer.input, ElementsAre("a", "b", "c"));
  Outer copy;
  apply_assignments(parse_yaml(to_yaml(fields_of(outer)), "printed", fields_of(copy)), fields_of(copy));
  EXPECT_EQ(to_yaml(fields_of(copy)), to_yaml(fields_of(outer)));
}

TEST(Config, YamlScalarsAreParsedByTheFieldsType) {
  Outer outer;
  apply_assignments(parse_yaml("schedule: {rate: 1e-3, name: constant}\njson: no\nsteps: 7\n", "f", fields_of(outer)),
                    fields_of(outer));
  EXPECT_EQ(outer.schedule.rate, 1e-3);
  EXPECT_EQ(outer.schedule.name, "constant");
  EXPECT_FALSE(outer.json);
  apply_assignments(parse_yaml("schedule.rate: 0.5", "f", fields_of(outer)), fields_of(outer));
  EXPECT_EQ(outer.schedule.rate, 0.5);
}

TEST(Config, ErrorsNameKeyValueWhatIsAllowedAndThePlace) {
  Outer outer;
  const auto yaml = [&](const char* text) {
    return [&outer, text] { apply_assignments(parse_yaml(text, "f.yaml", fields_of(outer)), fields_of(outer)); };
  };
  EXPECT_THAT(yaml("schedule:\n  rate: 2\n"),
              ThrowsMessage<Error>(AllOf(HasSubstr("schedule.rate"), HasSubstr("[0, 1]"), HasSubstr("'2'"),
                                         HasSubstr("f.yaml line 2 column 3"))));
  EXPECT_THAT(yaml("schedule: {rate: nan}"), ThrowsMessage<Error>(HasSubstr("a number")));
  EXPECT_THAT(yaml("schedule: {name: linear}"), ThrowsMessage<Error>(HasSubstr("one of constant, cosine")));
  EXPECT_THAT(yaml("schedul: {rate: 1}"), ThrowsMessage<Error>(HasSubstr("unknown key schedul")));
  EXPECT_THAT(yaml("steps: [1]"), ThrowsMessage<Error>(HasSubstr("got a list")));
  EXPECT_THAT(yaml("steps: 1\nsteps: 2"), ThrowsMessage<Error>(HasSubstr("twice")));
  EXPECT_THAT(yaml("a: [1"), ThrowsMessage<Error>(HasSubstr("not YAML")));
  EXPECT_THAT(yaml("steps: 1.5"), ThrowsMessage<Error>(HasSubstr("an integer")));
  EXPECT_THAT([&] { run(outer, {"--schedule.rat=1"}); },
              ThrowsMessage<Error>(HasSubstr("did you mean schedule.rate?")));
  EXPECT_THAT([&] { run(outer, {"--steps=-1"}); }, ThrowsMessage<Error>(HasSubstr("at least 0")));
  EXPECT_THAT([&] { run(outer, {"stray"}); }, ThrowsMessage<Error>(HasSubstr("too many arguments")));
}

TEST(Config, YamlAsPeopleWriteIt) {
  Outer outer;
  const auto yaml = [&](const char* text) { return parse_yaml(text, "f.yaml", fields_of(outer)); };
  apply_assignments(yaml("json: True\nschedule:\n#  rate: 1\n"), fields_of(outer));
  EXPECT_TRUE(outer.json);
  EXPECT_THAT([&] { yaml("steps: 1\n---\nsteps: 2\n"); },
              ThrowsMessage<Error>(HasSubstr("second YAML document, or what is none, begins at f.yaml line 2")));
  EXPECT_THAT([&] { yaml(","); }, ThrowsMessage<Error>(HasSubstr("or what is none")));
  EXPECT_THAT([&] { yaml("schedule.rate: 1\nschedule: {rate: 0}\n"); }, ThrowsMessage<Error>(HasSubstr("twice")));
}

TEST(Config, ATextOfItemsMayBeAYamlListOrMapping) {
  struct Items {
    std::string items = "none";
    static constexpr auto fields() { return std::tuple{Field{"items", &Items::items, "some", kCommaList}}; }
  };
  for (const auto& [yaml, expected] : {std::pair{"items: a=1,b=2", "a=1,b=2"},
                                       {"items: [a=1, b=2]", "a=1,b=2"},
                                       {"items: {a: 1, b/c.d: 2}", "a=1,b/c.d=2"},
                                       {"items:\n  - a", "a"},
                                       {"items: []", ""}}) {
    Items config;
    const FieldList fields = fields_of(config);
    apply_assignments(parse_yaml(yaml, "x.yaml", fields), fields);
    EXPECT_EQ(config.items, expected) << yaml;
  }
  Items config;
  const FieldList fields = fields_of(config);
  for (const char* yaml : {"items: [[a]]", "items: {a: [1]}", "items:"})
    EXPECT_THAT([&] { parse_yaml(yaml, "x.yaml", fields); }, ThrowsMessage<Error>(HasSubstr("items must be"))) << yaml;
}

TEST(Config, EnvironmentNamesKeysAndUnknownOnesAreErrors) {
  Outer outer;
  ::setenv("TRIREME_SCHEDULE_RATE", "0.25", 1);
  apply_assignments(read_environment(fields_of(outer)), fields_of(outer));
  EXPECT_EQ(outer.schedule.rate, 0.25);
  ::unsetenv("TRIREME_SCHEDULE_RATE");
  ::setenv("TRIREME_SCHEDULE_RATES", "1", 1);
  EXPECT_THAT([&] { read_environment(fields_of(outer)); }, ThrowsMessage<Error>(HasSubstr("TRIREME_SCHEDULE_RATE?")));
  ::unsetenv("TRIREME_SCHEDULE_RATES");
}

struct Due {
  std::string tokenizer, out = "page.html";
  std::vector<std::string> input;
  static constexpr auto fields() {
    using C = Due;
    return std::tuple{Field{"tokenizer", &C::tokenizer, "a file", kRequired},
                      Field{"input", &C::input, "texts", kRequired}, Field{"out", &C::out, "a page", kRequired}};
  }
};

TEST(Config, WhatIsRequiredAndHasNoDefaultStandsInTheUsageLine) {
  Due due;
  const Program program{"test", "a test", {{.name = "", .summary = "s", .options = fields_of(due), .run = {}}}, ""};
  std::string name = "test", given = "--tokenizer=t";
  char* argv[] = {name.data(), given.data()};
  EXPECT_THAT([&] { run_command(program, 2, argv, false); },
              ThrowsMessage<Error>("--input is required: texts; usage: test --tokenizer X --input X... [options]"));
}

TEST(Config, ConfigFlagsArePassedOnUnapplied) {
  Outer outer;
  run(outer, {"--schedule.rate=0.5", "--schedule.rate=0.75"}, /*as_config=*/true);
  EXPECT_EQ(outer.schedule.rate, 0.75);
}

}  // namespace
}  // namespace trireme
