#include "models/activations.h"

#include <algorithm>

#include "core/base/error.h"
#include "models/kernels/ops.h"
#include "models/registry.h"

namespace trireme::models {
namespace {

// Null where a family has no such parameter.
const Parameter* find(const ParameterList& parameters, const std::string& name) {
  const auto found = std::ranges::find(parameters.all(), name, &Parameter::name);
  return found == parameters.all().end() ? nullptr : &*found;
}

}  // namespace

// What operations hold for backward (kernels/ops.cpp, row_ops.cpp), in the order of Block::forward. A test counts what
// is really held.
ActivationBytes activation_bytes(const Model& model, const PassSize& size) {
  const ModelConfig& config = model.config();
  // The shape of a layer is read from its parameters, and so needs no word of families.
  ModelConfig one = config;
  one.layers = 1;
  const auto shape = build_model(one, model.vocabulary());
  const ParameterList& parameters = shape->parameters();
  const std::string block = "blocks.0.";
  const bool gated = find(parameters, block + "feed-forward.gate.weight") != nullptr;
  const double statistics = find(parameters, block + "attention-norm.bias") ? 8 : 4;  // of a norm, a token
  const auto width = static_cast<double>(config.width);
  const Parameter* const up = find(parameters, block + "feed-forward.up.weight");
  if (!up) throw Error(ErrorCode::kBug, "it is not known what a layer of family ", config.family, " holds");
  const auto inner = static_cast<double>(up->shape[0]);
  const double keys = static_cast<double>(config.kv_heads_or_default() * config.head_width());
  const auto heads = static_cast<double>(config.heads);
  const bool rotates = find(parameters, "position-embedding.weight") == nullptr;

  const auto item = static_cast<double>(size.element_size);
  const double tokens = static_cast<double>(size.sequences * size.length);
  const double channel = tokens * item;  // of one channel of all tokens
  const double input = width * channel;
  // Products and attention: what selective recompute keeps.
  const double attended = width * channel + (size.drops_attention ? 0 : heads * tokens * 4);
  const double projected = (width + 2 * keys) * channel, mixed = width * channel,
               raised = (gated ? 2 : 1) * inner * channel;
  // Norms' results and what they hold of a row; activations; with rotation queries and keys as they were projected are
  // not held.
  const double norms = 2 * (width * channel + statistics * tokens), activated = inner * channel;
  const double second = width * channel;  // the stream between attention and feed-forward
  const double all = input + norms + projected + attended + second + raised + activated;

  ActivationBytes bytes;
  switch (size.recompute) {
    case Recompute::kNone:
      bytes.block = all;
      break;
    case Recompute::kSelective:
      bytes.block = input + projected + attended + mixed + raised;
      bytes.replayed = norms + second + activated + (rotates ? (width + keys) * channel : 0);
      break;
    case Recompute::kFull:
      bytes.block = input;
      bytes.replayed = all - input;
      break;
  }
  // Gradients of the matrices that read one input come together, while those of their results are there.
  const double feed_forward = (gated ? 2 : 1) * (inner * width * item + inner * channel) + inner * channel,
               attention = (width + 2 * keys) * width * item + (2 * width + 2 * keys) * channel;
  bytes.backward = std::max(feed_forward, attention) + 2 * width * channel;

  const auto vocabulary = static_cast<double>(model.vocabulary());
  const double head = vocabulary * width;
  const double master = std::max(item, 4.0);
  bytes.end = 2 * width * channel + statistics * tokens + head * item;
  bytes.loss = std::min(tokens, static_cast<double>(ops::rows_of_logits(model.vocabulary(), size.element_size))) *
                   vocabulary * item +
               width * channel + (master > item ? head * master : 0);
  bytes.passed = width * channel;
  return bytes;
}

}  // namespace trireme::models
