#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "serve/api/request_error.h"
#include "serve/engine/text_generator.h"

namespace trireme::serve {

/// The body of a request to /v1/completions: OpenAI's fields, and of vLLM's top_k, stop_token_ids, ignore_eos,
/// return_token_ids. A field that is not honoured is refused by name, unless it says what is done anyway.
struct CompletionRequest {
  std::string model;
  std::vector<Prompt> prompts;   ///< an answer each
  GenerationRequest generation;  ///< but for the prompt
  std::int64_t n = 1;            ///< answers a prompt; the k-th draws with seed + k
  bool echo = false;             ///< the prompt is given before the answer
  bool return_token_ids = false;

  /// @param defaults  of what the request does not say
  /// @throws RequestError
  static CompletionRequest parse(const nlohmann::json& body, const GenerationRequest& defaults);
};

}  // namespace trireme::serve
