#pragma once
#include "models/hugging_face/hf_config.h"

/// The keys by which the Qwen families say which layers have a window.
namespace trireme::models {

/// use_sliding_window, sliding_window, and layer_types or max_window_layers, the first of them that slides.
void read_qwen_window(HfConfig& from, ModelConfig& to);
void write_qwen_window(const ModelConfig& from, HfConfigWriter& to);

}  // namespace trireme::models
