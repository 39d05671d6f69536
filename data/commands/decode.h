#pragma once
#include <string>

#include "core/config/field.h"

namespace trireme::data {

/// `trireme-data decode`
struct DecodeOptions {
  std::string tokenizer;

  static constexpr auto fields() {
    using C = DecodeOptions;
    return std::tuple{Field{"tokenizer", &C::tokenizer, "tokenizer.json", kRequired}};
  }
};

int decode(const DecodeOptions& options);

}  // namespace trireme::data
