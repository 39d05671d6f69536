#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "serve/engine/text_generator.h"

namespace trireme::serve {

/// The body of a request to /classify: vLLM's fields. A field that is not honoured is refused by name.
struct ClassifyRequest {
  std::string model;
  std::vector<Prompt> inputs;  ///< a text each
  bool return_token_ids = false;

  /// @throws RequestError
  static ClassifyRequest parse(const nlohmann::json& body);
};

}  // namespace trireme::serve
