#include "tune/sweep/command.h"

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>

#include "core/base/error.h"

namespace trireme::tune {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const Parameters kParameters{{"optimizer.learning-rate", 0.001},
                             {"width", std::int64_t{128}},
                             {"tied", true},
                             {"schedule", std::string("it's $(odd)")}};

Space space() {
  std::vector<Dimension> dimensions;
  for (const char* name : {"optimizer.learning-rate", "width", "tied", "schedule", "decay"}) {
    dimensions.emplace_back();
    dimensions.back().name = name;
  }
  return Space(std::move(dimensions));
}

std::vector<std::string> expanded(const std::vector<std::string>& command) {
  Sweep sweep;
  for (const std::string& word : command) sweep.command.push_back(checked_command(word, {space(), ""}));
  return expand_command(sweep, {7, kParameters, "/runs/trial 7"});
}

std::string shell_text(const std::string& text, const Parameters& parameters = kParameters) {
  Sweep sweep;
  sweep.shell_command = checked_command(text, {space(), "", true});
  const std::vector<std::string> words = expand_command(sweep, {7, parameters, "/runs/trial 7"});
  EXPECT_THAT(words, ElementsAre("/bin/sh", "-c", ::testing::_));
  return words.back();
}

std::string refusal(const std::string& text, bool is_shell = false) {
  try {
    checked_command(text, {space(), "", is_shell});
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    return error.what();
  }
  return "accepted";
}

TEST(Command, AWordOfArgumentsBecomesOneWordAParameter) {
  EXPECT_THAT(expanded({"train", "${args}"}), ElementsAre("train", "--optimizer.learning-rate=0.001", "--width=128",
                                                          "--tied=true", "--schedule=it's $(odd)"));
  EXPECT_THAT(expanded({"${args_no_hyphens}"}),
              ElementsAre("optimizer.learning-rate=0.001", "width=128", "tied=true", "schedule=it's $(odd)"));
}

TEST(Command, ArgumentsInsideAWordAreJoinedBySpaces) {
  EXPECT_THAT(expanded({"--flags=${args_no_hyphens}"}),
              ElementsAre("--flags=optimizer.learning-rate=0.001 width=128 tied=true schedule=it's $(odd)"));
}

TEST(Command, FillsInEachMacro) {
  EXPECT_THAT(expanded({"--out=${run}/model", "${trial}", "${params.width}", "--w=${params.width}x${params.width}"}),
              ElementsAre("--out=/runs/trial 7/model", "7", "128", "--w=128x128"));
  EXPECT_THAT(
      expanded({"${args_json}"}),
      ElementsAre("{\"optimizer.learning-rate\":0.001,\"schedule\":\"it's $(odd)\",\"tied\":true,\"width\":128}"));
}

TEST(Command, AnInactiveParameterIsEmpty) {
  EXPECT_THAT(expanded({"--decay=${params.decay}"}), ElementsAre("--decay="));
  EXPECT_EQ(shell_text("train ${params.decay}"), "train ''");
}

TEST(Command, TwoDollarsAreOne) {
  EXPECT_THAT(expanded({"$$", "$${args}", "$HOME", "$$$${trial}", "cost: 3$"}),
              ElementsAre("$", "${args}", "$HOME", "$${trial}", "cost: 3$"));
}

TEST(Command, NoArgumentsAreNoWords) {
  Sweep sweep;
  sweep.command = {"train", "${args}"};
  EXPECT_THAT(expand_command(sweep, {0, Parameters{}, "."}), ElementsAre("train"));
  sweep.command.clear();
  EXPECT_THAT(expand_command(sweep, {0, kParameters, "."}), ElementsAre());
}

TEST(Command, AShellSeesQuotedValues) {
  EXPECT_EQ(shell_text("cd ${run} && train ${args} > log"),
            "cd '/runs/trial 7' && train --optimizer.learning-rate=0.001 --width=128 --tied=true "
            "'--schedule=it'\\''s $(odd)' > log");
  EXPECT_EQ(shell_text("f $((3 * 4)) \"$HOME\" $$$$ ${params.width}"), "f $((3 * 4)) \"$HOME\" $$ 128");
}

TEST(Command, QuotesWhatAShellWouldRead) {
  EXPECT_EQ(shell_quoted("a-b_c=1.5/x:y,z+@%"), "a-b_c=1.5/x:y,z+@%");
  EXPECT_EQ(shell_quoted(""), "''");
  EXPECT_EQ(shell_quoted("a b"), "'a b'");
  EXPECT_EQ(shell_quoted("'"), "''\\'''");
  EXPECT_EQ(shell_quoted("~"), "'~'");
}

std::string output_of(const std::string& shell_text) {
  FILE* pipe = popen(shell_text.c_str(), "r");
  std::array<char, 256> buffer{};
  const std::size_t size = std::fread(buffer.data(), 1, buffer.size(), pipe);
  EXPECT_EQ(WEXITSTATUS(pclose(pipe)), 0) << shell_text;
  return {buffer.data(), size};
}

// Whatever a value is, and wherever it may stand, the shell hands on the value itself.
TEST(Command, NoValueIsRunByTheShell) {
  struct Use {
    std::string command, before;
  };
  const std::vector<Use> uses{{"printf '<%s>' ${params.schedule}", "<"},
                              {"x=${params.schedule}; printf '<%s>' \"$x\"", "<"},
                              {": a#b; printf '<%s>' ${params.schedule} # it's", "<"},
                              {"# it's\n(printf '<%s>' ${params.schedule})", "<"},
                              {"printf '<%s>' '\\'${params.schedule}", "<\\"},
                              {"printf \"<\\\"%s>\" ${params.schedule}", "<\""},
                              {"printf '<%s>' $((1 + (2)))${params.schedule}", "<3"}};
  for (const std::string value : {"$(echo run)", "`echo run`", "; echo run", "'; echo run; '", "\"; echo run; \"",
                                  "a\necho run", "\\", "*", "~", "$HOME", "#", "&& echo run", "", "-n", "${IFS}", "!!"})
    for (const Use& use : uses)
      EXPECT_EQ(output_of(shell_text(use.command, {{"schedule", value}})), use.before + value + ">") << use.command;
}

TEST(Command, RefusesAMacroWhereAShellWouldTakeItsQuotesAway) {
  EXPECT_THAT(refusal("echo '${args}'", true), HasSubstr("${args} stands in quotes, but brings its own"));
  EXPECT_THAT(refusal("echo \"a ${args}\"", true), HasSubstr("in quotes"));
  EXPECT_THAT(refusal("echo \"\\\"${args}\"", true), HasSubstr("in quotes"));
  EXPECT_THAT(refusal("echo \\${args}", true), HasSubstr("behind a backslash"));
  EXPECT_THAT(refusal("echo # ${args}", true), HasSubstr("in a comment"));
  EXPECT_THAT(refusal("echo $$${args}", true), HasSubstr("behind a dollar"));
  EXPECT_THAT(refusal("echo $((1 + (2)) * ${params.width}))", true), HasSubstr("in ((...))"));
  EXPECT_THAT(refusal("echo \"$(echo \"${args}\")\"", true), HasSubstr("behind a $( or ${ in double quotes"));
  EXPECT_THAT(refusal("echo \"$${x:-\"a\"}\" ${args}", true), HasSubstr("behind a $( or ${ in double quotes"));
  EXPECT_THAT(refusal("echo `f ${args}`", true), HasSubstr("filled in safely beside `"));
  EXPECT_THAT(refusal("cat <<E\n${args}\nE\n", true), HasSubstr("filled in safely beside <<"));
  EXPECT_THAT(refusal("echo $'a\\'' ${args}", true), HasSubstr("filled in safely beside $'"));
  EXPECT_EQ(refusal("cat <<E\n`date`\nE\n", true), "accepted");
  EXPECT_EQ(refusal("echo a\\\\${args}", true), "accepted");
  EXPECT_EQ(refusal("echo $((2 * (3))) ${args}", true), "accepted");
  EXPECT_EQ(refusal("# it's\necho ${args}", true), "accepted");
  EXPECT_EQ(refusal("echo a#b\\' ${args}", true), "accepted");
}

TEST(Command, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(
      refusal("${arg}"),
      "unknown ${arg}; did you mean args?; there are ${args}, ${args_no_hyphens}, ${args_json}, ${trial}, ${run}, "
      "${params.NAME} and $$ for a dollar");
  EXPECT_EQ(refusal("a ${params.widt}"), "${params.widt} names no parameter; did you mean width?");
  EXPECT_EQ(refusal("${params.learning-rate}"),
            "${params.learning-rate} names no parameter; did you mean optimizer.learning-rate?");
  EXPECT_EQ(refusal("a ${args"), "${args is not closed by }; $$ stands for a dollar");
  EXPECT_EQ(refusal("${program}"), "${program} needs the key program");
  EXPECT_THAT(refusal("${}"), HasSubstr("unknown ${}"));
}

TEST(Command, FillsInTheProgramAndQuotesItForAShell) {
  const CommandRules list{space(), "my $dir/train.py"}, shell{space(), "my $dir/train.py", true};
  Sweep sweep;
  for (const char* word : {"${env}", "${interpreter}", "${program}", "${trial}"})
    sweep.command.push_back(checked_command(word, list));
  EXPECT_THAT(expand_command(sweep, {7, kParameters, "."}),
              ElementsAre("/usr/bin/env", "python3", "my $dir/train.py", "7"));
  sweep.shell_command = checked_command("${interpreter} ${program} ${trial}", shell);
  EXPECT_EQ(expand_command(sweep, {7, kParameters, "."}).back(), "python3 'my $dir/train.py' 7");
}

}  // namespace
}  // namespace trireme::tune
