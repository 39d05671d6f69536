#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "serve/engine/text_generator.h"

namespace trireme::serve {

/// The fields of a request's body, each read as what it has to be. Null and absent are the same. All functions throw
/// RequestError with the field, the value seen and what is allowed.
class RequestBody {
 public:
  /// @param body  outlives this
  explicit RequestBody(const nlohmann::json& body);

  /// Null where it is absent.
  const nlohmann::json* find(const char* key) const;
  std::int64_t integer(const char* key, std::int64_t otherwise, std::int64_t least, std::int64_t most) const;
  double number(const char* key, double otherwise, double least, double most) const;
  bool flag(const char* key) const;
  std::string text(const char* key) const;
  /// A text, a list of texts, a list of token ids, or a list of such lists.
  std::vector<Prompt> prompts(const char* key) const;

  /// Of fields that say what is done anyway; any other value is refused.
  void expect(const char* key, const nlohmann::json& honoured) const;
  void expect_known(const std::vector<std::string_view>& known) const;

 private:
  const nlohmann::json& body_;
};

/// A list of whole numbers.
std::vector<std::int64_t> token_ids(const nlohmann::json& list, const char* key);

}  // namespace trireme::serve
