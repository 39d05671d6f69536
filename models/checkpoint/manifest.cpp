#include "models/checkpoint/manifest.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

#include "core/base/hash.h"
#include "core/base/strict_json.h"

namespace trireme::models {
namespace {

using nlohmann::json;

// The checksum is the first key, which is also where sorting puts it: its place is known before anything is parsed.
constexpr std::string_view kOpening = "{\n\"checksum\": \"";
constexpr std::size_t kDigits = 32;

std::string checksum_of(std::string text) {
  text.replace(kOpening.size(), kDigits, kDigits, '0');
  return xxh3_128_hex(text);
}

void check_own_checksum(const std::string& text, const std::string& where) {
  if (text.size() < kOpening.size() + kDigits || !text.starts_with(kOpening))
    throw Error(ErrorCode::kCorrupt, where, " does not begin with its checksum: cut off, or no manifest");
  const std::string stated = text.substr(kOpening.size(), kDigits);
  if (!is_hex(stated, kDigits))
    throw Error(ErrorCode::kCorrupt, where, ": its checksum is not 32 digits of lower-case hex");
  const std::string found = checksum_of(text);
  if (found != stated)
    throw Error(ErrorCode::kCorrupt, where, " is damaged: its checksum is ", found, ", it states ", stated);
}

const json& member(const json& object, const char* key, const std::string& what) {
  if (!object.is_object()) throw Error(ErrorCode::kCorrupt, what, " is not an object");
  const auto found = object.find(key);
  if (found == object.end()) throw Error(ErrorCode::kCorrupt, what, " has no ", key);
  return *found;
}

const json& object_member(const json& object, const char* key, const std::string& what) {
  const json& value = member(object, key, what);
  if (!value.is_object()) throw Error(ErrorCode::kCorrupt, what, ": ", key, " is not an object");
  return value;
}

std::string text_member(const json& object, const char* key, const std::string& what) {
  const json& value = member(object, key, what);
  if (!value.is_string()) throw Error(ErrorCode::kCorrupt, what, ": ", key, " is not a text");
  return value.get<std::string>();
}

// The parser keeps what is negative, has a fraction or exceeds 64 bits as another type than unsigned.
std::uint64_t number(const json& value, const char* key, const std::string& what) {
  constexpr auto kLimit = static_cast<std::uint64_t>(INT64_MAX);
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > kLimit)
    throw Error(ErrorCode::kCorrupt, what, ": ", key, " is ", value.dump(), ", not a whole number in [0, 2^63)");
  return value.get<std::uint64_t>();
}

std::uint64_t number_member(const json& object, const char* key, const std::string& what) {
  return number(member(object, key, what), key, what);
}

Extents extents_member(const json& object, const char* key, const std::string& what) {
  constexpr std::size_t kMostAxes = 32;  // as HDF5
  const json& value = member(object, key, what);
  if (!value.is_array() || value.size() > kMostAxes)
    throw Error(ErrorCode::kCorrupt, what, ": ", key, " is not a list of at most ", kMostAxes, " numbers");
  Extents extents;
  for (const json& extent : value) extents.push_back(static_cast<std::int64_t>(number(extent, key, what)));
  return extents;
}

std::string checksum_member(const json& object, const std::string& what) {
  std::string value = text_member(object, "xxh3_128", what);
  if (!is_hex(value, kDigits))
    throw Error(ErrorCode::kCorrupt, what, ": xxh3_128 is not ", kDigits, " digits of lower-case hex");
  return value;
}

bool is_number(std::string_view text, std::size_t fewest_digits) {
  return text.size() >= fewest_digits && text.size() <= 9 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

bool is_rank_file(std::string_view name) {
  constexpr std::string_view kPrefix = "rank-", kSuffix = ".h5";
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return false;
  name.remove_prefix(kPrefix.size());
  name.remove_suffix(kSuffix.size());
  const std::string_view writer = name.substr(0, name.find('-'));
  if (!is_number(writer, 5)) return false;
  return writer.size() == name.size() || is_number(name.substr(writer.size() + 1), 1);
}

namespace {

// An entry a line: a manifest can be read, compared and searched by line.
std::string lines_of(const json& object) {
  std::string text = "{";
  const char* separator = "\n";
  for (const auto& [key, value] : object.items()) {
    text += separator + json(key).dump() + ": " + value.dump();
    separator = ",\n";
  }
  return text + (object.empty() ? "}" : "\n}");
}

void check_slice(const Manifest& manifest, const Manifest::Tensor& tensor, const Manifest::Slice& slice,
                 const std::string& what, ErrorCode code) {
  const auto file = manifest.files.find(slice.file);
  if (file == manifest.files.end() || !is_rank_file(slice.file))
    throw Error(code, what, ": a slice lies in ", json(slice.file).dump(), ", which is no rank file of the checkpoint");
  const auto elements = volume(slice.box.size);
  if (!elements || static_cast<std::uint64_t>(*elements) * bytes_per_element(tensor.type) != slice.bytes)
    throw Error(code, what, ": a slice of size ", extents_text(slice.box.size), " states ", slice.bytes, " bytes");
  if (slice.file_offset > file->second.bytes || slice.bytes > file->second.bytes - slice.file_offset)
    throw Error(code, what, ": a slice of ", slice.bytes, " bytes at ", slice.file_offset, " leaves ", slice.file,
                ", which has ", file->second.bytes);
}

}  // namespace

std::string rank_file_name(int writer, int number) {
  char name[40];
  std::snprintf(name, sizeof name, number == 0 ? "rank-%05d.h5" : "rank-%05d-%d.h5", writer, number);
  return name;
}

bool is_hex(std::string_view text, std::size_t digits) {
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_tensor_name(std::string_view name) {
  constexpr std::size_t kLongest = 512;
  if (name.size() > kLongest) return false;
  for (;;) {
    const std::size_t end = std::min(name.find('/'), name.size());
    const std::string_view part = name.substr(0, end);
    if (part.find_first_not_of('.') == std::string_view::npos) return false;
    for (const char c : part)
      if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            std::string_view("._+:-").find(c) != std::string_view::npos))
        return false;
    if (end == name.size()) return true;
    name.remove_prefix(end + 1);
  }
}

json to_json(const Manifest::File& file) { return {{"bytes", file.bytes}, {"xxh3_128", file.xxh3_128}}; }

json to_json(const Manifest::Tensor& tensor) {
  json slices = json::array();
  for (const Manifest::Slice& slice : tensor.slices)
    slices.push_back({{"bytes", slice.bytes},
                      {"file", slice.file},
                      {"file_offset", slice.file_offset},
                      {"offset", slice.box.offset},
                      {"size", slice.box.size},
                      {"xxh3_128", slice.xxh3_128}});
  return {{"shape", tensor.shape}, {"slices", std::move(slices)}, {"type", type_name(tensor.type)}};
}

Manifest::File file_from_json(const json& object, const std::string& what) {
  return {number_member(object, "bytes", what), checksum_member(object, what)};
}

Manifest::Tensor tensor_from_json(const json& object, const std::string& what) {
  Manifest::Tensor tensor;
  const std::string type = text_member(object, "type", what);
  const auto known = stored_type(type);
  if (!known)
    throw Error(ErrorCode::kCorrupt, what, " has the unknown type ", json(type).dump(), "; known are ",
                known_types(type_name));
  tensor.type = *known;
  tensor.shape = extents_member(object, "shape", what);
  const json& slices = member(object, "slices", what);
  if (!slices.is_array()) throw Error(ErrorCode::kCorrupt, what, ": slices is not a list");
  for (const json& entry : slices) {
    Manifest::Slice slice;
    slice.file = text_member(entry, "file", what);
    slice.file_offset = number_member(entry, "file_offset", what);
    slice.bytes = number_member(entry, "bytes", what);
    slice.box = {extents_member(entry, "offset", what), extents_member(entry, "size", what)};
    slice.xxh3_128 = checksum_member(entry, what);
    tensor.slices.push_back(std::move(slice));
  }
  return tensor;
}

std::string Manifest::to_text() const {
  json file_entries = json::object(), tensor_entries = json::object();
  for (const auto& [name, file] : files) file_entries[name] = to_json(file);
  for (const auto& [name, tensor] : tensors) tensor_entries[name] = to_json(tensor);
  std::string text(kOpening);
  text += std::string(kDigits, '0') + "\",\n\"files\": " + lines_of(file_entries) + ",\n\"format\": \"" + kFormatName +
          "\",\n\"model\": " + model.dump() + ",\n\"tensors\": " + lines_of(tensor_entries) +
          ",\n\"training\": " + training.dump() + ",\n\"version\": " + std::to_string(version) +
          ",\n\"weights_hash\": \"" + weights_hash + "\"\n}\n";
  text.replace(kOpening.size(), kDigits, checksum_of(text));
  return text;
}

Manifest Manifest::parse(const std::string& text, const std::string& where) {
  check_own_checksum(text, where);
  json root = parse_object(text, where, ErrorCode::kCorrupt);
  if (const std::string format = text_member(root, "format", where); format != kFormatName)
    throw Error(ErrorCode::kCorrupt, where, " is of the format ", json(format).dump(), ", not ", kFormatName);
  const json& version = member(root, "version", where);
  if (version != 1 && version != kFormatVersion)
    throw Error(ErrorCode::kBadInput, where, " is of version ", version.dump(), "; this program reads versions 1 to ",
                kFormatVersion);
  Manifest manifest;
  manifest.version = version.get<int>();
  manifest.checksum = text.substr(kOpening.size(), kDigits);
  for (const auto& [name, entry] : object_member(root, "files", where).items())
    manifest.files[name] = file_from_json(entry, where + ": file " + json(name).dump());
  for (const auto& [name, entry] : object_member(root, "tensors", where).items())
    manifest.tensors[name] = tensor_from_json(entry, where + ": tensor " + json(name).dump());
  manifest.weights_hash = text_member(root, "weights_hash", where);
  object_member(root, "model", where);
  object_member(root, "training", where);
  manifest.model = std::move(root["model"]);
  manifest.training = std::move(root["training"]);
  manifest.check(where, ErrorCode::kCorrupt);
  return manifest;
}

void Manifest::check(const std::string& where, ErrorCode code) const {
  constexpr std::size_t kHashDigits = 64;
  if (!is_hex(weights_hash, kHashDigits))
    throw Error(code, where, ": weights_hash is not ", kHashDigits, " digits of lower-case hex");
  for (const auto& [name, file] : files)
    if (name != kTokenizerFile && !is_rank_file(name) &&
        std::ranges::find(kCompanionFiles, name) == std::end(kCompanionFiles))
      throw Error(code, where, ": ", json(name).dump(), " is not the name of a checkpoint's file");

  for (const auto& [name, tensor] : tensors) {
    const std::string what = where + ": tensor " + json(name).dump();
    if (!is_tensor_name(name)) throw Error(code, what, " has a name that is not allowed");
    if (!volume(tensor.shape)) throw Error(code, what, " has the impossible shape ", extents_text(tensor.shape));
    std::vector<Box> boxes;
    for (const Slice& slice : tensor.slices) {
      check_slice(*this, tensor, slice, what, code);
      boxes.push_back(slice.box);
    }
    if (const std::string fault = tiling_fault(tensor.shape, boxes); !fault.empty())
      throw Error(code, what, ": ", fault);
  }
  for (const auto& [file, taken] : slices_by_file(tensors))
    for (std::size_t i = 1; i < taken.size(); ++i)
      if (taken[i].begin < taken[i - 1].end)
        throw Error(code, where, ": tensors ", *taken[i - 1].tensor, " and ", *taken[i].tensor, " share bytes of ",
                    file);
}

std::map<std::string, std::vector<Region>> slices_by_file(const std::map<std::string, Manifest::Tensor>& tensors) {
  std::map<std::string, std::vector<Region>> files;
  for (const auto& [name, tensor] : tensors)
    for (const Manifest::Slice& slice : tensor.slices)
      files[slice.file].push_back({slice.file_offset, slice.file_offset + slice.bytes, &name, &slice});
  for (auto& [_, slices] : files) std::ranges::sort(slices, {}, &Region::begin);
  return files;
}

std::vector<Region> regions(const std::vector<Region>& slices, std::uint64_t bytes) {
  std::vector<Region> all;
  std::uint64_t at = 0;
  for (const Region& slice : slices) {
    if (slice.begin > at) all.push_back({at, slice.begin});
    all.push_back(slice);
    at = slice.end;
  }
  if (bytes > at) all.push_back({at, bytes});
  return all;
}

}  // namespace trireme::models
