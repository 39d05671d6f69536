#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/corpus/byte_source.h"

namespace trireme::data {

/// What an input holds: text, or JSON lines with a document a line; and whether that is packed by Zstandard.
struct InputFormat {
  bool json_lines = false;
  bool zstd = false;
};

/// A text to read. It is opened when its turn comes, so that thousands hold no descriptors.
struct Input {
  std::string name;  ///< for messages
  InputFormat format;
  std::optional<std::uint64_t> bytes;  ///< as they lie on disk; a pipe does not tell
  std::function<std::unique_ptr<ByteSource>()> open;
};

/// What `--input` and its kin name, in the order given:
///
///  - a file: by the ends of its name JSON lines (`.jsonl`, `.ndjson`), packed (`.zst`, on top of any other), else
///  text;
///  - `-`: standard input, of the format `stdin_format`;
///  - a directory: all files below it whose names end in `.txt`, `.jsonl` or `.ndjson`, or these with `.zst`, in the
///    order of their paths (bytes, part by part). Names that begin with a dot are passed over, and links to
///    directories;
///  - a pattern, when no file has that name: `*`, `?` and `[...]` match within a name as in the shell and never a
///    leading dot, `**` any number of directories. What it matches is sorted, and taken as if it were named;
///    directories are passed over where the pattern has a `**`.
///
/// @param stdin_format  the end of a file's name that would say the same: "txt", "jsonl.zst"
/// @throws Error kUsage for what is certainly no text (.gz, .parquet, ...), with what to do about it; kNotFound for
///         what is not there or matches nothing
std::vector<Input> find_inputs(const std::vector<std::string>& names, std::string_view stdin_format = "txt");

/// Bytes that outlive it: for tests and fuzzers.
Input memory_input(std::string name, InputFormat format, std::string_view bytes);

}  // namespace trireme::data
