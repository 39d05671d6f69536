#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/generate/sampler.h"

namespace trireme::models {

inline constexpr const char* kGenerationConfigFile = "generation_config.json";

/// How a model wants to be asked, where a request does not say: generation_config.json.
struct GenerationDefaults {
  SamplingOptions sampling;
  std::optional<std::int64_t> max_tokens;  ///< max_new_tokens
  /// What it asks for and is not done here, as "repetition_penalty 1.1".
  std::vector<std::string> not_honoured;
};

/// "do_sample": false asks for the likeliest
/// token each time, as with transformers; where that key is absent nothing is taken from it, as with vLLM. The ids that
/// end a text are end_ids().
/// @param text   of the file
/// @param where  for messages
/// @throws Error kBadInput  a value of another type, or outside of what there can be
GenerationDefaults generation_defaults(const std::string& text, const std::string& where);

}  // namespace trireme::models
