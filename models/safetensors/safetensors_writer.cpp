#include "models/safetensors/safetensors_writer.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/error.h"

namespace trireme::models {
namespace {

constexpr std::size_t kAlignment = 8;
constexpr const char* kObject = "safetensors";

std::vector<SafetensorsEntry> widest_first(std::vector<SafetensorsEntry> entries) {
  std::ranges::stable_sort(entries, [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
    return element_bytes(a) > element_bytes(b);
  });
  return entries;
}

}  // namespace

std::string safetensors_header_text(std::vector<SafetensorsEntry>& entries,
                                    const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::set<std::string> names;
  std::uint64_t at = 0;
  for (SafetensorsEntry& entry : entries) {
    const auto elements = volume(entry.shape);
    if (!elements || !names.insert(entry.name).second)
      throw Error(ErrorCode::kBug, "tensor ", entry.name, " cannot be written: it comes twice, or has the shape ",
                  extents_text(entry.shape));
    entry.begin = at;
    entry.end = at += static_cast<std::uint64_t>(*elements) * element_bytes(entry);
    header[entry.name] = {
        {"dtype", dtype_of(entry)}, {"shape", entry.shape}, {"data_offsets", {entry.begin, entry.end}}};
  }
  std::string text = header.dump();
  text.append((kAlignment - text.size() % kAlignment) % kAlignment, ' ');
  std::string length(sizeof(std::uint64_t), '\0');
  for (std::size_t i = 0; i < length.size(); ++i) length[i] = static_cast<char>(text.size() >> (8 * i));
  return length + text;
}

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path, std::vector<SafetensorsEntry> entries,
                                     const std::map<std::string, std::string>& metadata)
    : entries_(widest_first(std::move(entries))), file_(path, kObject), stream_(file_) {
  const std::string header = safetensors_header_text(entries_, metadata);
  header_bytes_ = header.size();
  stream_.write(header.data(), header.size());
}

void SafetensorsWriter::write(const void* bytes, std::size_t size) {
  if (size > this->bytes() - header_bytes_ - at_) throw Error(ErrorCode::kBug, "more bytes than were declared");
  stream_.write(bytes, size);
  at_ += size;
}

void SafetensorsWriter::finish() {
  if (header_bytes_ + at_ != bytes()) throw Error(ErrorCode::kBug, "fewer bytes than were declared");
  stream_.finish();
  file_.sync();
  file_.close();
}

}  // namespace trireme::models
