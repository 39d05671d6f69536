#include "models/hugging_face/special_ids.h"

#include <algorithm>

#include "core/base/error.h"
#include "models/checkpoint/manifest.h"
#include "models/hugging_face/generation_config.h"
#include "models/hugging_face/hf_config.h"

namespace trireme::models {

std::vector<std::int64_t> end_ids(const ModelSource& source, std::int64_t vocabulary) {
  constexpr const char* kKey = "eos_token_id";
  for (const char* name : {kGenerationConfigFile, kHfConfigFile}) {
    const auto text = source.companion(name);
    if (!text) continue;
    HfConfig config(*text, source.where() + ": " + name);
    if (!config.has(kKey)) continue;
    std::vector<std::int64_t> ids = config.one_or_more_integers(kKey);
    std::erase_if(ids, [&](std::int64_t id) { return id < 0 || id >= vocabulary; });
    return ids;
  }
  return {};
}

std::int64_t decoder_start_id(const ModelSource& source, std::int64_t vocabulary) {
  for (const char* name : {kGenerationConfigFile, kHfConfigFile}) {
    const auto text = source.companion(name);
    if (!text) continue;
    HfConfig config(*text, source.where() + ": " + name);
    // Pads are what its texts began with where the first one is not there.
    for (const char* key : {"decoder_start_token_id", "pad_token_id"}) {
      if (!config.has(key)) continue;
      const std::int64_t id = config.integer(key);
      if (id < 0 || id >= vocabulary)
        config.fail(key, "must lie in the vocabulary of " + std::to_string(vocabulary) + ", got " + std::to_string(id));
      return id;
    }
  }
  throw Error(ErrorCode::kBadInput, source.where(),
              " does not say what its decoder begins with: its config.json has no ", "decoder_start_token_id");
}

}  // namespace trireme::models
