#include "data/chat/answers.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "core/base/error.h"
#include "data/corpus/testing.h"

namespace trireme::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

std::vector<AnswerText> texts(const std::string& line, Labels::Of of = Labels::Of::kAnswers,
                              const std::string& chat = "") {
  const ChatTemplate chat_template =
      chat.empty() ? ChatTemplate::parse({}, "model") : ChatTemplate::parse({.chat_template = chat}, "model");
  return AnswerLines(chat_template, of).texts(line, [] { return std::string("file:7"); });
}

std::vector<std::string> answers(const AnswerText& text) {
  std::vector<std::string> found;
  for (const auto& [from, to] : text.answers) found.push_back(text.text.substr(from, to - from));
  return found;
}

constexpr const char* kTalk = R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
    {"role": "user", "content": "c"}, {"role": "assistant", "content": "d"}]})";
// What comes before the answer in the prompt for it.
constexpr const char* kPlain =
    "{% for m in messages %}{{ m.role[0] + ':' + m.content + '\n' }}{% endfor %}{% if add_generation_prompt %}a:{% "
    "endif %}";

TEST(AnswerLines, OfAConversationAreWhatAssistantsSay) {
  EXPECT_THAT(answers(texts(kTalk).at(0)), ElementsAre("b<|im_end|>", "d<|im_end|>"));
  const auto plain = texts(kTalk, Labels::Of::kAnswers, kPlain);
  ASSERT_EQ(plain.size(), 1u);
  EXPECT_EQ(plain[0].text, "u:a\na:b\nu:c\na:d\n");
  EXPECT_THAT(answers(plain[0]), ElementsAre("b\n", "d\n"));
}

TEST(AnswerLines, StandAloneWhereTheTemplateWritesThemOtherwiseLater) {
  const auto found = texts(
      kTalk, Labels::Of::kAnswers,
      "{% for m in messages %}{{ m.role[0] + ':' + (m.content if loop.last or m.role == 'user' else '-') + '\n' }}"
      "{% endfor %}{% if add_generation_prompt %}a:{% endif %}");
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].text, "u:a\na:b\n");
  EXPECT_EQ(found[1].text, "u:a\na:-\nu:c\na:d\n");
  EXPECT_THAT(answers(found[1]), ElementsAre("d\n"));
}

TEST(AnswerLines, OfPromptsAndCompletionsAreTheseToTheirEnd) {
  const auto found = texts(R"({"prompt": "2+2=", "completion": " 4"})");
  EXPECT_EQ(found.at(0).text, "2+2= 4");
  EXPECT_THAT(answers(found[0]), ElementsAre(" 4"));
  const auto said = texts(
      R"({"prompt": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "old"}, {"role": "user", "content": "b"}],
          "completion": [{"role": "assistant", "content": "new"}]})");
  EXPECT_THAT(answers(said.at(0)), ElementsAre("new<|im_end|>")) << "not what was said before";
}

TEST(AnswerLines, OfPreferencesAreTwo) {
  const auto found = texts(R"({"prompt": "p", "chosen": "c", "rejected": "r"})", Labels::Of::kPreferences);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].text, "pc");
  EXPECT_THAT(answers(found[1]), ElementsAre("r"));
  const auto whole = texts(R"({"chosen": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "x"},
          {"role": "user", "content": "q"}, {"role": "assistant", "content": "c"}],
        "rejected": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "x"},
          {"role": "user", "content": "q"}, {"role": "assistant", "content": "r"}]})",
                           Labels::Of::kPreferences);
  EXPECT_THAT(answers(whole.at(0)), ElementsAre("c<|im_end|>")) << "what both begin with is their prompt";
  EXPECT_THAT(answers(whole.at(1)), ElementsAre("r<|im_end|>"));
}

TEST(AnswerLines, SayWhatIsWrongOfALine) {
  const auto expect = [](const std::string& line, const std::string& due, Labels::Of of = Labels::Of::kAnswers,
                         const std::string& chat = "") {
    EXPECT_THAT([&] { texts(line, of, chat); }, ThrowsMessage<Error>(HasSubstr("file:7: " + due))) << line;
  };
  expect("{", "no valid JSON");
  expect("[1]", "no JSON object");
  expect(R"({"text": "a"})", R"("messages", or "prompt" and "completion", are missing)");
  expect(R"({"messages": [], "prompt": ""})", "\"messages\" and \"prompt\"");
  expect(R"({"messages": "a"})", "\"messages\" is string");
  expect(R"({"messages": [{"content": "a"}]})", "\"messages\" has a message");
  expect(R"({"messages": [{"role": "user", "content": "a"}]})", "there is no answer to learn");
  expect(R"({"messages": [{"role": "assistant", "content": "a", "weight": 2}]})", "\"weight\" of a message");
  expect(R"({"messages": [{"role": "assistant", "content": "a", "weight": 0}]})", "there is no answer to learn");
  expect(R"({"completion": "a"})", "\"prompt\" is missing");
  expect(R"({"prompt": 3, "completion": "a"})", "\"prompt\" is number");
  expect(R"({"prompt": "a", "completion": ""})", "\"completion\" is empty");
  expect(R"({"prompt": "a", "completion": [{"role": "assistant", "content": "a"}]})", "\"prompt\" is string");
  expect(R"({"prompt": "a", "chosen": "b"})", "\"rejected\" is missing", Labels::Of::kPreferences);
  expect(R"({"prompt": "a", "chosen": "b", "rejected": "b"})", "\"chosen\" and \"rejected\" are the same",
         Labels::Of::kPreferences);
  expect(R"({"chosen": [{"role": "assistant", "content": "a"}], "rejected": "b"})", "\"rejected\" is string",
         Labels::Of::kPreferences);
  expect(kTalk, "the chat template refuses it: no", Labels::Of::kAnswers, "{{ raise_exception('no') }}");
  expect(kTalk, "what the chat template makes of message 2", Labels::Of::kAnswers,
         "{% for m in messages %}{{ m.content }}{% endfor %}{% if add_generation_prompt %}?{% endif %}");
}

TEST(AnswerLines, TokensThatHoldAByteOfAnAnswerAreLearntAndSoIsTheEnd) {
  const Tokenizer tokenizer = testing::bytes_tokenizer();
  const LabelledText made = encoded({.text = "ab", .answers = {{1, 2}}}, tokenizer, {});
  ASSERT_EQ(made.ids.size(), 3u);
  EXPECT_THAT(made.labels, ElementsAre(-1, made.ids[1], *tokenizer.end_of_text()));
  const LabelledText rendered = encoded({.text = "ab", .answers = {{0, 1}}, .is_rendered = true}, tokenizer, {});
  EXPECT_THAT(rendered.labels, ElementsAre(rendered.ids[0], -1)) << "a template has its own end";
  const LabelledText nothing = encoded({.text = "ab", .answers = {{1, 1}}, .is_rendered = true}, tokenizer, {});
  EXPECT_THAT(nothing.labels, ElementsAre(-1, -1)) << "an empty answer is no token";
}

TEST(AnswerLines, WhiteSpaceBehindTheEndOfAnAnswerIsNoPartOfIt) {
  const Tokenizer tokenizer = testing::bytes_tokenizer();
  const auto learnt = [&](const std::string& text, bool drops) {
    const LabelledText made = encoded(
        {.text = text, .answers = {{0, text.size()}}, .is_rendered = true, .drops_space = drops}, tokenizer, {});
    return std::ranges::count_if(made.labels, [](std::int64_t label) { return label >= 0; });
  };
  EXPECT_EQ(learnt("a<|endoftext|>\n\n", true), 2);
  EXPECT_EQ(learnt("a<|endoftext|>\n\n", false), 4);
  EXPECT_EQ(learnt("a<|endoftext|>\nb", true), 4);
  EXPECT_EQ(learnt("a\n", true), 2) << "nothing ends it";
}

}  // namespace
}  // namespace trireme::data
