#pragma once
#include <string>

#include "core/base/error.h"

namespace trireme::serve {

/// What is wrong with a request, as OpenAI's API tells it: the field, and a line for people.
class RequestError : public Error {
 public:
  template <class... Parts>
  explicit RequestError(std::string param, const Parts&... parts)
      : Error(ErrorCode::kBadInput, parts...), param_(std::move(param)) {}
  const std::string& param() const { return param_; }

 private:
  std::string param_;
};

}  // namespace trireme::serve
