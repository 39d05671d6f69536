#include "data/corpus/inputs.h"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/base/error.h"
#include "core/base/files.h"

namespace trireme::data {
namespace {

// What is no text, and what to do about it; X stands for the name.
constexpr std::array<std::pair<std::string_view, std::string_view>, 17> kNoText = {{
    {".gz", "unpack it (gunzip -c X | ... --input -) or pack it as .zst"},
    {".xz", "unpack it (xz -dc X | ... --input -) or pack it as .zst"},
    {".bz2", "unpack it (bzip2 -dc X | ... --input -) or pack it as .zst"},
    {".lz4", "unpack it (lz4 -dc X | ... --input -) or pack it as .zst"},
    {".tgz", "unpack the archive and name its directory"},
    {".tar", "unpack the archive and name its directory"},
    {".zip", "unpack the archive and name its directory"},
    {".7z", "unpack the archive and name its directory"},
    {".json", "write one object a line (jq -c '.[]') and name it .jsonl"},
    {".parquet", "convert it to JSON lines (.jsonl)"},
    {".arrow", "convert it to JSON lines (.jsonl)"},
    {".feather", "convert it to JSON lines (.jsonl)"},
    {".avro", "convert it to JSON lines (.jsonl)"},
    {".h5", "convert it to text or JSON lines (.jsonl)"},
    {".npy", "convert it to text or JSON lines (.jsonl)"},
    {".pdf", "convert it to text"},
    {".docx", "convert it to text"},
}};

bool is_json_lines(std::string_view extension) { return extension == ".jsonl" || extension == ".ndjson"; }

// The format that a name tells, whatever it is the name of.
InputFormat format_of(fs::path name) {
  InputFormat format;
  if ((format.zstd = name.extension() == ".zst")) name.replace_extension();
  format.json_lines = is_json_lines(name.extension().string());
  return format;
}

void refuse_what_is_no_text(const fs::path& path) {
  fs::path inner = path;
  if (inner.extension() == ".zst") inner.replace_extension();
  for (const auto& [extension, remedy] : kNoText) {
    if (inner.extension() != extension) continue;
    std::string what(remedy);
    if (const std::size_t place = what.find(" X "); place != std::string::npos)
      what.replace(place + 1, 1, path.string());
    throw Error(ErrorCode::kUsage, "input ", path.string(), " is neither text nor JSON lines: ", what);
  }
}

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

bool is_taken_from_directories(const fs::path& path) {
  fs::path inner = path;
  if (inner.extension() == ".zst") inner.replace_extension();
  return inner.extension() == ".txt" || is_json_lines(inner.extension().string());
}

std::vector<fs::path> entries_of(const fs::path& directory) {
  std::error_code error;
  std::vector<fs::path> entries;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error))
    entries.push_back(at->path());
  if (error) throw Error(ErrorCode::kIo, "cannot list ", directory.string(), ": ", error.message());
  std::sort(entries.begin(), entries.end());
  return entries;
}

bool is_real_directory(const fs::path& path) {
  std::error_code unknown;
  return fs::is_directory(fs::symlink_status(path, unknown));
}

void append_directory(const fs::path& directory, std::vector<fs::path>& files) {
  for (const fs::path& entry : entries_of(directory)) {
    if (is_hidden(entry)) continue;
    if (is_real_directory(entry)) {
      append_directory(entry, files);
    } else if (is_taken_from_directories(entry) && !fs::is_directory(entry)) {
      files.push_back(entry);
    }
  }
}

bool has_wildcard(const fs::path& path) { return path.native().find_first_of("*?[") != std::string::npos; }

bool is_there(const fs::path& path) {
  std::error_code error;
  const bool found = fs::exists(path, error);
  if (error) throw Error(ErrorCode::kIo, "cannot look for ", path.string(), ": ", error.message());
  return found;
}

const fs::path kAnyDirectories = "**";

// Appends what matches the parts [at, end) of a pattern below `base`, in order of path.
void append_matches(const fs::path& base, fs::path::const_iterator at, fs::path::const_iterator end,
                    std::vector<fs::path>& found) {
  if (at == end) {
    found.push_back(base);
    return;
  }
  const auto next = std::next(at);
  const bool any_directories = *at == kAnyDirectories;
  if (!has_wildcard(*at)) {
    if (const fs::path path = base / *at; is_there(path)) append_matches(path, next, end, found);
    return;
  }
  const fs::path directory = base.empty() ? "." : base;
  if (!fs::is_directory(directory)) return;
  if (any_directories) append_matches(base, next, end, found);
  for (const fs::path& entry : entries_of(directory)) {
    const fs::path name = entry.filename();
    if (any_directories) {
      if (!is_hidden(name) && is_real_directory(entry)) append_matches(base / name, at, end, found);
    } else if (::fnmatch(at->c_str(), name.c_str(), FNM_PERIOD) == 0) {
      append_matches(base / name, next, end, found);
    }
  }
}

std::vector<fs::path> matches_of(fs::path pattern) {
  // "texts/**" is all that is below texts, which is what a directory stands for.
  if (pattern.filename() == kAnyDirectories) pattern = pattern.parent_path().empty() ? "." : pattern.parent_path();
  std::vector<fs::path> found;
  append_matches({}, pattern.begin(), pattern.end(), found);
  // Below "**" files alone: what is in a directory would come twice.
  if (std::find(pattern.begin(), pattern.end(), kAnyDirectories) != pattern.end())
    std::erase_if(found, [](const fs::path& path) { return fs::is_directory(path); });
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());  // "**/**" comes to the same place twice
  return found;
}

Input input_of(const fs::path& path, InputFormat format) {
  Input input{.name = path == "-" ? "standard input" : path.string(), .format = format, .bytes = {}, .open = {}};
  std::error_code unknown;
  if (path != "-" && fs::is_regular_file(path, unknown)) {
    const std::uint64_t bytes = fs::file_size(path, unknown);
    if (!unknown) input.bytes = bytes;
  }
  input.open = [path, format, name = input.name] {
    auto source = open_source(path);
    return format.zstd ? unpack_zstd(std::move(source), name) : std::move(source);
  };
  return input;
}

void append_path(const fs::path& path, std::vector<Input>& inputs) {
  if (!fs::is_directory(path)) {
    refuse_what_is_no_text(path);
    inputs.push_back(input_of(path, format_of(path)));
    return;
  }
  std::vector<fs::path> files;
  append_directory(path, files);
  if (files.empty())
    throw Error(ErrorCode::kNotFound, "no file below ", path.string(),
                " is taken: from a directory come .txt, .jsonl and .ndjson, also with .zst; name others by a pattern");
  for (const fs::path& file : files) inputs.push_back(input_of(file, format_of(file)));
}

}  // namespace

std::vector<Input> find_inputs(const std::vector<std::string>& names, std::string_view stdin_format) {
  std::vector<Input> inputs;
  for (const std::string& name : names) {
    if (name == "-") {
      inputs.push_back(input_of(name, format_of("standard-input." + std::string(stdin_format))));
    } else if (is_there(name)) {
      append_path(name, inputs);
    } else if (const auto found = has_wildcard(name) ? matches_of(name) : std::vector<fs::path>(); !found.empty()) {
      for (const fs::path& path : found) append_path(path, inputs);
    } else {
      throw Error(ErrorCode::kNotFound, has_wildcard(name) ? "no file matches " : "no file ", name);
    }
  }
  return inputs;
}

Input memory_input(std::string name, InputFormat format, std::string_view bytes) {
  Input input{.name = std::move(name), .format = format, .bytes = bytes.size(), .open = {}};
  input.open = [bytes, format, label = input.name] {
    auto source = memory_source(bytes);
    return format.zstd ? unpack_zstd(std::move(source), label) : std::move(source);
  };
  return input;
}

}  // namespace trireme::data
