#pragma once
#include <cstdint>
#include <vector>

#include "models/model_source.h"

namespace trireme::models {

/// The tokens that end a text, as the files that came with a model say: eos_token_id of generation_config.json, else of
/// its config.json. Those outside of the vocabulary are left out. None for a model of our own training: its tokenizer
/// knows. @throws Error kBadInput when they are no numbers
std::vector<std::int64_t> end_ids(const ModelSource& source, std::int64_t vocabulary);

/// The token that the decoder of a model with an encoder begins with. @throws Error kBadInput where nothing says so
std::int64_t decoder_start_id(const ModelSource& source, std::int64_t vocabulary);

}  // namespace trireme::models
