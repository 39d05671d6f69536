#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "models/model_source.h"

namespace trireme::models {

/// What a checkpoint of adapters says of the model that they change (kBaseFile): adapters alone are no model.
struct BaseLink {
  std::filesystem::path path;  ///< of that model; relative to the checkpoint's directory, or absolute
  Weights weights = Weights::kCurrent;
  std::string fingerprint;   ///< fingerprint() of it, which is compared whenever it is opened
  std::string weights_hash;  ///< weights_hash() of it, for who reads all of it
};

/// To a model that lies at `path`. Reads all of it where its hash is not known. @throws Error kCorrupt, kIo
BaseLink link_to(const ModelSource& base, std::filesystem::path path);

std::string to_json(const BaseLink& link);
/// @throws Error kCorrupt
BaseLink base_link_from_json(const std::string& json, const std::string& where);

/// Opens the model that a checkpoint's adapters change.
/// @param instead  where it lies now; empty: where the checkpoint says
/// @throws Error kNotFound, kBadInput when it is not there or another one; and as open_source
std::unique_ptr<ModelSource> open_base(const Checkpoint& adapters, const std::filesystem::path& instead = {});

/// What is wrong with that model, a line each: all of it is read. @throws Error as open_base
std::vector<std::string> base_faults(const Checkpoint& adapters, const std::filesystem::path& instead = {});

/// Makes `folder` a copy of what a model on disk is made of: hard links on one file system, which cost nothing and stay
/// when their other names go, and copies elsewhere.
/// @param link  to `source`
/// @throws Error kIo; kBadInput when the source changed meanwhile
void keep_model(const ModelSource& source, const BaseLink& link, const std::filesystem::path& folder);

/// Whether `folder` is the model of a link.
bool holds(const std::filesystem::path& folder, const BaseLink& link);

}  // namespace trireme::models
