#include "models/hugging_face/generation_config.h"

#include <nlohmann/json.hpp>

#include "core/base/strict_json.h"
#include "core/base/text.h"
#include "models/hugging_face/hf_config.h"

namespace trireme::models {
namespace {

using Json = nlohmann::json;

/// What changes the answer, and the value that says that it does not.
const std::pair<const char*, Json> kNotHonoured[] = {
    {"assistant_early_exit", nullptr},
    {"bad_words_ids", nullptr},
    {"begin_suppress_tokens", nullptr},
    {"constraints", nullptr},
    {"diversity_penalty", 0.0},
    {"dola_layers", nullptr},
    {"encoder_no_repeat_ngram_size", 0},
    {"encoder_repetition_penalty", 1.0},
    {"epsilon_cutoff", 0.0},
    {"eta_cutoff", 0.0},
    {"exponential_decay_length_penalty", nullptr},
    {"force_words_ids", nullptr},
    {"forced_bos_token_id", nullptr},
    {"forced_decoder_ids", nullptr},
    {"forced_eos_token_id", nullptr},
    {"guidance_scale", nullptr},
    {"min_length", 0},
    {"min_new_tokens", nullptr},
    {"min_p", nullptr},
    {"no_repeat_ngram_size", 0},
    {"num_beams", 1},
    {"num_beam_groups", 1},
    {"penalty_alpha", nullptr},
    {"repetition_penalty", 1.0},
    {"sequence_bias", nullptr},
    {"suppress_tokens", nullptr},
    {"top_h", nullptr},
    {"typical_p", 1.0},
};

}  // namespace

GenerationDefaults generation_defaults(const std::string& text, const std::string& where) {
  GenerationDefaults defaults;
  HfConfig config(text, where);
  const auto within = [&](const char* key, double value, double least, double most) {
    if (!(value >= least && value <= most))
      config.fail(key, "must lie in [" + to_text(least) + ", " + to_text(most) + "], got " + to_text(value));
    return value;
  };
  if (config.has("max_new_tokens")) {
    defaults.max_tokens = config.integer("max_new_tokens");
    within("max_new_tokens", static_cast<double>(*defaults.max_tokens), 1, 1 << 24);
  }
  if (config.has("do_sample")) {
    SamplingOptions& sampling = defaults.sampling;
    if (!config.flag("do_sample", false)) {
      sampling.temperature = 0;
    } else {
      if (config.has("temperature")) sampling.temperature = within("temperature", config.number("temperature"), 0, 100);
      if (config.has("top_p")) sampling.top_p = within("top_p", config.number("top_p"), 0, 1);
      if (config.has("top_k"))
        sampling.top_k =
            static_cast<std::int64_t>(within("top_k", static_cast<double>(config.integer("top_k")), 0, 1 << 24));
    }
  }
  const Json object = parse_object(text, where, ErrorCode::kBadInput);
  for (const auto& [key, plain] : kNotHonoured)
    if (const auto found = object.find(key); found != object.end() && !found->is_null() && *found != plain)
      defaults.not_honoured.push_back(std::string(key) + " " + json_excerpt(*found, 40));
  return defaults;
}

}  // namespace trireme::models
