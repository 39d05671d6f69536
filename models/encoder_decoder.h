#pragma once
#include <memory>

#include "models/layers/block.h"
#include "models/model.h"

namespace trireme::models {

/// Reads one text as a whole and writes another: an encoder, and a decoder whose blocks look at what the encoder gave
/// as well. Where tokens stand is told by numbers for distances, which all blocks of a side share.
///
/// Adds "embedding.weight", "encoder.relative-bias.weight", "encoder.blocks.<layer>...", "encoder.norm...",
/// "relative-bias.weight", "blocks.<layer>...", "norm...", "head.weight".
/// Source: Vaswani et al. 2017, arXiv:1706.03762; Raffel et al. 2019, arXiv:1910.10683.
/// @param block  what is of one side is filled in
/// @throws Error kUsage naming the key that cannot be honoured
std::unique_ptr<Model> make_encoder_decoder(const ModelConfig& config, std::int64_t vocabulary, Part part,
                                            const Block::Options& block);

}  // namespace trireme::models
