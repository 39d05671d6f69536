#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/corpus/inputs.h"

namespace trireme::data {

/// A stretch of one input that holds whole documents: what a thread takes at once. Its memory is kept from use to use.
class DocumentChunk {
 public:
  /// Calls `take` for each document, in order. Parsing of JSON happens here and not while reading: it may be spread
  /// over threads. @throws Error kBadInput naming file and line
  void for_each(const std::function<void(std::string_view document)>& take) const;
  /// The same with whole lines of JSON; `place` names one for messages. Of other text, it says by name that it is none.
  void for_each_line(
      const std::function<void(std::string_view line, const std::function<std::string()>& place)>& take) const;

  /// Of all inputs as they lie on disk, up to the end of this chunk and a little beyond it.
  std::uint64_t bytes_taken() const { return bytes_taken_; }
  /// That this chunk holds in memory.
  std::size_t size() const { return bytes_.size(); }

 private:
  friend class DocumentReader;
  const Input* input_ = nullptr;
  const std::string* text_field_ = nullptr;
  std::string bytes_;
  std::vector<std::size_t> ends_;  // of each document of text
  std::uint64_t first_line_ = 0;   // of JSON lines
  std::uint64_t bytes_taken_ = 0;
};

/// Reads documents out of inputs, one after the other, in memory that does not grow with them.
///
/// JSON lines: one JSON object a line, the document is its member `text_field`, which may be empty. Lines of white
/// space alone are passed over. A line is held whole; one of more than kLongestLine bytes is refused.
///
/// Text is cut into documents by these rules, so that the documents of a file, one behind the other, are the file byte
/// for byte:
///  1. A line is blank when it holds only spaces, tabs and carriage returns (4 KiB of them at most).
///  2. A document ends behind the blank lines that follow its text: the next one begins with a line that is not blank.
///     Blank lines at the start of a file belong to its first document.
///  3. A document of more than 4 KiB is cut at the last line end at or below 4 KiB or, when its first line is longer
///     than that, at the last UTF-8 border at or below 4 KiB; what is left goes on by the same rules.
/// Bytes that are no UTF-8 are kept as they are.
class DocumentReader {
 public:
  static constexpr std::size_t kLongest = 4096;                       ///< bytes of a document of text
  static constexpr std::size_t kLongestLine = std::size_t{64} << 20;  ///< bytes of a line of JSON
  static constexpr std::size_t kChunkBytes = std::size_t{256} << 10;  ///< what a chunk holds, unless one line is longer

  explicit DocumentReader(std::vector<Input> inputs, std::string text_field = "text");
  DocumentReader(const DocumentReader&) = delete;
  DocumentReader& operator=(const DocumentReader&) = delete;

  /// The next chunk, or false behind the last one. Chunks refer to the reader, which outlives them, and are cut the
  /// same way each time.
  /// @throws Error kNotFound, kIo, kCorrupt; kBadInput naming file and line; kInterrupted when a stop is asked for
  bool next(DocumentChunk& chunk);

  /// Of all inputs, or 0 when one of them does not tell (a pipe).
  std::uint64_t bytes_in_all() const;

 private:
  bool read_more(std::string& bytes);
  void cut_text(DocumentChunk& chunk);
  void cut_lines(DocumentChunk& chunk);

  std::vector<Input> inputs_;
  std::string text_field_;
  std::size_t next_input_ = 0;
  std::unique_ptr<ByteSource> source_;  // of the input before next_input_, none between inputs
  std::string rest_;                    // read and in no chunk yet
  std::uint64_t line_ = 0;              // lines of this input in earlier chunks
  std::uint64_t bytes_of_ended_ = 0;
  bool ended_ = false;  // source_ has no more
};

/// Length of the document at the start of `text` by the rules above. `text` holds more than two times kLongest bytes,
/// or all there is up to the end of the file.
std::size_t document_length(std::string_view text);

/// Whether a document is set aside for validation: a function of its content alone (XXH3-64), so that the same document
/// always falls on the same side, also when it occurs twice. @param fraction  0 to 1
bool is_for_validation(std::string_view document, double fraction);

}  // namespace trireme::data
