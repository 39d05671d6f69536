#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "data/tokenizer/tokenizer.h"
#include "models/generate/sampler.h"
#include "models/load.h"
#include "models/model.h"

namespace trireme::serve {

/// A model with its tokenizer, continuing one text at a time.
class TextGenerator {
 public:
  /// @throws Error kCorrupt, kBadInput
  explicit TextGenerator(std::shared_ptr<const models::ModelSource> source);

  /// Of the weights that answer, as they are stored.
  std::string weights_hash() const { return models::weights_hash(*source_); }

  struct Outcome {
    std::int64_t prompt_tokens = 0, tokens = 0;
    std::string reason;  ///< "stop": the text ended; "length": max_tokens or the context is used up; "interrupted"
  };

  /// Continues `prompt`; an empty one starts a new text. `emit` gets the text as it comes, in whole UTF-8 characters
  /// (U+FFFD for bytes that are none: any byte is a token), and says whether to go on.
  /// @throws Error kBadInput when the prompt leaves no room in the context
  Outcome generate(std::string_view prompt, std::int64_t max_tokens, const models::SamplingOptions& sampling,
                   const std::function<bool(std::string_view)>& emit);

 private:
  std::shared_ptr<const models::ModelSource> source_;
  data::Tokenizer tokenizer_;
  std::unique_ptr<models::Model> model_;
};

}  // namespace trireme::serve
