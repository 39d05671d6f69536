#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/config/field.h"

namespace trireme::models {

/// Rotary angles for sequences longer than those that a model was first trained on.
/// Sources: linear: Chen et al. 2023, arXiv:2306.15595; yarn: Peng et al. 2023, arXiv:2309.00071; longrope: Ding et al.
/// 2024, arXiv:2402.13753; llama3: Dubey et al. 2024, arXiv:2407.21783, section 3.2, as published with the weights.
struct RopeScaling {
  std::string type = "none";
  double factor = 1;
  std::int64_t original_context = 0;
  double low_frequency_factor = 1;
  double high_frequency_factor = 4;
  double beta_fast = 32;
  double beta_slow = 1;
  bool truncate = true;
  double attention_factor = 0;
  std::string short_factors;
  std::string long_factors;

  static constexpr auto fields() {
    using C = RopeScaling;
    return std::tuple{
        Field{"type", &C::type, "how rotary angles are made smaller for long sequences",
              OneOf("none", "linear", "llama3", "yarn", "longrope")},
        Field{"factor", &C::factor, "of linear, llama3, yarn: so many times the original context", Range(1, 1e6)},
        Field{"original-context", &C::original_context, "of llama3, yarn, longrope: the context before; 0: context",
              Range(0, 1 << 24)},
        Field{"low-frequency-factor", &C::low_frequency_factor,
              "of llama3: pairs that turn less often than this in the original context are slowed down in full",
              Range(1e-6, 1e6)},
        Field{"high-frequency-factor", &C::high_frequency_factor,
              "of llama3: pairs that turn more often than this stay as they are", Range(1e-6, 1e6)},
        Field{"beta-fast", &C::beta_fast, "of yarn: turns in the original context from which pairs stay as they are",
              Range(1e-6, 1e6)},
        Field{"beta-slow", &C::beta_slow, "of yarn: turns up to which pairs are slowed down in full", Range(1e-6, 1e6)},
        Field{"truncate", &C::truncate, "of yarn: the borders between them are rounded to whole pairs"},
        Field{"attention-factor", &C::attention_factor,
              "of yarn, longrope: queries and keys are multiplied by it; 0: what the papers recommend", Range(0, 1e3)},
        Field{"short-factors", &C::short_factors,
              "of longrope: by how much each pair is slowed down up to the original context", kCommaList},
        Field{"long-factors", &C::long_factors, "of longrope: the same beyond it", kCommaList}};
  }
};

/// Feed-forwards of which a router chooses some for each token.
/// Source: Shazeer et al. 2017, arXiv:1701.06538; as decoders have them: Jiang et al. 2024, arXiv:2401.04088.
struct ExpertsConfig {
  std::int64_t count = 0;
  std::int64_t per_token = 2;
  std::int64_t ffn = 0;
  bool normalise = true;
  std::string layers = "all";

  static constexpr auto fields() {
    using C = ExpertsConfig;
    return std::tuple{
        Field{"count", &C::count, "experts of a layer; 0: none", Range(0, 4096)},
        Field{"per-token", &C::per_token, "of which each token passes so many", Range(1, 4096)},
        Field{"ffn", &C::ffn, "channels inside an expert; 0: ffn", Range(0, 1 << 22)},
        Field{"normalise", &C::normalise, "the weights of a token's experts are made to add up to 1"},
        Field{"layers", &C::layers, "which have experts, counted from 0: all, or a list as 0,2,5-7", kCommaList}};
  }
};

/// Adapters: a change of low rank to linear layers whose own weights stay as they are.
/// Source: Hu et al. 2021, arXiv:2106.09685; with rank-stabilised: Kalajdzievski 2023, arXiv:2312.03732.
struct LoraConfig {
  std::int64_t rank = 0;
  double alpha = 0;
  bool rank_stabilised = false;
  double dropout = 0;
  std::string targets = "all";
  std::string layers = "all";

  static constexpr auto fields() {
    using C = LoraConfig;
    return std::tuple{
        Field{"rank", &C::rank, "of the change to each matrix; 0: none, and all weights are trained",
              Range(0, 1 << 16)},
        Field{"alpha", &C::alpha, "the change is multiplied by alpha / rank; 0: as the rank", Range(0, 1e6)},
        Field{"rank-stabilised", &C::rank_stabilised, "by alpha / sqrt(rank) instead"},
        Field{"dropout", &C::dropout, "share of what the change reads that is dropped while training", Range(0, 0.99)},
        Field{
            "targets", &C::targets,
            "the linear layers that have one: all of each block, or some of query, key, value, output, gate, up, down",
            kCommaList},
        Field{"layers", &C::layers, "in which blocks, counted from 0: all, or a list as 0,2,5-7", kCommaList}};
  }
};

/// The shape of a model. One key list serves all families; a value that a family cannot honour is an error.
struct ModelConfig {
  std::string family = "llama";
  std::string head = "language";
  std::vector<std::string> labels;
  std::int64_t padding = -1;
  std::int64_t layers = 4;
  std::int64_t width = 192;
  std::int64_t heads = 6;
  std::int64_t kv_heads = 0;
  std::int64_t head_width = 0;
  std::int64_t ffn = 0;
  std::int64_t context = 1024;
  std::int64_t vocabulary = 0;
  bool tie_embeddings = true;
  double dropout = 0;
  double rope_base = 10000;
  double rope_share = 1;
  RopeScaling rope_scaling;
  double norm_epsilon = 1e-5;
  std::int64_t token_types = 0;
  std::int64_t encoder_layers = 0;
  std::int64_t relative_buckets = 0;
  std::int64_t relative_distance = 0;
  std::string ffn_gate = "auto";
  std::string head_scale = "auto";
  std::string activation = "auto";
  std::string attention_bias = "auto";
  std::string ffn_bias = "auto";
  std::string parallel_residual = "auto";
  ExpertsConfig experts;
  LoraConfig lora;
  std::int64_t window = 0;
  std::string window_layers = "all";
  double attention_scale = 0;
  bool attention_scale_by_layer = false;
  double attention_softcap = 0;
  double logit_softcap = 0;

  static constexpr auto fields() {
    using C = ModelConfig;
    return std::tuple{
        Field{"family", &C::family, "architecture; see docs/guides/models.md", kRequired},
        Field{"head", &C::head,
              "what the model ends in: language: scores of tokens; classes: of classes that texts are of; labels: of "
              "labels that each token has; none: hidden states",
              OneOf("language", "classes", "labels", "none")},
        Field{"labels", &C::labels, "names of these classes or labels, once each; none: those of the corpus", kOneEach},
        Field{"padding", &C::padding,
              "of a decoder of classes: the token that texts are filled up with, behind which the last one is looked "
              "for; -1: none, of a new head the end of text",
              Range(-1, 2147483647.0)},
        Field{"layers", &C::layers, "transformer blocks", Range(1, 4096)},
        Field{"width", &C::width, "channels of the residual stream", Range(1, 1 << 20)},
        Field{"heads", &C::heads, "attention heads", Range(1, 1 << 16)},
        Field{"kv-heads", &C::kv_heads, "key and value heads, shared by groups of heads; 0: as many as heads",
              Range(0, 1 << 16)},
        Field{"head-width", &C::head_width, "channels of a head; 0: width / heads", Range(0, 1 << 16)},
        Field{"ffn", &C::ffn,
              "channels inside the feed-forward; 0: 4 times width, or with a gate 8/3 of it, rounded up to a multiple "
              "of 64",
              Range(0, 1 << 22)},
        Field{"context", &C::context, "longest sequence, tokens", Range(1, 1 << 24)},
        Field{"vocabulary", &C::vocabulary,
              "rows of the embedding; 0: as many as the tokenizer has ids; more leave room", Range(0, 2147483648.0)},
        Field{"tie-embeddings", &C::tie_embeddings, "one matrix for the embedding and the output"},
        Field{"dropout", &C::dropout,
              "share of embeddings, of attention's probabilities and of what each block adds that is dropped while "
              "training",
              Range(0, 0.99)},
        Field{"rope-base", &C::rope_base, "base of the rotary position angles", Range(1, 1e12)},
        Field{"rope-share", &C::rope_share, "share of a head's channels that turn with the position", Range(0, 1)},
        Field{"rope-scaling", &C::rope_scaling, "rotary angles of long sequences"},
        Field{"norm-epsilon", &C::norm_epsilon, "added to the mean square inside a norm", Range(0, 1)},
        Field{"token-types", &C::token_types, "kinds of tokens that an encoder tells apart; 0: the family's",
              Range(0, 1 << 16)},
        Field{"encoder-layers", &C::encoder_layers, "blocks of an encoder before the decoder; 0: as many as layers",
              Range(0, 4096)},
        Field{"relative-buckets", &C::relative_buckets,
              "ranges of distances that attention tells apart; 0: the family's", Range(0, 1 << 16)},
        Field{"relative-distance", &C::relative_distance, "from which on all are one range; 0: the family's",
              Range(0, 1 << 24)},
        Field{"head-scale", &C::head_scale,
              "what goes into the output matrix is divided by the root of the width; auto: where it is the embedding",
              OneOf("auto", "no", "yes")},
        Field{"ffn-gate", &C::ffn_gate, "a gate in the feed-forward; auto: the family's", OneOf("auto", "no", "yes")},
        Field{"activation", &C::activation, "inside the feed-forward; auto: the family's",
              OneOf("auto", "silu", "gelu", "gelu-tanh", "relu")},
        Field{"attention-bias", &C::attention_bias,
              "biases of attention's projections: none, those of queries, keys and values, or all; auto: the family's",
              OneOf("auto", "none", "inputs", "all")},
        Field{"ffn-bias", &C::ffn_bias, "biases in the feed-forward; auto: the family's", OneOf("auto", "no", "yes")},
        Field{"parallel-residual", &C::parallel_residual,
              "attention and feed-forward of a block read the same stream; auto: the family's",
              OneOf("auto", "no", "yes")},
        Field{"experts", &C::experts, "several feed-forwards, of which each token passes some"},
        Field{"lora", &C::lora, "adapters: what is trained instead of the weights themselves"},
        Field{"window", &C::window, "tokens that attention looks back on, the own one included; 0: all",
              Range(0, 1 << 24)},
        Field{"window-layers", &C::window_layers, "of which layers, counted from 0: all, or a list as 0,2,5-7",
              kCommaList},
        Field{"attention-scale", &C::attention_scale, "of attention's scores; 0: 1 / sqrt(head-width)", Range(0, 1e6)},
        Field{"attention-scale-by-layer", &C::attention_scale_by_layer, "divides it by the layer's number, from 1"},
        Field{"attention-softcap", &C::attention_softcap, "bound of attention's scores, softly, by tanh; 0: none",
              Range(0, 1e6)},
        Field{"logit-softcap", &C::logit_softcap, "bound of the scores of the next token, likewise; 0: none",
              Range(0, 1e6)}};
  }

  /// Whether texts or tokens are told apart by it.
  bool classifies() const { return head == "classes" || head == "labels"; }
  /// Whether the embedding is the output matrix too.
  bool ties_head() const { return tie_embeddings && head == "language"; }
  std::int64_t head_width_or_default() const { return head_width == 0 ? width / heads : head_width; }
  std::int64_t kv_heads_or_default() const { return kv_heads == 0 ? heads : kv_heads; }
  /// Channels of all heads' queries, and of keys or values.
  std::int64_t query_width() const { return heads * head_width_or_default(); }
  std::int64_t key_width() const { return kv_heads_or_default() * head_width_or_default(); }
};

}  // namespace trireme::models
