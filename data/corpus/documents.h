#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace trireme::data {

/// Reads documents out of text files, one after the other, in memory that does not grow with the files.
///
/// `.jsonl` and `.ndjson`: one JSON object a line, the document is its member "text", which may be empty. Lines of
/// white space alone are passed over.
///
/// Anything else, and `-` (standard input), is text, cut into documents by these rules, so that the documents of a
/// file, one behind the other, are the file byte for byte:
///  1. A line is blank when it holds only spaces, tabs and carriage returns (4 KiB of them at most).
///  2. A document ends behind the blank lines that follow its text: the next one begins with a line that is not blank.
///     Blank lines at the start of a file belong to its first document.
///  3. A document of more than 4 KiB is cut at the last line end at or below 4 KiB or, when its first line is longer
///     than that, at the last UTF-8 border at or below 4 KiB; what is left goes on by the same rules.
/// Bytes that are no UTF-8 are kept as they are.
class DocumentReader {
 public:
  static constexpr std::size_t kLongest = 4096;  ///< bytes of a document of text

  /// @throws Error kUsage for a name that is certainly no text (.gz, .zst, .parquet, ...), kNotFound
  explicit DocumentReader(std::vector<std::filesystem::path> inputs);
  ~DocumentReader();
  DocumentReader(const DocumentReader&) = delete;
  DocumentReader& operator=(const DocumentReader&) = delete;

  /// The next document, or false behind the last one.
  /// @throws Error kNotFound, kIo; kBadInput naming file and line; kInterrupted when a stop is asked for
  bool next(std::string& document);

  std::uint64_t bytes_read() const;
  /// Of all inputs, or 0 when one of them does not tell (a pipe).
  std::uint64_t bytes_in_all() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Length of the document at the start of `text` by the rules above. `text` holds more than two times kLongest bytes,
/// or all there is up to the end of the file.
std::size_t document_length(std::string_view text);

/// Whether a document is set aside for validation: a function of its content alone (XXH3-64), so that the same document
/// always falls on the same side, also when it occurs twice. @param fraction  0 to 1
bool is_for_validation(std::string_view document, double fraction);

}  // namespace trireme::data
