#pragma once
#include <filesystem>
#include <optional>

#include "models/adapters/adapted_source.h"
#include "models/hugging_face/hf_export.h"

namespace trireme::models {

/// Writes the adapters of a model as Hugging Face's PEFT reads them, and the tokenizer's texts beside them. Where one
/// module of theirs is several layers of ours, its adapter has the ranks of all of them together and gives the same.
/// @param type  of the numbers; nothing: as they are stored
/// @throws Error kUsage when `to` exists; kBadInput, kCorrupt, kIo
HfExported export_to_peft(const AdaptedSource& from, const std::filesystem::path& to, std::optional<StoredType> type);

}  // namespace trireme::models
