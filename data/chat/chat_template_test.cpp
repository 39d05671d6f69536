#include "data/chat/chat_template.h"

#include <gmock/gmock.h>

namespace trireme::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;
using Json = nlohmann::ordered_json;

const Json kHello = {{{"role", "user"}, {"content", "Hello"}}};
constexpr const char* kContents = "{% for m in messages %}[{{ m.content }}]{% endfor %}";

ChatTemplate of_config(const Json& config) { return ChatTemplate::parse({.tokenizer_config = config.dump()}, "model"); }
ChatTemplate of_text(const std::string& text) { return ChatTemplate::parse({.chat_template = text}, "model"); }

TEST(ChatTemplate, AModelWithoutOneGetsAPlainDefault) {
  const auto chat = ChatTemplate::parse({}, "model");
  EXPECT_TRUE(chat.is_default());
  Json messages = {{{"role", "user"}, {"content", {{{"type", "text"}, {"text", "a"}}, {{"type", "image"}}}}},
                   {{"role", "assistant"}, {"content", "b"}}};
  const auto made = chat.apply({.messages = messages, .add_generation_prompt = true});
  EXPECT_EQ(made.text, "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n<|im_start|>assistant\n");
  ASSERT_EQ(made.generated.size(), 1u);
  EXPECT_EQ(made.text.substr(made.generated[0].first, made.generated[0].second - made.generated[0].first),
            "b<|im_end|>");
}

TEST(ChatTemplate, TheFileGoesBeforeTheConfig) {
  const auto chat =
      ChatTemplate::parse({.tokenizer_config = R"({"chat_template": "config"})", .chat_template = "file"}, "model");
  EXPECT_FALSE(chat.is_default());
  EXPECT_EQ(chat.apply({.messages = kHello}).text, "file");
  EXPECT_EQ(of_config({{"chat_template", "config"}}).apply({.messages = kHello}).text, "config");
}

TEST(ChatTemplate, ToolsChooseTheTemplateForThem) {
  const auto chat =
      of_config({{"chat_template",
                  {{{"name", "default"}, {"template", "plain"}}, {{"name", "tool_use"}, {"template", "tools"}}}}});
  EXPECT_THAT(chat.names(), ElementsAre("default", "tool_use"));
  EXPECT_EQ(chat.apply({.messages = kHello}).text, "plain");
  EXPECT_EQ(chat.apply({.messages = kHello, .tools = Json::array()}).text, "tools");
  EXPECT_EQ(chat.apply({.messages = kHello, .tools = Json::array(), .name = "default"}).text, "plain");
  EXPECT_THAT([&] { chat.apply({.messages = kHello, .name = "tool"}); },
              ThrowsMessage<Error>(HasSubstr("has no chat template 'tool'")));
}

TEST(ChatTemplate, SpecialTokensAreVariablesAndExtraOnesGoBeforeThem) {
  const Json config = {{"bos_token", "<s>"},
                       {"eos_token", {{"content", "</s>"}, {"lstrip", false}}},
                       {"unk_token", nullptr},
                       {"chat_template", "{{ bos_token }}{{ eos_token }}{{ unk_token is defined }}{{ thinking }}"}};
  EXPECT_EQ(of_config(config).apply({.messages = kHello}).text, "<s></s>False");
  EXPECT_EQ(of_config(config).apply({.messages = kHello, .extra = {{"bos_token", "!"}, {"thinking", true}}}).text,
            "!</s>FalseTrue");
}

TEST(ChatTemplate, NullsAreLeftOutAndReasoningHasAllItsNames) {
  const auto chat = of_text(
      "{% for m in messages %}{{ m.content is defined }}{{ m.reasoning_content }}{{ m.thinking }};{% endfor %}");
  const Json messages = {{{"role", "assistant"}, {"content", nullptr}, {"reasoning", "why"}},
                         {{"role", "user"}, {"content", ""}}};
  EXPECT_EQ(chat.apply({.messages = messages}).text, "Falsewhywhy;True;");
}

TEST(ChatTemplate, TheLastMessageIsLeftOpen) {
  const Json messages = {{{"role", "user"}, {"content", "a"}}, {{"role", "assistant"}, {"content", "b "}}};
  const auto go_on = [&](const char* source) {
    return of_text(source).apply({.messages = messages, .continue_final_message = "content"}).text;
  };
  EXPECT_EQ(go_on(kContents), "[a][b ");
  EXPECT_EQ(go_on("{% for m in messages %}[{{ m.content|trim }}]{% endfor %}"), "[a][b");
  EXPECT_THAT([&] { go_on("{{ messages[0].content }}"); }, ThrowsMessage<Error>(HasSubstr("continue_final_message")));
  EXPECT_THAT([&] { go_on("x"); }, ThrowsMessage<Error>(HasSubstr("does not read")));
}

TEST(ChatTemplate, RefusesConversationsOfAnotherForm) {
  const auto chat = of_text(kContents);
  EXPECT_THAT([&] { chat.apply({.messages = Json::array()}); },
              ThrowsMessage<Error>(HasSubstr("at least one message")));
  EXPECT_THAT([&] { chat.apply({.messages = {"x"}}); }, ThrowsMessage<Error>(HasSubstr("list of objects")));
  EXPECT_THAT([&] { chat.apply({.messages = kHello, .tools = "x"}); }, ThrowsMessage<Error>(HasSubstr("tools")));
  EXPECT_THAT(
      [&] { chat.apply({.messages = kHello, .add_generation_prompt = true, .continue_final_message = "content"}); },
      ThrowsMessage<Error>(HasSubstr("exclude each other")));
}

TEST(ChatTemplate, RefusesFilesOfAnotherFormAndNamesThem) {
  EXPECT_THAT([] { of_config({{"chat_template", 5}}); },
              ThrowsMessage<Error>(HasSubstr("model/tokenizer_config.json: chat_template")));
  EXPECT_THAT([] { of_config({{"bos_token", 5}}); }, ThrowsMessage<Error>(HasSubstr("bos_token")));
  EXPECT_THAT([] { of_text("\n{% if %}"); }, ThrowsMessage<Error>(HasSubstr("model/chat_template.jinja: line 2")));
  EXPECT_THAT([] { ChatTemplate::parse({.tokenizer_config = "{"}, "model"); },
              ThrowsMessage<Error>(HasSubstr("tokenizer_config.json")));
}

}  // namespace
}  // namespace trireme::data
