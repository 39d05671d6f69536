#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "data/chat/chat_template.h"
#include "serve/api/request_error.h"
#include "serve/engine/text_generator.h"

namespace trireme::serve {

/// The body of a request to /v1/chat/completions: OpenAI's fields, and of vLLM's top_k, stop_token_ids, ignore_eos,
/// return_token_ids, documents, chat_template_kwargs, add_generation_prompt and continue_final_message. A field that is
/// not honoured is refused by name, unless it says what is done anyway.
///
/// What the model answers is given as it is: calls of tools in it are text.
struct ChatRequest {
  std::string model;
  data::ChatTemplate::Conversation conversation;
  GenerationRequest generation;  ///< but for the prompt
  std::int64_t n = 1;            ///< answers; the k-th draws with seed + k
  bool return_token_ids = false;

  /// @param body      with its keys in their order, which templates may show
  /// @param defaults  of what the request does not say
  /// @throws RequestError
  static ChatRequest parse(const nlohmann::ordered_json& body, const GenerationRequest& defaults);
};

}  // namespace trireme::serve
