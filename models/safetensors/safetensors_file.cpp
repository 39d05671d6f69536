#include "models/safetensors/safetensors_file.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "core/base/error.h"
#include "core/base/strict_json.h"
#include "core/base/text.h"

namespace trireme::models {
namespace {

using nlohmann::json;

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kMostHeaderBytes = 100'000'000;
constexpr std::size_t kMostAxes = 32;
constexpr const char* kMetadata = "__metadata__";

// Published types whose tensors are passed over, and their bytes.
struct OtherType {
  std::string_view name;
  std::size_t bytes;
};
constexpr OtherType kOtherTypes[] = {{"BOOL", 1},    {"I16", 2},     {"U16", 2}, {"I32", 4},
                                     {"U32", 4},     {"I64", 8},     {"U64", 8}, {"F8_E4M3", 1},
                                     {"F8_E5M2", 1}, {"F8_E8M0", 1}, {"C64", 8}};

const OtherType* other_type(std::string_view name) {
  const auto* const found = std::ranges::find(kOtherTypes, name, &OtherType::name);
  return found == std::end(kOtherTypes) ? nullptr : found;
}

// Follows the header's text and keeps what it declares: a document of 100 MB held whole would take several gigabytes.
class HeaderReader final : public nlohmann::json_sax<json> {
 public:
  HeaderReader(SafetensorsHeader& header, std::string where) : header_(header), where_(std::move(where)) {}

  bool null() override { return unexpected("null"); }
  bool boolean(bool value) override { return unexpected(value ? "true" : "false"); }
  bool number_float(double, const std::string& text) override { return unexpected(text); }
  bool number_integer(std::int64_t value) override { return unexpected(std::to_string(value)); }
  bool binary(json::binary_t&) override { return unexpected("binary"); }

  bool number_unsigned(std::uint64_t value) override {
    if (place_ != Place::kShape && place_ != Place::kOffsets) return unexpected(std::to_string(value));
    if (value > static_cast<std::uint64_t>(INT64_MAX))
      fail("has ", value, " in ", place_ == Place::kShape ? "its shape" : "its data_offsets",
           "; numbers lie in [0, 2^63)");
    auto& list = place_ == Place::kShape ? entry_.shape : offsets_;
    if (list.size() == (place_ == Place::kShape ? kMostAxes : 2))
      fail(place_ == Place::kShape ? "has more than 32 axes" : "has more than two data_offsets");
    list.push_back(static_cast<std::int64_t>(value));
    return true;
  }

  bool string(std::string& value) override {
    if (place_ == Place::kMetadata) {
      if (!header_.metadata.emplace(key_, value).second) fail("names ", json_text(json(key_)), " twice");
    } else if (place_ == Place::kEntry && key_ == "dtype") {
      type_ = value;
    } else {
      return unexpected(json_text(json(value)));
    }
    return true;
  }

  bool start_object(std::size_t) override {
    switch (place_) {
      case Place::kBefore:
        place_ = Place::kTop;
        return true;
      case Place::kTop:
        place_ = key_ == kMetadata ? Place::kMetadata : Place::kEntry;
        entry_ = {};
        entry_.name = key_;
        offsets_.clear();
        type_.reset();
        members_.clear();
        return true;
      default:
        return unexpected("{");
    }
  }

  bool end_object() override {
    if (place_ == Place::kEntry) add_entry();
    place_ = place_ == Place::kTop ? Place::kAfter : Place::kTop;
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ == Place::kEntry && key_ == "shape")
      place_ = Place::kShape;
    else if (place_ == Place::kEntry && key_ == "data_offsets")
      place_ = Place::kOffsets;
    else
      return unexpected("[");
    return true;
  }

  bool end_array() override {
    place_ = Place::kEntry;
    return true;
  }

  bool key(std::string& value) override {
    key_ = value;
    if (place_ == Place::kTop && !names_.insert(value).second)
      throw Error(ErrorCode::kCorrupt, where_, ": the header names ", json_text(json(value)), " twice");
    if (place_ != Place::kEntry) return true;
    if (!members_.insert(value).second) fail("has ", json_text(json(value)), " twice");
    if (value != "dtype" && value != "shape" && value != "data_offsets")
      fail("has the member ", json_text(json(value)), "; allowed are dtype, shape, data_offsets");
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) override {
    throw Error(ErrorCode::kCorrupt, where_, ": the header is not JSON: ", error.what());
  }

 private:
  enum class Place { kBefore, kTop, kMetadata, kEntry, kShape, kOffsets, kAfter };

  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    throw Error(ErrorCode::kCorrupt, where_, ": tensor ", json_text(json(entry_.name)), " ", parts...);
  }

  bool unexpected(const std::string& what) const {
    throw Error(ErrorCode::kCorrupt, where_, ": the header has ", one_line(what, 80),
                place_ == Place::kBefore ? " and is no object" : " where it cannot be: at " + json_text(json(key_)));
  }

  void add_entry() {
    for (const char* member : {"dtype", "shape", "data_offsets"})
      if (!members_.contains(member)) fail("has no ", member);
    if (!type_) fail("has a dtype that is no text");
    if (const auto type = stored_type_of_safetensors(*type_))
      entry_.type = *type;
    else if (other_type(*type_))
      entry_.other_type = *type_;
    else
      throw Error(ErrorCode::kBadInput, where_, ": tensor ", json_text(json(entry_.name)), " has the type ",
                  one_line(*type_, 40), ", which is not known; supported are ", known_types(safetensors_name));
    if (offsets_.size() != 2) fail("has ", offsets_.size(), " data_offsets; two are due");
    entry_.begin = static_cast<std::uint64_t>(offsets_[0]);
    entry_.end = static_cast<std::uint64_t>(offsets_[1]);
    if (entry_.end < entry_.begin) fail("ends at ", entry_.end, ", before it begins at ", entry_.begin);
    const auto elements = volume(entry_.shape);
    if (!elements) fail("has the impossible shape ", extents_text(entry_.shape));
    const std::uint64_t due = static_cast<std::uint64_t>(*elements) * element_bytes(entry_);
    if (entry_.end - entry_.begin != due)
      fail("of shape ", extents_text(entry_.shape), " and type ", *type_, " has ", entry_.end - entry_.begin,
           " bytes; ", due, " are due");
    header_.entries.push_back(std::move(entry_));
  }

  SafetensorsHeader& header_;
  const std::string where_;
  Place place_ = Place::kBefore;
  std::string key_;
  std::set<std::string> names_, members_;
  SafetensorsEntry entry_;
  std::vector<std::int64_t> offsets_;
  std::optional<std::string> type_;
};

}  // namespace

std::size_t element_bytes(const SafetensorsEntry& entry) {
  return entry.other_type.empty() ? bytes_per_element(entry.type) : other_type(entry.other_type)->bytes;
}

std::string_view dtype_of(const SafetensorsEntry& entry) {
  return entry.other_type.empty() ? safetensors_name(entry.type) : std::string_view(entry.other_type);
}

std::uint64_t safetensors_header_bytes(std::string_view text, std::uint64_t file_bytes, const std::string& where) {
  if (file_bytes < kLengthBytes || text.size() < kLengthBytes)
    throw Error(ErrorCode::kCorrupt, where, " has ", file_bytes, " bytes, too few for a safetensors file");
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i)
    length |= std::uint64_t{static_cast<unsigned char>(text[i])} << (8 * i);
  if (length > kMostHeaderBytes)
    throw Error(ErrorCode::kCorrupt, where, " states a header of ", length, " bytes; at most ", kMostHeaderBytes,
                " are allowed");
  if (length > file_bytes - kLengthBytes)
    throw Error(ErrorCode::kCorrupt, where, " states a header of ", length, " bytes and ends after ",
                file_bytes - kLengthBytes, " of them: cut off, or no safetensors file");
  return kLengthBytes + length;
}

SafetensorsHeader parse_safetensors_header(std::string_view text, std::uint64_t file_bytes, const std::string& where) {
  SafetensorsHeader header;
  header.bytes = safetensors_header_bytes(text, file_bytes, where);
  if (text.size() < header.bytes) throw Error(ErrorCode::kBug, "the header of ", where, " was not given whole");
  const std::string_view body = text.substr(kLengthBytes, header.bytes - kLengthBytes);
  if (!body.starts_with('{')) throw Error(ErrorCode::kCorrupt, where, ": the header does not begin with '{'");
  if (!is_utf8(body)) throw Error(ErrorCode::kCorrupt, where, ": the header is not UTF-8");
  HeaderReader reader(header, where);
  json::sax_parse(body.begin(), body.end(), &reader);

  // Tensors without bytes may share a place with each other and with what begins or ends there.
  std::ranges::stable_sort(header.entries, {}, [](const SafetensorsEntry& e) { return std::pair(e.begin, e.end); });
  std::uint64_t at = 0;
  for (const SafetensorsEntry& entry : header.entries) {
    if (entry.begin != at)
      throw Error(ErrorCode::kCorrupt, where, ": tensor ", json_text(json(entry.name)), " begins at byte ", entry.begin,
                  ", ", entry.begin > at ? "behind a hole that begins at " : "within one that ends at ", at);
    at = entry.end;
  }
  if (at != file_bytes - header.bytes)
    throw Error(ErrorCode::kCorrupt, where, " holds ", file_bytes - header.bytes, " bytes of tensors; ", at,
                " are due");
  return header;
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : file_(path, MappedFile::Access::kInOrder) {
  const std::string_view all(file_.data(), file_.size());
  header_ = parse_safetensors_header(all.substr(0, safetensors_header_bytes(all, all.size(), path.string())),
                                     all.size(), path.string());
}

const char* SafetensorsFile::data(const SafetensorsEntry& entry) const {
  file_.require_size();
  return file_.data() + header_.bytes + entry.begin;
}

void SafetensorsFile::done_with(const SafetensorsEntry& entry, std::uint64_t begin, std::uint64_t bytes) const {
  file_.done_with(header_.bytes + entry.begin + begin, bytes);
}

}  // namespace trireme::models
