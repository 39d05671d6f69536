#pragma once
#include <ATen/core/Tensor.h>

#include <optional>

#include "models/kernels/documents.h"
#include "models/kernels/dropout.h"

namespace trireme::models {

class KvCache;
class WeightAccess;

/// What of a block stays in memory for backward, and what is computed a second time there. No bit differs.
enum class Recompute {
  kNone,       ///< all stays
  kSelective,  ///< results of matrix products and attention stay; norms, activations, rotations and masks are made
               ///< again
  kFull,       ///< only what goes into the block stays
};

/// What a forward pass is told beside tokens and weights. The default is a plain one: positions start at 0 and see only
/// each other, and nothing is dropped.
struct ForwardPass {
  /// The tokens follow what the cache holds, see it, and are added to it.
  KvCache* cache = nullptr;
  /// For training: model.dropout of activations is dropped, by masks of this key. Not together with a cache.
  std::optional<DropoutKey> dropout{};
  Recompute recompute = Recompute::kNone;
  /// Told of the parts of the model that are read; null where all weights are always there. Lives until backward ends.
  WeightAccess* weights = nullptr;
  /// Of a model with an encoder: what that gave, [B, S, C].
  at::Tensor memory{};
  /// Of texts that were filled up behind their end: how many tokens each has, at least one, [B] int64. What lies behind
  /// is seen by none of them; causal attention need not be told.
  at::Tensor lengths{};
  /// Of rows that several documents share; null where each row is one. Of decoders, and not together with a cache.
  DocumentsPointer documents{};
  /// Added to scores of self-attention, [H, T, L]; models fill it in for their blocks.
  at::Tensor attention_bias{};
};

}  // namespace trireme::models
