#pragma once
#include <memory>

#include "models/layers/block.h"
#include "models/model.h"

namespace trireme::models {

/// An encoder: embeddings of tokens, positions and token types, normed; blocks in which every token sees all others and
/// whose norms come last. With model.head language, scores of the text's own tokens for who masked some of them; with
/// none, what it makes of the text as a whole (pooled()); with classes, scores of what is made of its first token
/// likewise; with labels, of each token.
///
/// Adds "embedding.weight", "position-embedding.weight", "type-embedding.weight", "embedding-norm...",
/// "blocks.<layer>...", and of heads "pooler..." or "head-transform...", "head-norm...", "head.weight",
/// "head.bias" or "head-bias.bias". Source: Devlin et al. 2018, arXiv:1810.04805.
/// @param block  positions and the rule of its attention are filled in
/// @throws Error kUsage naming the key that cannot be honoured
std::unique_ptr<Model> make_encoder(const ModelConfig& config, std::int64_t vocabulary, Part part,
                                    const Block::Options& block);

}  // namespace trireme::models
