#include "models/safetensors/safetensors_folder.h"

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/strict_json.h"
#include "core/base/text.h"

namespace trireme::models {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kSuffix = ".safetensors";
constexpr std::uint64_t kMostIndexBytes = std::uint64_t{64} << 20;

bool is_plain_name(const std::string& name) {
  return name.size() > std::string_view(kSuffix).size() && name.ends_with(kSuffix) &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos && name.size() <= 255;
}

}  // namespace

std::map<std::string, std::string> parse_safetensors_index(const std::string& text, const std::string& where) {
  if (!is_utf8(text)) throw Error(ErrorCode::kCorrupt, where, " is not UTF-8");
  const json index = parse_object(text, where, ErrorCode::kCorrupt);
  const auto map = index.find("weight_map");
  if (map == index.end() || !map->is_object()) throw Error(ErrorCode::kCorrupt, where, " has no object weight_map");
  std::map<std::string, std::string> files;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string() || !is_plain_name(file.get_ref<const std::string&>()))
      throw Error(ErrorCode::kCorrupt, where, ": tensor ", json_text(json(tensor)), " is said to lie in ",
                  json_excerpt(file, 120), ", which is no plain name of a .safetensors file of this directory");
    files.emplace(tensor, file.get<std::string>());
  }
  return files;
}

std::string safetensors_index_text(const std::map<std::string, std::string>& files, std::uint64_t tensor_bytes) {
  return nlohmann::ordered_json{{"metadata", {{"total_size", tensor_bytes}}}, {"weight_map", files}}.dump(2) + "\n";
}

SafetensorsFolder::SafetensorsFolder(const fs::path& directory, const std::string& stem) {
  const fs::path single = directory / (stem + kSuffix), index = directory / (stem + kSuffix + ".index.json");
  // The single file first, as other tools have it where both are there.
  if (fs::exists(single) || !fs::exists(index)) {
    if (!fs::exists(single))
      throw Error(ErrorCode::kNotFound, directory.string(), " holds neither ", single.filename().string(), " nor ",
                  index.filename().string());
    files_.push_back(std::make_unique<SafetensorsFile>(single));
    for (const SafetensorsEntry& entry : files_.back()->header().entries)
      tensors_.emplace(entry.name, Tensor{entry, files_.back().get()});
    return;
  }
  const auto places = parse_safetensors_index(read_file(index, kMostIndexBytes), index.string());
  std::map<std::string, std::map<std::string, const SafetensorsEntry*>> entries;  // by file and tensor
  std::map<std::string, const SafetensorsFile*> opened;
  for (const auto& [tensor, name] : places) {
    if (!opened.contains(name)) {
      if (!fs::exists(directory / name))
        throw Error(ErrorCode::kCorrupt, index.string(), " names ", name, ", which is not there");
      files_.push_back(std::make_unique<SafetensorsFile>(directory / name));
      opened[name] = files_.back().get();
      for (const SafetensorsEntry& entry : files_.back()->header().entries) entries[name].emplace(entry.name, &entry);
    }
    const auto found = entries[name].find(tensor);
    if (found == entries[name].end())
      throw Error(ErrorCode::kCorrupt, index.string(), ": tensor ", json_text(json(tensor)), " is not in ", name);
    tensors_.emplace(tensor, Tensor{*found->second, opened[name]});
  }
  // What no index names lies in the files all the same.
  for (const auto& file : files_)
    for (const SafetensorsEntry& entry : file->header().entries)
      tensors_.emplace(entry.name, Tensor{entry, file.get()});
}

}  // namespace trireme::models
