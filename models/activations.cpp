#include "models/activations.h"

#include <algorithm>

#include "core/base/error.h"
#include "models/family.h"
#include "models/kernels/ops.h"
#include "models/layer_list.h"
#include "models/registry.h"

namespace trireme::models {
namespace {

// Null where a family has no such parameter.
const Parameter* find(const ParameterList& parameters, const std::string& name) {
  const auto found = std::ranges::find(parameters.all(), name, &Parameter::name);
  return found == parameters.all().end() ? nullptr : &*found;
}

std::int64_t first_with_experts(const ModelConfig& config) {
  const std::vector<bool> chosen = layer_list(config.experts.layers, config.layers, "model.experts.layers");
  const auto first = std::ranges::find(chosen, true);
  return config.experts.count > 0 && first != chosen.end() ? first - chosen.begin() : 0;
}

}  // namespace

// What operations hold for backward (kernels/ops.cpp, row_ops.cpp), in the order of Block::forward. A test counts what
// is really held.
ActivationBytes activation_bytes(const Model& model, const PassSize& size) {
  const ModelConfig& config = model.config();
  // The shape of a layer is read from its parameters, and so needs no word of families.
  const std::int64_t layer = first_with_experts(config);
  const auto shape = build_model(config, model.vocabulary(), Part{layer, layer + 1});
  const ParameterList& parameters = shape->parameters();
  const std::string block = "blocks." + std::to_string(layer) + ".";
  const bool has_experts = find(parameters, block + "feed-forward.router.weight") != nullptr;
  const std::string feed = block + (has_experts ? "feed-forward.experts.0." : "feed-forward.");
  const bool gated = find(parameters, feed + "gate.weight") != nullptr;
  const double statistics = find(parameters, block + "attention-norm.bias") ? 8 : 4;  // of a norm, a token
  const auto width = static_cast<double>(config.width);
  const Parameter* const up = find(parameters, feed + "up.weight");
  if (!up) throw Error(ErrorCode::kBug, "it is not known what a layer of family ", config.family, " holds");
  // Rows that pass a feed-forward, a token.
  const double passes = has_experts ? static_cast<double>(config.experts.per_token) : 1;
  const double inner = passes * static_cast<double>(up->shape[0]);
  const auto queries = static_cast<double>(config.query_width()), keys = static_cast<double>(config.key_width());
  const auto heads = static_cast<double>(config.heads);
  const bool rotates = find(parameters, "position-embedding.weight") == nullptr;

  const auto item = static_cast<double>(size.element_size);
  const double tokens = static_cast<double>(size.sequences * size.length);
  const double channel = tokens * item;  // of one channel of all tokens
  const double input = width * channel;
  // Products and attention: what selective recompute keeps.
  const ops::AttentionRule rule{config.attention_scale, config.attention_softcap, config.window};
  const bool is_general = size.drops_attention || config.attention_scale_by_layer || !rule.is_plain(size.length);
  const double attended = queries * channel + (is_general ? 0 : heads * tokens * 4);
  const double projected = (queries + 2 * keys) * channel, mixed = width * channel,
               raised = (gated ? 2 : 1) * inner * channel;
  // Norms' results and what they hold of a row; activations; with rotation queries and keys as they were projected are
  // not held.
  const bool norms_behind = find(parameters, block + "feed-forward-output-norm.weight") != nullptr;
  const bool norms_heads = find(parameters, block + "attention.query-norm.weight") != nullptr;
  const double behind = norms_behind ? 2 * (width * channel + statistics * tokens) : 0;
  const double of_heads =
      norms_heads ? (queries + keys) * channel + statistics * tokens * (heads + keys / queries * heads) : 0;
  const double norms = 2 * (width * channel + statistics * tokens) + behind + of_heads;
  // A gate that is not the kernel's own keeps what the activation gave beside its product with the other side.
  const bool fused = !gated || activation_of(config) == ops::Activation::kSilu;
  const double activated = (fused ? 1 : 2) * inner * channel;
  // The stream between attention and feed-forward.
  // Of experts: tokens in the order of experts, what the experts give, and the router's scores and probabilities.
  const double of_experts =
      has_experts ? 2 * passes * width * channel + 3 * tokens * static_cast<double>(config.experts.count) * 4 : 0;
  const double second = has_parallel_residual(config) ? 0 : width * channel;
  const double all = input + norms + projected + attended + second + raised + activated + of_experts;

  ActivationBytes bytes;
  switch (size.recompute) {
    case Recompute::kNone:
      bytes.block = all;
      break;
    case Recompute::kSelective:
      bytes.block = input + projected + attended + mixed + raised + (norms_behind ? width * channel : 0) +
                    (has_experts ? passes * width * channel : 0);
      bytes.replayed = norms + second + activated + of_experts + (rotates ? (queries + keys) * channel : 0);
      break;
    case Recompute::kFull:
      bytes.block = input;
      bytes.replayed = all - input;
      break;
  }
  // Gradients of the matrices that read one input come together, while those of their results are there.
  // Of experts one after the other, but for what all their rows take.
  const double feed_forward = (gated ? 2 : 1) * (inner / passes * width * item + inner * channel) + inner * channel +
                              (has_experts ? passes * width * channel + of_experts : 0),
               attention = (queries + 2 * keys) * width * item + (2 * queries + 2 * keys) * channel;
  bytes.backward = std::max(feed_forward, attention) + 2 * width * channel;

  const std::int64_t scores =
      config.classifies() ? static_cast<std::int64_t>(config.labels.size()) : model.vocabulary();
  const double head = static_cast<double>(scores) * width;
  const double master = std::max(item, 4.0);
  bytes.end = 2 * width * channel + statistics * tokens + head * item;
  bytes.loss = std::min(tokens, static_cast<double>(ops::rows_of_logits(scores, size.element_size))) *
                   static_cast<double>(scores) * item +
               width * channel + (master > item ? head * master : 0);
  bytes.passed = width * channel;
  return bytes;
}

}  // namespace trireme::models
