#include "data/corpus/documents.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/hash.h"
#include "core/base/stop.h"
#include "core/base/text.h"

namespace trireme::data {
namespace {

constexpr std::size_t kReadBytes = std::size_t{1} << 18;
// A line of JSON is held whole; this is far beyond any book.
constexpr std::size_t kLongestLine = std::size_t{1} << 30;

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

// One input, read in large pieces; `text` is what has been read and not taken.
class Input {
 public:
  explicit Input(const fs::path& path) : name_(path == "-" ? "standard input" : path.string()) {
    if (path == "-") {
      file_ = STDIN_FILENO;
      return;
    }
    file_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file_ < 0)
      throw Error(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo, "cannot open ", name_, ": ",
                  system_reason(errno));
  }
  ~Input() {
    if (file_ > STDIN_FILENO) ::close(file_);
  }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  const std::string& name() const { return name_; }
  std::string_view text() const { return std::string_view(buffer_).substr(taken_); }
  bool ended() const { return ended_; }
  std::uint64_t bytes_read() const { return bytes_read_; }
  void take(std::size_t bytes) { taken_ += bytes; }

  void read_more() {
    buffer_.erase(0, std::exchange(taken_, 0));
    const std::size_t had = buffer_.size();
    buffer_.resize(had + kReadBytes);
    ssize_t got = 0;
    do {
      if (!wait_for_input(file_)) throw_if_stop_requested();
      got = ::read(file_, buffer_.data() + had, kReadBytes);
    } while (got < 0 && errno == EINTR);
    const int error_number = errno;
    buffer_.resize(had + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0) throw Error(ErrorCode::kIo, "cannot read ", name_, ": ", system_reason(error_number));
    bytes_read_ += static_cast<std::uint64_t>(got);
    ended_ = got == 0;
  }

 private:
  std::string name_;
  int file_ = -1;
  std::string buffer_;
  std::size_t taken_ = 0;
  std::uint64_t bytes_read_ = 0;
  bool ended_ = false;
};

bool next_of_text(Input& input, std::string& document) {
  while (!input.ended() && input.text().size() <= 2 * DocumentReader::kLongest) input.read_more();
  if (input.text().empty()) return false;
  document = input.text().substr(0, document_length(input.text()));
  input.take(document.size());
  return true;
}

std::string text_of_line(std::string_view line, const std::string& name, std::uint64_t number) {
  try {
    const auto json = nlohmann::json::parse(line);
    const auto text = json.is_object() ? json.find("text") : json.end();
    if (!json.is_object() || text == json.end())
      throw Error(ErrorCode::kBadInput, name, " line ", number, ": a JSON object with a member \"text\" is due");
    if (!text->is_string())
      throw Error(ErrorCode::kBadInput, name, " line ", number, ": \"text\" is of type ", text->type_name(),
                  ", a string is due");
    return text->get<std::string>();
  } catch (const nlohmann::json::parse_error& error) {
    throw Error(ErrorCode::kBadInput, name, " line ", number, ": no valid JSON at byte ", error.byte, " of the line");
  } catch (const nlohmann::json::exception&) {  // a number that is too large
    throw Error(ErrorCode::kBadInput, name, " line ", number, ": no valid JSON");
  }
}

bool next_of_json_lines(Input& input, std::uint64_t& line_number, std::string& document) {
  for (;;) {
    std::size_t searched = 0, end = 0;
    while ((end = input.text().find('\n', searched)) == std::string_view::npos && !input.ended()) {
      searched = input.text().size();
      if (searched > kLongestLine)
        throw Error(ErrorCode::kBadInput, input.name(), " line ", line_number + 1, ": longer than ", kLongestLine,
                    " bytes; is this one JSON object a line?");
      input.read_more();
    }
    if (input.text().empty()) return false;
    const std::string_view line = input.text().substr(0, end);
    ++line_number;
    const bool blank = std::all_of(line.begin(), line.end(), is_space);
    if (!blank) document = text_of_line(line, input.name(), line_number);
    input.take(std::min(line.size() + 1, input.text().size()));
    if (!blank) return true;
  }
}

bool is_json_lines(const fs::path& path) { return path.extension() == ".jsonl" || path.extension() == ".ndjson"; }

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

struct DocumentReader::Impl {
  std::vector<fs::path> paths;
  std::size_t next_path = 0;
  std::optional<Input> input;
  bool json_lines = false;
  std::uint64_t line_number = 0;
  std::uint64_t bytes_of_ended = 0;
};

DocumentReader::DocumentReader(std::vector<fs::path> inputs) : impl_(std::make_unique<Impl>()) {
  constexpr std::array kNoText = {".gz", ".xz", ".zst", ".bz2", ".zip", ".parquet", ".json", ".h5"};
  for (const fs::path& path : inputs) {
    if (std::find(kNoText.begin(), kNoText.end(), path.extension()) != kNoText.end())
      throw Error(ErrorCode::kUsage, "input ", path.string(), " is neither text nor JSON lines (.jsonl); unpack or ",
                  "convert it first");
    if (fs::is_directory(path)) throw Error(ErrorCode::kUsage, "input ", path.string(), " is a directory; name files");
    // Late failures are expensive: a missing last file should not cost the work on the first.
    if (path != "-" && !fs::exists(path)) throw Error(ErrorCode::kNotFound, "no file ", path.string());
  }
  impl_->paths = std::move(inputs);
}

DocumentReader::~DocumentReader() = default;

bool DocumentReader::next(std::string& document) {
  for (;;) {
    if (!impl_->input) {
      if (impl_->next_path == impl_->paths.size()) return false;
      const fs::path& path = impl_->paths[impl_->next_path++];
      impl_->input.emplace(path);
      impl_->json_lines = is_json_lines(path);
      impl_->line_number = 0;
    }
    if (impl_->json_lines ? next_of_json_lines(*impl_->input, impl_->line_number, document)
                          : next_of_text(*impl_->input, document))
      return true;
    impl_->bytes_of_ended += impl_->input->bytes_read();
    impl_->input.reset();
  }
}

std::uint64_t DocumentReader::bytes_read() const {
  return impl_->bytes_of_ended + (impl_->input ? impl_->input->bytes_read() : 0);
}

std::uint64_t DocumentReader::bytes_in_all() const {
  std::uint64_t bytes = 0;
  for (const fs::path& path : impl_->paths) {
    std::error_code unknown;
    if (path == "-" || !fs::is_regular_file(path, unknown)) return 0;
    bytes += fs::file_size(path, unknown);
    if (unknown) return 0;
  }
  return bytes;
}

}  // namespace trireme::data
