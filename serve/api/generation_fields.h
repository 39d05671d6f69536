#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "serve/api/request_body.h"
#include "serve/engine/text_generator.h"

namespace trireme::serve {

/// What requests for text have in common, whatever they are about: how tokens are drawn, what ends an answer, how many
/// of them.
struct GenerationFields {
  GenerationRequest generation;  ///< but for the prompt
  std::int64_t n = 1;
  bool return_token_ids = false;

  /// @param own       fields that the request has beside these
  /// @param defaults  of what it does not say
  /// @throws RequestError
  static GenerationFields parse(const RequestBody& body, std::vector<std::string_view> own,
                                const GenerationRequest& defaults);
};

/// Tokens of an answer, at most.
inline constexpr std::int64_t kMostTokens = 1 << 24;

}  // namespace trireme::serve
