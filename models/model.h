#pragma once
#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "models/config.h"
#include "models/forward_pass.h"
#include "models/parameters.h"
#include "models/part.h"

namespace trireme::models {

/// What training and serving see of a model, or of a part of it. A family has one forward: batches and cached
/// decoding, training and serving run the same code.
class Model {
 public:
  virtual ~Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  /// @param input  tokens [B, T], int64, ids below vocabulary(); of a part that does not begin the model, [B, T, C],
  ///               what the part before returned
  /// @returns      [B, T, C], where the model ends after the last norm; logits() or next_token_loss() make of it what
  /// is
  ///               asked for
  /// @throws Error kBadInput when the sequence outgrows the context
  virtual at::Tensor forward(const at::Tensor& input, const ForwardPass& pass = {}) = 0;

  /// Sequences longer than this turn keys by other angles than shorter ones, from their first token on: a cache that
  /// holds a shorter one is to be cleared, and filled anew.
  virtual std::optional<std::int64_t> cache_border() const { return std::nullopt; }

  /// The matrix [S, C] that turns hidden states into scores: of tokens, or of model.labels. Of a part that ends the
  /// model.
  /// @throws Error kBug for a model without one (model.head none)
  const Parameter& head() const;
  /// Added behind it, [S]; null: nothing.
  const Parameter* head_bias() const { return head_bias_; }
  /// What goes into that matrix, made of hidden states [B, T, C]; they themselves where a family says nothing else.
  virtual at::Tensor before_head(const at::Tensor& hidden, const ForwardPass& = {}) const { return hidden; }
  /// With model.head classes: which of a text's tokens stands for it, of a decoder the last one that is not
  /// model.padding, or the first of all where none is. @param ids  not empty
  std::int64_t class_place(std::span<const std::int64_t> ids) const;
  /// What the model itself makes of hidden states [B, T, C] of whole texts: [B, C]; nothing where it makes nothing.
  virtual std::optional<at::Tensor> pooled(const at::Tensor&) const { return std::nullopt; }
  /// Whether it reads a text with an encoder and writes another.
  virtual bool has_encoder() const { return false; }
  /// Of such a model: what it makes of the text that it reads, tokens [B, S] -> [B, S, C]: ForwardPass::memory.
  virtual at::Tensor encode(const at::Tensor& tokens_bt, const ForwardPass& pass = {});

  bool begins() const { return part_.first == 0; }
  bool ends() const { return part_.last == config_.layers; }
  const Part& part() const { return part_; }

  ParameterList& parameters() { return parameters_; }
  const ParameterList& parameters() const { return parameters_; }
  const ModelConfig& config() const { return config_; }
  std::int64_t vocabulary() const { return vocabulary_; }
  /// Floating-point operations of one training step's forward and backward a token: 6 for each element of a matrix, 4
  /// where it is frozen, and 12 * layers * width * length for attention's scores and sums, half of it where attention
  /// is causal. Source: Kaplan et al. 2020, arXiv:2001.08361, section 2.1; PaLM, arXiv:2204.02311, appendix B.
  double training_flops_per_token(std::int64_t sequence_length) const;

 protected:
  /// @throws Error kUsage  what no family can honour, by the key's name
  Model(ModelConfig config, std::int64_t vocabulary, Part part);

  /// Adds "embedding.weight" [V, C], which the first part reads, and the last one where its head is tied to it; null
  /// for others. To be called first.
  const Parameter* add_embedding(Init init);
  /// Adds "head.weight" where the model ends and has one: the embedding itself with model.tie-embeddings, else, and for
  /// classes and labels, a matrix of its own; for these, where asked for, "head.bias". To be called last.
  void add_head(Init init, bool bias);

  ParameterList parameters_;
  const Parameter* head_bias_ = nullptr;

 private:
  ModelConfig config_;
  std::int64_t vocabulary_;
  Part part_;
  const Parameter *embedding_ = nullptr, *head_ = nullptr;
};

/// Scores of tokens, of the next one or of an encoder's own, or of classes or labels: [B, T, C] -> [B, T, S], in the
/// weights' type, those of tokens bounded as model.logit-softcap says.
at::Tensor logits(const Model& model, const at::Tensor& hidden_btc);

/// {"family": ..., "vocabulary": V, ...}: what a checkpoint says of its model, and a model made from it.
std::string model_json(const ModelConfig& config, std::int64_t vocabulary);
/// @throws Error kBadInput, kUsage
std::unique_ptr<Model> model_from_json(const std::string& json, const std::string& origin);

/// Whether two such texts describe one model: an older one knows fewer keys.
bool is_same_model(const std::string& a, const std::string& b);

}  // namespace trireme::models
