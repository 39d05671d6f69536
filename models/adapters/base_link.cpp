#include "models/adapters/base_link.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "core/base/durable.h"
#include "core/base/error.h"
#include "core/base/strict_json.h"
#include "models/checkpoint/manifest.h"
#include "models/load.h"

namespace trireme::models {
namespace {

namespace fs = std::filesystem;
constexpr const char* kObject = "base model";

bool belongs_to_model(const std::string& name) {
  return name == kManifestFile || is_rank_file(name) || name == kTokenizerFile || name == "config.json" ||
         name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json") ||
         std::ranges::find(kCompanionFiles, name) != std::end(kCompanionFiles);
}

void copy_durably(const fs::path& from, const fs::path& to) {
  std::error_code failed;
  fs::copy_file(from, to, failed);
  // One that may only be read is a copy that may not be synced.
  if (!failed) fs::permissions(to, fs::perms::owner_write, fs::perm_options::add, failed);
  if (failed) throw Error(ErrorCode::kIo, "cannot copy ", from.string(), " to ", to.string(), ": ", failed.message());
  OutputFile(to, kObject, OutputFile::Open::kExisting).sync();
}

}  // namespace

BaseLink link_to(const ModelSource& base, fs::path path) {
  const auto* const checkpoint = dynamic_cast<const CheckpointSource*>(&base);
  return {std::move(path), checkpoint ? checkpoint->weights() : Weights::kCurrent, fingerprint(base),
          weights_hash(base)};
}

std::string to_json(const BaseLink& link) {
  return json_text(nlohmann::json{{"path", link.path.string()},
                                  {"weights", link.weights == Weights::kAverage ? "ema" : "current"},
                                  {"fingerprint", link.fingerprint},
                                  {"weights_hash", link.weights_hash}});
}

BaseLink base_link_from_json(const std::string& json, const std::string& where) {
  const nlohmann::json object = parse_object(json, where, ErrorCode::kCorrupt);
  const auto text = [&](const char* key) {
    if (!object.contains(key) || !object[key].is_string() || object[key].get_ref<const std::string&>().empty())
      throw Error(ErrorCode::kCorrupt, where, ": ", key, " must be a text");
    return object[key].get<std::string>();
  };
  BaseLink link{text("path"), Weights::kCurrent, text("fingerprint"), text("weights_hash")};
  const std::string weights = text("weights");
  if (weights != "current" && weights != "ema")
    throw Error(ErrorCode::kCorrupt, where, ": weights must be current or ema, got ", json_excerpt(object["weights"]));
  if (weights == "ema") link.weights = Weights::kAverage;
  return link;
}

namespace {

struct Opened {
  BaseLink link;
  std::unique_ptr<ModelSource> base;
};

Opened opened_base(const Checkpoint& adapters, const fs::path& instead) {
  const std::string where = adapters.directory().string();
  const auto text = adapters.companion(kBaseFile);
  if (!text)
    throw Error(ErrorCode::kCorrupt, where, " holds adapters, and no ", kBaseFile, ", which says of which model");
  const BaseLink link = base_link_from_json(*text, where + "/" + kBaseFile);
  // The checkpoint itself may go by another name.
  const fs::path path =
      instead.empty() ? (fs::canonical(adapters.directory()) / link.path).lexically_normal() : instead;
  if (!fs::exists(path))
    throw Error(ErrorCode::kNotFound, where, " belongs to the model ", path.string(),
                ", which is not there: put it back, or say where it is (--base, finetune.base)");
  auto base = open_source(path, {.weights = link.weights, .whole = true});
  if (fingerprint(*base) != link.fingerprint)
    throw Error(ErrorCode::kBadInput, path.string(), " is not the model that the adapters in ", where,
                " were trained on: its weights or its shape are others");
  return {std::move(link), std::move(base)};
}

}  // namespace

std::unique_ptr<ModelSource> open_base(const Checkpoint& adapters, const fs::path& instead) {
  return opened_base(adapters, instead).base;
}

std::vector<std::string> base_faults(const Checkpoint& adapters, const fs::path& instead) {
  const auto [link, base] = opened_base(adapters, instead);
  std::vector<std::string> faults;
  if (const auto* const checkpoint = dynamic_cast<const CheckpointSource*>(base.get()))
    faults = verify_checkpoint(checkpoint->checkpoint().directory());
  if (const std::string found = weights_hash(*base); found != link.weights_hash)
    faults.push_back("its weights have the hash " + found + ", and not " + link.weights_hash + ", that of the base");
  return faults;
}

bool holds(const fs::path& folder, const BaseLink& link) {
  try {
    return fingerprint(*open_source(folder, {.weights = link.weights, .whole = true})) == link.fingerprint;
  } catch (const Error&) {
    return false;
  }
}

void keep_model(const ModelSource& source, const BaseLink& link, const fs::path& folder) {
  make_folder(folder, kObject);
  for (const fs::directory_entry& entry : fs::directory_iterator(source.where())) {
    if (!entry.is_regular_file() || !belongs_to_model(entry.path().filename().string())) continue;
    // Caches of downloads are made of symbolic links.
    const fs::path file = fs::canonical(entry.path()), to = folder / entry.path().filename();
    std::error_code failed;
    fs::create_hard_link(file, to, failed);
    if (failed) copy_durably(file, to);
  }
  sync_folder(folder, kObject);
  // A run that still trains may have removed the checkpoint meanwhile.
  if (!holds(folder, link))
    throw Error(ErrorCode::kBadInput, source.where(), " changed while it was copied to ", folder.string());
}

}  // namespace trireme::models
