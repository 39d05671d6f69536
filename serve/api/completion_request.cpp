#include "serve/api/completion_request.h"

#include <nlohmann/json.hpp>

#include "serve/api/generation_fields.h"
#include "serve/api/request_body.h"

namespace trireme::serve {

CompletionRequest CompletionRequest::parse(const nlohmann::json& object, const GenerationRequest& defaults) {
  const RequestBody body(object);
  const GenerationFields fields = GenerationFields::parse(body, {"prompt", "echo", "suffix"}, defaults);
  body.expect("suffix", nullptr);
  body.expect("logprobs", nullptr);
  return {.model = body.text("model"),
          .prompts = body.prompts("prompt"),
          .generation = fields.generation,
          .n = fields.n,
          .echo = body.flag("echo"),
          .return_token_ids = fields.return_token_ids};
}

}  // namespace trireme::serve
