#include "models/adapters/base_link.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
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
  if (failed) throw Error(ErrorCode::kIo, "cannot copy ", from.string(), " to ", to.string(), ": ", failed.message());
  OutputFile(to, kObject, OutputFile::Open::kExisting).sync();
}

}  // namespace

BaseLink link_to(const ModelSource& base, fs::path path) {
  const auto* const checkpoint = dynamic_cast<const CheckpointSource*>(&base);
  return {std::move(path), checkpoint ? checkpoint->weights() : Weights::kCurrent, fingerprint(base)};
}

std::string to_json(const BaseLink& link) {
  return json_text(nlohmann::json{{"path", link.path.string()},
                                  {"weights", link.weights == Weights::kAverage ? "ema" : "current"},
                                  {"fingerprint", link.fingerprint}});
}

BaseLink base_link_from_json(const std::string& json, const std::string& where) {
  const nlohmann::json object = parse_object(json, where, ErrorCode::kCorrupt);
  const auto text = [&](const char* key) {
    if (!object.contains(key) || !object[key].is_string() || object[key].get_ref<const std::string&>().empty())
      throw Error(ErrorCode::kCorrupt, where, ": ", key, " must be a text");
    return object[key].get<std::string>();
  };
  BaseLink link{text("path"), Weights::kCurrent, text("fingerprint")};
  const std::string weights = text("weights");
  if (weights != "current" && weights != "ema")
    throw Error(ErrorCode::kCorrupt, where, ": weights must be current or ema, got ", json_excerpt(object["weights"]));
  if (weights == "ema") link.weights = Weights::kAverage;
  return link;
}

std::unique_ptr<ModelSource> open_base(const Checkpoint& adapters, const fs::path& instead) {
  const std::string where = adapters.directory().string();
  const auto text = adapters.companion(kBaseFile);
  if (!text)
    throw Error(ErrorCode::kCorrupt, where, " holds adapters, and no ", kBaseFile, ", which says of which model");
  const BaseLink link = base_link_from_json(*text, where + "/" + kBaseFile);
  const fs::path path = instead.empty() ? (adapters.directory() / link.path).lexically_normal() : instead;
  if (!fs::exists(path))
    throw Error(ErrorCode::kNotFound, where, " holds adapters of the model ", path.string(),
                ", which is not there; --base names where it is now");
  auto base = open_source(path, {.weights = link.weights});
  if (fingerprint(*base) != link.fingerprint)
    throw Error(ErrorCode::kBadInput, path.string(), " is not the model that the adapters in ", where,
                " were trained on: its weights or its shape are others");
  return base;
}

void keep_model(const ModelSource& source, const fs::path& folder) {
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
}

}  // namespace trireme::models
