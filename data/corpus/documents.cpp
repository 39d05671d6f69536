#include "data/corpus/documents.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/text.h"
#include "data/corpus/json_line.h"

namespace trireme::data {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r'; }

// Whether the line that `text` begins with is blank (rule 1).
bool begins_with_blank_line(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size() && i < DocumentReader::kLongest && is_space(text[i])) ++i;
  return i == text.size() || text[i] == '\n';
}

// At or below `most`, and never 0: bytes that are no UTF-8 are cut anywhere.
std::size_t utf8_border(std::string_view text, std::size_t most) {
  const std::size_t border = complete_utf8_prefix(text.substr(0, most));
  return border == 0 ? most : border;
}

[[noreturn]] void refuse_long_line(const Input& input, std::uint64_t number) {
  throw Error(ErrorCode::kBadInput, input.name, " line ", number, ": longer than ", DocumentReader::kLongestLine >> 20,
              " MiB, which is all that is allowed; is this one JSON object a line?");
}

}  // namespace

std::size_t document_length(std::string_view text) {
  constexpr std::size_t kMost = DocumentReader::kLongest;
  bool has_text = false, after_blank = false;
  std::size_t last_line_end = 0;
  for (std::size_t line = 0; line <= kMost && line < text.size();) {
    last_line_end = line;
    const bool blank = begins_with_blank_line(text.substr(line));
    if (!blank && has_text && after_blank) return line;
    has_text |= !blank;
    after_blank = blank;
    const std::size_t end = text.find('\n', line);
    line = end == std::string_view::npos ? text.size() : end + 1;
  }
  if (text.size() <= kMost) return text.size();
  return last_line_end > 0 ? last_line_end : utf8_border(text, kMost);
}

bool is_for_validation(std::string_view document, double fraction) {
  return static_cast<double>(xxh3_64(document) >> 11) * 0x1p-53 < fraction;
}

void DocumentChunk::for_each(const std::function<void(std::string_view document)>& take) const {
  const std::string_view bytes = bytes_;
  if (!input_->format.json_lines) {
    std::size_t begin = 0;
    for (const std::size_t end : ends_) {
      take(bytes.substr(begin, end - begin));
      begin = end;
    }
    return;
  }
  JsonLineParser parser(*text_field_);
  for_each_line([&](std::string_view line, const auto& place) { take(parser.text_of(line, place)); });
}

void DocumentChunk::for_each_line(
    const std::function<void(std::string_view line, const std::function<std::string()>& place)>& take) const {
  if (!input_->format.json_lines)
    throw Error(ErrorCode::kBadInput, input_->name, " is text; JSON lines (.jsonl) are due");
  const std::string_view bytes = bytes_;
  std::uint64_t number = first_line_;
  for (std::size_t begin = 0; begin < bytes.size(); ++number) {
    const std::size_t end = std::min(bytes.find('\n', begin), bytes.size());
    const std::string_view line = bytes.substr(begin, end - begin);
    begin = end + 1;
    if (std::all_of(line.begin(), line.end(), is_space)) continue;
    if (line.size() > DocumentReader::kLongestLine) refuse_long_line(*input_, number);
    take(line, [&] { return input_->name + " line " + std::to_string(number); });
  }
}

DocumentReader::DocumentReader(std::vector<Input> inputs, std::string text_field)
    : inputs_(std::move(inputs)), text_field_(std::move(text_field)) {}

bool DocumentReader::next(DocumentChunk& chunk) {
  for (;;) {
    if (!source_) {
      if (next_input_ == inputs_.size()) return false;
      source_ = inputs_[next_input_++].open();
      line_ = 0;
      ended_ = false;
    }
    chunk.input_ = &inputs_[next_input_ - 1];
    chunk.text_field_ = &text_field_;
    chunk.ends_.clear();
    chunk.bytes_.clear();
    chunk.bytes_.swap(rest_);
    chunk.input_->format.json_lines ? cut_lines(chunk) : cut_text(chunk);
    chunk.bytes_taken_ = bytes_of_ended_ + source_->bytes_taken();
    if (ended_ && rest_.empty()) {
      bytes_of_ended_ += source_->bytes_taken();
      source_.reset();
    }
    if (!chunk.bytes_.empty()) return true;
  }
}

std::uint64_t DocumentReader::bytes_in_all() const {
  std::uint64_t bytes = 0;
  for (const Input& input : inputs_) {
    if (!input.bytes) return 0;
    bytes += *input.bytes;
  }
  return bytes;
}

// Fills a chunk up, or doubles what is more already, so that chunks do not depend on what a pipe gives at once.
bool DocumentReader::read_more(std::string& bytes) {
  if (ended_) return false;
  std::size_t filled = bytes.size();
  bytes.resize(std::max(kChunkBytes, filled * 2));
  while (!ended_ && filled < bytes.size()) {
    const std::size_t got = source_->read(bytes.data() + filled, bytes.size() - filled);
    filled += got;
    ended_ = got == 0;
  }
  bytes.resize(filled);
  return true;
}

void DocumentReader::cut_text(DocumentChunk& chunk) {
  std::string& bytes = chunk.bytes_;
  while (bytes.size() < kChunkBytes && read_more(bytes)) {
  }
  std::string_view text = bytes;
  while (!text.empty() && (ended_ || text.size() > 2 * kLongest)) {
    text.remove_prefix(document_length(text));
    chunk.ends_.push_back(bytes.size() - text.size());
  }
  rest_.assign(text);
  bytes.resize(bytes.size() - text.size());
}

void DocumentReader::cut_lines(DocumentChunk& chunk) {
  std::string& bytes = chunk.bytes_;
  chunk.first_line_ = line_ + 1;
  std::size_t whole = 0, searched = 0;  // bytes up to the last line end; bytes that were searched for one
  for (;;) {
    if (const void* end = ::memrchr(bytes.data() + searched, '\n', bytes.size() - searched))
      whole = static_cast<std::size_t>(static_cast<const char*>(end) - bytes.data()) + 1;
    searched = bytes.size();
    if (whole > 0 && bytes.size() >= kChunkBytes) break;
    if (whole == 0 && bytes.size() > kLongestLine) refuse_long_line(*chunk.input_, chunk.first_line_);
    if (!read_more(bytes)) {
      whole = bytes.size();
      break;
    }
  }
  rest_.assign(bytes, whole);
  bytes.resize(whole);
  for (std::size_t at = 0; (at = bytes.find('\n', at)) != std::string::npos; ++at) ++line_;
}

}  // namespace trireme::data
