#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "models/model_source.h"

namespace trireme::models {

struct HfExport {
  std::optional<StoredType> type;             ///< of all weights; none: as they are stored
  std::uint64_t shard_bytes = 5'000'000'000;  ///< a file of tensors holds no more, unless one tensor does
};

struct HfExported {
  std::uint64_t bytes = 0;  ///< of tensors
  std::int64_t files = 0;   ///< that hold them
};

/// Writes a model as a Hugging Face directory: config.json, weights as safetensors, in several files with an index
/// where there are many, and the texts that go with it. What an import kept of the directory it came from is given back
/// byte for byte, so that nothing but config.json is written anew.
///
/// `to` appears at once, when all is written and synced. Holds one tensor in memory where it is put together of several
/// of ours, else some MiB.
/// @throws Error kUsage when `to` exists; kBadInput when a tensor is put together of weights of several types;
/// kCorrupt,
///         kIo, and then nothing is left
HfExported export_to_hugging_face(const ModelSource& from, const std::filesystem::path& to,
                                  const HfExport& options = {});

/// tokenizer.json and what else goes with a model into `folder`.
void write_tokenizer_texts(const ModelSource& from, const std::filesystem::path& folder, std::int64_t context);

/// config.json of a model.
/// @param original  of the directory it came from, or empty. Where it describes this very model it is given back as it
///                  is, but for the type; else ids of special tokens and labels are taken over
std::string hf_config_text(const ModelSource& from, StoredType type, const std::string& original);

}  // namespace trireme::models
