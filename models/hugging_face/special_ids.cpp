#include "models/hugging_face/special_ids.h"

#include <algorithm>

#include "models/checkpoint/manifest.h"
#include "models/hugging_face/hf_config.h"

namespace trireme::models {

std::vector<std::int64_t> end_ids(const ModelSource& source, std::int64_t vocabulary) {
  constexpr const char* kKey = "eos_token_id";
  for (const char* name : {"generation_config.json", kHfConfigFile}) {
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

}  // namespace trireme::models
