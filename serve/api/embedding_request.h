#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "serve/engine/text_generator.h"

namespace trireme::serve {

/// The body of a request to /v1/embeddings: OpenAI's fields. A field that is not honoured is refused by name.
struct EmbeddingRequest {
  std::string model;
  std::vector<Prompt> inputs;  ///< a vector each
  bool base64 = false;         ///< of the numbers as little-endian float32, instead of a list

  /// @param width  numbers of a vector: the only value that `dimensions` may have
  /// @throws RequestError
  static EmbeddingRequest parse(const nlohmann::json& body, std::int64_t width);
};

}  // namespace trireme::serve
