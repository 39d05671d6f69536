#pragma once
#include <string>

#include "core/config/field.h"

namespace trireme::data {

/// `trireme-data verify`, `inspect` and `baseline`
struct CorpusOptions {
  std::string corpus;
  bool json = false;

  static constexpr auto fields() {
    using C = CorpusOptions;
    return std::tuple{Field{"corpus", &C::corpus, "directory of a corpus", kRequired},
                      Field{"json", &C::json, "the result as one JSON object"}};
  }
};

/// `trireme-data cat`
struct CatOptions {
  std::string corpus;
  std::string split = "training";

  static constexpr auto fields() {
    using C = CatOptions;
    return std::tuple{Field{"corpus", &C::corpus, "directory of a corpus", kRequired},
                      Field{"split", &C::split, "which part of it", OneOf("training", "validation")}};
  }
};

int verify(const CorpusOptions& options);
int inspect(const CorpusOptions& options);
int baseline(const CorpusOptions& options);
int cat(const CatOptions& options);

}  // namespace trireme::data
