#pragma once
#include <array>
#include <optional>
#include <string_view>

#include "models/hugging_face/hf_config.h"
#include "models/hugging_face/hf_place.h"

/// What families with experts share.
namespace trireme::models {

/// That a family that is known for its experts has some. @throws Error kUsage
void expect_experts(const ModelConfig& config, std::string_view family);
/// Channels inside an expert.
std::int64_t expert_width(const ModelConfig& config);

/// num_local_experts or num_experts, num_experts_per_tok. A loss that balances experts, of training alone, is refused
/// where it is asked for.
void read_experts(HfConfig& from, ModelConfig& to);
void write_experts(const ModelConfig& from, HfConfigWriter& to);

/// Of a parameter of a router or an expert: "model.layers.N." + prefix + "gate.weight", or prefix + "experts.E." and
/// the name of its gate, up or down matrix. Nothing for other parameters.
std::optional<HfPlace> expert_place(const Parameter& parameter, std::string_view prefix,
                                    const std::array<std::string_view, 3>& gate_up_down);

}  // namespace trireme::models
