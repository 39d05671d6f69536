#include "models/hugging_face/qwen_window.h"

namespace trireme::models {

void read_qwen_window(HfConfig& from, ModelConfig& to) {
  constexpr std::int64_t kDefaultWindow = 4096, kDefaultFirst = 28;  // of a config.json that does not say
  const std::int64_t first = from.integer("max_window_layers", kDefaultFirst);
  std::vector<bool> sliding(static_cast<std::size_t>(to.layers));
  for (std::size_t layer = 0; layer < sliding.size(); ++layer)
    sliding[layer] = static_cast<std::int64_t>(layer) >= first;
  read_window_if_used(from, to, kDefaultWindow, sliding);
}

void write_qwen_window(const ModelConfig& from, HfConfigWriter& to) {
  to.set("use_sliding_window", from.window > 0);
  if (from.window > 0) {
    to.set("sliding_window", from.window);
    to.set("max_window_layers", 0);
  }
  to.set("layer_types", layer_types(from));
}

}  // namespace trireme::models
