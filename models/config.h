#pragma once
#include <cstdint>
#include <string>

#include "core/config/field.h"

namespace trireme::models {

/// The shape of a model. One key list serves all families; a value that a family cannot honour is an error.
struct ModelConfig {
  std::string family = "llama";
  std::int64_t layers = 4;
  std::int64_t width = 192;
  std::int64_t heads = 6;
  std::int64_t kv_heads = 0;
  std::int64_t ffn = 0;
  std::int64_t context = 1024;
  bool tie_embeddings = true;
  double dropout = 0;
  double rope_base = 10000;
  double norm_epsilon = 1e-5;

  static constexpr auto fields() {
    using C = ModelConfig;
    return std::tuple{
        Field{"family", &C::family, "architecture; see docs/architecture.md", kRequired},
        Field{"layers", &C::layers, "transformer blocks", Range(1, 4096)},
        Field{"width", &C::width, "channels of the residual stream; a multiple of heads", Range(1, 1 << 20)},
        Field{"heads", &C::heads, "attention heads", Range(1, 1 << 16)},
        Field{"kv-heads", &C::kv_heads, "key and value heads, shared by groups of heads; 0: as many as heads",
              Range(0, 1 << 16)},
        Field{"ffn", &C::ffn,
              "channels inside the feed-forward; 0: 4 times width, or with a gate 8/3 of it, rounded up to a multiple "
              "of 64",
              Range(0, 1 << 22)},
        Field{"context", &C::context, "longest sequence, tokens", Range(1, 1 << 24)},
        Field{"tie-embeddings", &C::tie_embeddings, "one matrix for the embedding and the output"},
        Field{"dropout", &C::dropout,
              "share of embeddings, of attention's probabilities and of what each block adds that is dropped while "
              "training",
              Range(0, 0.99)},
        Field{"rope-base", &C::rope_base, "base of the rotary position angles", Range(1, 1e12)},
        Field{"norm-epsilon", &C::norm_epsilon, "added to the mean square inside a norm", Range(0, 1)}};
  }

  std::int64_t head_width() const { return width / heads; }
  std::int64_t kv_heads_or_default() const { return kv_heads == 0 ? heads : kv_heads; }
};

}  // namespace trireme::models
