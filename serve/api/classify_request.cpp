#include "serve/api/classify_request.h"

#include <nlohmann/json.hpp>

#include "serve/api/request_body.h"

namespace trireme::serve {

ClassifyRequest ClassifyRequest::parse(const nlohmann::json& object) {
  const RequestBody body(object);
  body.expect_known({"model", "input", "return_token_ids", "use_activation", "activation", "user"});
  // Scores become probabilities.
  for (const char* key : {"use_activation", "activation"}) body.expect(key, true);
  ClassifyRequest request;
  request.model = body.text("model");
  request.inputs = body.prompts("input");
  request.return_token_ids = body.flag("return_token_ids");
  return request;
}

}  // namespace trireme::serve
