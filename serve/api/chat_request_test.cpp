#include "serve/api/chat_request.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace trireme::serve {
namespace {

using Json = nlohmann::ordered_json;

ChatRequest parsed(const std::string& fields) {
  return ChatRequest::parse(Json::parse("{" + fields + "}"), {.max_tokens = 50, .sampling = {.seed = 7}});
}

void expect_refused(const std::string& fields, const std::string& param) {
  try {
    parsed(fields);
    ADD_FAILURE() << "accepted: " << fields;
  } catch (const RequestError& error) {
    EXPECT_EQ(error.param(), param) << error.what();
  }
}

const std::string kMessages = R"("messages":[{"role":"user","content":"hi"}])";

TEST(ChatRequest, IsAConversationAndHowToAnswerIt) {
  const ChatRequest request =
      parsed(kMessages + R"(,"model":"m","tools":[{"z":1,"a":2}],"chat_template_kwargs":{"enable_thinking":false},
                            "reasoning_effort":"low","temperature":0,"n":2,"max_completion_tokens":9,"stop":"x")");
  EXPECT_EQ(request.model, "m");
  EXPECT_EQ(request.conversation.messages.dump(), R"([{"role":"user","content":"hi"}])");
  EXPECT_EQ(request.conversation.tools.dump(), R"([{"z":1,"a":2}])");  // in their order
  EXPECT_EQ(request.conversation.extra.dump(), R"({"enable_thinking":false,"reasoning_effort":"low"})");
  EXPECT_TRUE(request.conversation.add_generation_prompt);
  EXPECT_EQ(request.generation.max_tokens, 9);
  EXPECT_EQ(request.generation.sampling.seed, 7u);
  EXPECT_EQ(request.n, 2);
  EXPECT_EQ(parsed(kMessages).generation.max_tokens, 50);
}

TEST(ChatRequest, MayGoOnWithTheLastMessage) {
  const auto conversation = parsed(kMessages + R"(,"continue_final_message":true)").conversation;
  EXPECT_EQ(conversation.continue_final_message, "content");
  EXPECT_FALSE(conversation.add_generation_prompt);
  EXPECT_FALSE(parsed(kMessages + R"(,"add_generation_prompt":false)").conversation.add_generation_prompt);
  expect_refused(kMessages + R"(,"continue_final_message":true,"add_generation_prompt":true)",
                 "continue_final_message");
}

TEST(ChatRequest, RefusesByNameWhatItDoesNotHonour) {
  expect_refused("", "messages");
  expect_refused(R"("messages":[])", "messages");
  expect_refused(R"("messages":["hi"])", "messages");
  expect_refused(R"("messages":[{"content":"hi"}])", "messages");
  expect_refused(kMessages + R"(,"tools":{})", "tools");
  expect_refused(kMessages + R"(,"tool_choice":"required")", "tool_choice");
  expect_refused(kMessages + R"(,"response_format":{"type":"json_object"})", "response_format");
  expect_refused(kMessages + R"(,"logprobs":true)", "logprobs");
  expect_refused(kMessages + R"(,"chat_template_kwargs":[])", "chat_template_kwargs");
  expect_refused(kMessages + R"(,"max_tokens":3,"max_completion_tokens":3)", "max_tokens");
  expect_refused(kMessages + R"(,"stream":true)", "stream");
  expect_refused(kMessages + R"(,"chat_template":"{{ 1 }}")", "chat_template");
  EXPECT_NO_THROW(parsed(kMessages + R"(,"tool_choice":"auto","response_format":{"type":"text"},"logprobs":false)"));
}

}  // namespace
}  // namespace trireme::serve
