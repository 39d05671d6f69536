#include "models/hugging_face/experts_place.h"

#include <string>

#include "core/base/error.h"
#include "models/layers/feed_forward.h"

namespace trireme::models {

void expect_experts(const ModelConfig& config, std::string_view family) {
  if (config.experts.count < 1)
    throw Error(ErrorCode::kUsage, "model.experts.count must be at least 1 for family ", family, ", got ",
                config.experts.count);
}

std::int64_t expert_width(const ModelConfig& config) {
  return config.experts.ffn > 0 ? config.experts.ffn : FeedForward::inner_width(config, /*gated=*/true);
}

void read_experts(HfConfig& from, ModelConfig& to) {
  to.experts.count = from.integer(from.has("num_local_experts") ? "num_local_experts" : "num_experts");
  from.ignore({"num_experts", "num_local_experts"});
  to.experts.per_token = from.integer("num_experts_per_tok");
  from.ignore({"router_aux_loss_coef"});  // without meaning unless the next one asks for it
  if (from.flag("output_router_logits", false))
    from.fail("output_router_logits", "must be false: the loss that balances experts while training is not supported");
}

void write_experts(const ModelConfig& from, HfConfigWriter& to) {
  to.set("num_local_experts", from.experts.count);
  to.set("num_experts", from.experts.count);
  to.set("num_experts_per_tok", from.experts.per_token);
}

std::optional<HfPlace> expert_place(const Parameter& parameter, std::string_view prefix,
                                    const std::array<std::string_view, 3>& gate_up_down) {
  const auto [layer, part] = split_block_name(parameter.name);
  const std::string block = "model.layers." + std::to_string(layer) + "." + std::string(prefix);
  if (part == "feed-forward.router.weight") return whole_tensor(block + "gate.weight", parameter);
  constexpr std::string_view kExperts = "feed-forward.experts.";
  if (layer < 0 || !part.starts_with(kExperts)) return std::nullopt;
  const std::string_view rest = part.substr(kExperts.size());
  const std::size_t dot = rest.find('.');
  const std::string_view matrix = rest.substr(dot + 1);
  const std::string_view name = matrix == "gate.weight" ? gate_up_down[0]
                                : matrix == "up.weight" ? gate_up_down[1]
                                                        : gate_up_down[2];
  return whole_tensor(block + "experts." + std::string(rest.substr(0, dot)) + "." + std::string(name) + ".weight",
                      parameter);
}

}  // namespace trireme::models
