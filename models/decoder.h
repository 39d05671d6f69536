#pragma once
#include <memory>

#include "models/layers/block.h"
#include "models/model.h"

namespace trireme::models {

/// What sets the decoders of different families apart, beside the values of model.*.
struct DecoderOptions {
  Block::Options block;            ///< positions, scale and window of its attention are filled in from model.*
  bool learned_positions = false;  ///< a table that is added to the embedding; else rotary positions
  double embedding_scale = 1;      ///< of the embedding, in the weights' type
};

/// A decoder: embedding, blocks, a norm, and the output matrix. All families of decoders are this one with other
/// options.
///
/// Adds "embedding.weight", with learned positions "position-embedding.weight", "blocks.<layer>...", "norm...",
/// "head.weight".
/// @throws Error kUsage naming the key that cannot be honoured
std::unique_ptr<Model> make_decoder(const ModelConfig& config, std::int64_t vocabulary, Part part,
                                    const DecoderOptions& options);

}  // namespace trireme::models
