#include "serve/api/embedding_request.h"

#include <nlohmann/json.hpp>

#include "core/base/strict_json.h"
#include "serve/api/request_body.h"
#include "serve/api/request_error.h"

namespace trireme::serve {

EmbeddingRequest EmbeddingRequest::parse(const nlohmann::json& object, std::int64_t width) {
  const RequestBody body(object);
  body.expect_known({"model", "input", "encoding_format", "dimensions", "user"});
  body.expect("dimensions", width);
  EmbeddingRequest request;
  request.model = body.text("model");
  request.inputs = body.prompts("input");
  const std::string format = body.find("encoding_format") ? body.text("encoding_format") : "float";
  if (format != "float" && format != "base64")
    throw RequestError("encoding_format", "encoding_format must be float or base64, got ",
                       json_excerpt(nlohmann::json(format)));
  request.base64 = format == "base64";
  return request;
}

}  // namespace trireme::serve
