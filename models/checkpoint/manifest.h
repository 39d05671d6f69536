#pragma once
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "models/checkpoint/box.h"
#include "models/checkpoint/checkpoint.h"

namespace trireme::models {

inline constexpr const char* kManifestFile = "manifest.json";
inline constexpr const char* kTokenizerFile = "tokenizer.json";
/// What a Hugging Face directory holds beside weights and tokenizer.json; kept byte for byte, so that an imported model
/// can leave as it came. Its config.json is the first. And kBaseFile.
inline constexpr const char* kHfConfigFile = "hugging_face_config.json";
/// Of adapters: which model they change (adapters/base_link.h).
inline constexpr const char* kBaseFile = "base.json";
inline constexpr std::string_view kCompanionFiles[] = {kHfConfigFile,
                                                       kBaseFile,
                                                       "generation_config.json",
                                                       "tokenizer_config.json",
                                                       "special_tokens_map.json",
                                                       "added_tokens.json",
                                                       "chat_template.jinja",
                                                       "chat_template.json",
                                                       "vocab.json",
                                                       "merges.txt",
                                                       "vocab.txt",
                                                       "tokenizer.model",
                                                       "spiece.model"};
inline constexpr const char* kFormatName = "trireme-checkpoint";
inline constexpr int kFormatVersion = 2;

/// All of these that a checkpoint or another source has, by name. @throws as its companion()
template <class Source>
std::map<std::string, std::string> companions_of(const Source& source) {
  std::map<std::string, std::string> found;
  for (const std::string_view name : kCompanionFiles)
    if (auto text = source.companion(std::string(name))) found.emplace(name, std::move(*text));
  return found;
}

/// "rank-00003.h5", and where a writer makes several, "rank-00003-1.h5", ...
std::string rank_file_name(int writer, int number = 0);
bool is_rank_file(std::string_view name);

/// What manifest.json says about a checkpoint. Definition: docs/formats/checkpoint.md.
struct Manifest {
  struct File {
    std::uint64_t bytes = 0;
    std::string xxh3_128;  ///< of the bytes that are in no slice, in order; in version 1 of all bytes
  };
  struct Slice {
    std::string file;
    std::uint64_t file_offset = 0;  ///< of its first byte in the file
    std::uint64_t bytes = 0;
    Box box;
    std::string xxh3_128;
  };
  struct Tensor {
    StoredType type = StoredType::kFloat32;
    Extents shape;
    std::vector<Slice> slices;  ///< none for a tensor without elements
  };

  int version = kFormatVersion;
  std::map<std::string, File> files;  ///< all but the manifest itself
  std::map<std::string, Tensor> tensors;
  nlohmann::json model = nlohmann::json::object();
  nlohmann::json training = nlohmann::json::object();
  std::string weights_hash;
  std::string checksum;  ///< its own, of one that was parsed

  /// Whether the checksum of a file covers its slices as well, which have their own.
  bool covers_slices_twice() const { return version == 1; }

  /// The bytes of manifest.json, its own checksum included.
  std::string to_text() const;
  /// @param where  for messages: the path of the manifest
  /// @throws Error kCorrupt when a checksum or anything in it does not hold, kBadInput for a version that is unknown
  static Manifest parse(const std::string& text, const std::string& where);
  /// Names, ranges and sizes: every tensor is tiled by its slices, every slice lies in its file and shares no byte.
  /// @throws Error of this code
  void check(const std::string& where, ErrorCode code) const;
};

/// A part of a file: a slice, or what lies between slices.
struct Region {
  std::uint64_t begin = 0, end = 0;
  const std::string* tensor = nullptr;  ///< of the slice
  const Manifest::Slice* slice = nullptr;
};
/// The slices of each file in the order in which they lie in it. They point into `tensors`.
std::map<std::string, std::vector<Region>> slices_by_file(const std::map<std::string, Manifest::Tensor>& tensors);
/// All of a file of so many bytes, from its slices, none of which leaves it or overlaps another.
std::vector<Region> regions(const std::vector<Region>& slices, std::uint64_t bytes);

nlohmann::json to_json(const Manifest::File& file);
nlohmann::json to_json(const Manifest::Tensor& tensor);
/// @param what  for messages: "manifest.json: tensor weights/a". @throws Error kCorrupt
Manifest::File file_from_json(const nlohmann::json& json, const std::string& what);
Manifest::Tensor tensor_from_json(const nlohmann::json& json, const std::string& what);

/// Parts of [A-Za-z0-9._+:-], none of them only dots, joined by '/'; at most 512 characters. '@' stays free to tell the
/// datasets of a tensor's slices apart.
bool is_tensor_name(std::string_view name);
/// Exactly `digits` characters of [0-9a-f].
bool is_hex(std::string_view text, std::size_t digits);

}  // namespace trireme::models
