#include "serve/api/chat_request.h"

#include <nlohmann/json.hpp>

#include "core/base/strict_json.h"
#include "serve/api/generation_fields.h"
#include "serve/api/request_body.h"

namespace trireme::serve {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostMessages = 1 << 16;

/// A list of objects; null where it is absent.
Json objects(const Json& body, const char* key) {
  const auto found = body.find(key);
  if (found == body.end() || found->is_null()) return nullptr;
  const bool is_list = found->is_array() && found->size() <= kMostMessages;
  if (!is_list || !std::ranges::all_of(*found, [](const Json& entry) { return entry.is_object(); }))
    throw RequestError(key, key, " must be a list of at most ", kMostMessages, " objects, got ", json_excerpt(*found));
  return *found;
}

}  // namespace

ChatRequest ChatRequest::parse(const Json& object, const GenerationRequest& defaults) {
  const nlohmann::json unordered = object;
  const RequestBody body(unordered);
  const GenerationFields fields =
      GenerationFields::parse(body,
                              {"messages", "tools", "tool_choice", "parallel_tool_calls", "documents",
                               "max_completion_tokens", "top_logprobs", "response_format", "chat_template_kwargs",
                               "add_generation_prompt", "continue_final_message", "reasoning_effort"},
                              defaults);
  body.expect("logprobs", false);
  body.expect("top_logprobs", 0);
  body.expect("response_format", {{"type", "text"}});
  if (const auto* const choice = body.find("tool_choice"); choice && *choice != "auto" && *choice != "none")
    throw RequestError("tool_choice", "tool_choice must be auto or none, got ", json_excerpt(*choice));
  ChatRequest request{.model = body.text("model"),
                      .generation = fields.generation,
                      .n = fields.n,
                      .return_token_ids = fields.return_token_ids};
  if (body.find("max_completion_tokens")) {
    if (body.find("max_tokens"))
      throw RequestError("max_tokens", "max_tokens and max_completion_tokens are given; one is allowed");
    request.generation.max_tokens = body.integer("max_completion_tokens", 1, 1, kMostTokens);
  }
  auto& conversation = request.conversation;
  conversation.messages = objects(object, "messages");
  if (conversation.messages.is_null() || conversation.messages.empty())
    throw RequestError("messages", "messages must be a list of at least one message");
  for (const Json& message : conversation.messages)
    if (!message.contains("role") || !message["role"].is_string())
      throw RequestError("messages", "a message must have a role, got ", json_excerpt(message));
  conversation.tools = objects(object, "tools");
  conversation.documents = objects(object, "documents");
  if (body.flag("continue_final_message")) {
    conversation.continue_final_message = "content";
    if (body.find("add_generation_prompt") && body.flag("add_generation_prompt"))
      throw RequestError("continue_final_message",
                         "continue_final_message and add_generation_prompt exclude each other");
  }
  conversation.add_generation_prompt =
      body.find("add_generation_prompt") ? body.flag("add_generation_prompt") : !conversation.continue_final_message;
  if (object.contains("chat_template_kwargs") && !object["chat_template_kwargs"].is_null()) {
    conversation.extra = object["chat_template_kwargs"];
    if (!conversation.extra.is_object())
      throw RequestError("chat_template_kwargs", "chat_template_kwargs must be an object, got ",
                         json_excerpt(conversation.extra));
  }
  if (const std::string effort = body.text("reasoning_effort"); !effort.empty())
    conversation.extra["reasoning_effort"] = effort;
  return request;
}

}  // namespace trireme::serve
