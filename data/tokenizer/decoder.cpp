#include "data/tokenizer/decoder.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include "core/base/text.h"
#include "data/tokenizer/byte_alphabet.h"
#include "data/tokenizer/pattern.h"
#include "data/tokenizer/utf8.h"

namespace trireme::data {
namespace {

using Json = nlohmann::json;
using Stage = Decoder::Stage;
using Sink = Decoder::Sink;
using Token = Decoder::Token;

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  if (what.empty()) return;
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size())
    text.replace(at, what.size(), with);
}

/// What tokenizing English leaves between words and signs.
void clean_up(std::string& text) {
  constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},   {" n't", "n't"},
      {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [what, with] : kRules) replace_all(text, what, with);
}

class Join final : public Stage {
 public:
  void push(const Token& token, const Sink& out) override {
    if (!is_first_) out({" "});
    is_first_ = false;
    out(token);
  }

 private:
  bool is_first_ = true;
};

class ByteLevel final : public Stage {
 public:
  void push(const Token& token, const Sink& out) override {
    const auto bytes = token.is_added ? std::nullopt : unspell_bytes(token.text);
    out(bytes ? Token{*bytes} : token);
  }
};

class WordPiece final : public Stage {
 public:
  WordPiece(std::string prefix, bool cleans_up) : prefix_(std::move(prefix)), cleans_up_(cleans_up) {}
  void push(const Token& token, const Sink& out) override {
    std::string text(token.text);
    if (!is_first_) text.starts_with(prefix_) ? text.erase(0, prefix_.size()) : text.insert(0, 1, ' ');
    is_first_ = false;
    if (cleans_up_) clean_up(text);
    out({text});
  }

 private:
  std::string prefix_;
  bool cleans_up_, is_first_ = true;
};

class Metaspace final : public Stage {
 public:
  Metaspace(std::string mark, bool drops_first) : mark_(std::move(mark)), drops_first_(drops_first) {}
  void push(const Token& token, const Sink& out) override {
    std::string text(token.text);
    replace_all(text, mark_, drops_first_ ? "" : " ");
    drops_first_ = false;
    out({text});
  }

 private:
  std::string mark_;
  bool drops_first_;
};

/// A word's end is marked in its last token; the text ends without.
class WordEnds final : public Stage {
 public:
  explicit WordEnds(std::string suffix) : suffix_(std::move(suffix)) {}
  void push(const Token& token, const Sink& out) override {
    give(" ", out);
    waiting_ = token.text;
  }
  void finish(const Sink& out) override { give("", out); }

 private:
  void give(std::string_view instead, const Sink& out) {
    if (!waiting_) return;
    replace_all(*waiting_, suffix_, instead);
    out({*waiting_});
    waiting_.reset();
  }

  std::string suffix_;
  std::optional<std::string> waiting_;
};

/// Source: Graves et al. 2006: repeated labels are one, and blanks go.
class Ctc final : public Stage {
 public:
  Ctc(std::string pad, std::string delimiter, bool cleans_up)
      : pad_(std::move(pad)), delimiter_(std::move(delimiter)), cleans_up_(cleans_up) {}
  void push(const Token& token, const Sink& out) override {
    if (last_ == token.text) return;
    last_ = token.text;
    std::string text(token.text);
    replace_all(text, pad_, "");
    if (cleans_up_) {
      clean_up(text);
      replace_all(text, delimiter_, " ");
    }
    if (!text.empty()) out({text});
  }

 private:
  std::string pad_, delimiter_;
  bool cleans_up_;
  std::optional<std::string> last_;
};

class Replace final : public Stage {
 public:
  Replace(std::shared_ptr<const Pattern> pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  void push(const Token& token, const Sink& out) override {
    std::string text;
    std::size_t done = 0;
    pattern_->for_each(token.text, [&](std::size_t begin, std::size_t end) {
      text += token.text.substr(done, begin - done);
      text += content_;
      done = end;
    });
    text += token.text.substr(done);
    out({text});
  }

 private:
  std::shared_ptr<const Pattern> pattern_;
  std::string content_;
};

/// "<0x61>" is a byte. A run of them that is no text gives U+FFFD for each; of a stream, what is text at its begin is
/// given at once, where no later stage asks for the token that a run is.
class ByteFallback final : public Stage {
 public:
  explicit ByteFallback(bool is_stream) : is_stream_(is_stream) {}
  void push(const Token& token, const Sink& out) override {
    if (const auto byte = byte_of(token.text)) {
      bytes_ += *byte;
      if (is_stream_ && is_utf8(bytes_)) finish(out);
      return;
    }
    finish(out);
    out(token);
  }
  void finish(const Sink& out) override {
    if (bytes_.empty()) return;
    if (is_utf8(bytes_)) {
      out({bytes_});
    } else {
      for (std::size_t i = 0; i < bytes_.size(); ++i) out({"\xEF\xBF\xBD"});
    }
    bytes_.clear();
  }

 private:
  static std::optional<char> byte_of(std::string_view token) {
    if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
    unsigned value = 0;
    // A sign before a digit is one for Rust's parser too, which takes "<0x+a>".
    const char* const begin = token.data() + (token[3] == '+' ? 4 : 3);
    const auto [end, error] = std::from_chars(begin, token.data() + 5, value, 16);
    if (error != std::errc() || end != token.data() + 5) return std::nullopt;
    return static_cast<char>(value);
  }

  bool is_stream_;
  std::string bytes_;
};

/// All tokens as one, where a later stage asks for that.
class Fuse final : public Stage {
 public:
  void push(const Token& token, const Sink&) override { text_ += token.text; }
  void finish(const Sink& out) override { out({text_}); }

 private:
  std::string text_;
};

/// Takes up to `start` characters away at the head of a token and up to `stop` at its tail; behind Fuse, of all text.
class Strip final : public Stage {
 public:
  Strip(std::string content, std::int64_t start, std::int64_t stop, bool is_fused)
      : content_(std::move(content)), start_(start), stop_(stop), is_fused_(is_fused), left_(start) {}

  void push(const Token& token, const Sink& out) override {
    std::string_view rest = token.text;
    if (!is_fused_) left_ = start_;
    for (; left_ > 0 && rest.starts_with(content_); --left_) rest.remove_prefix(content_.size());
    if (!rest.empty()) left_ = 0;
    waiting_ += rest;
    if (is_fused_) {
      const std::size_t tail = tail_of(waiting_);
      out({std::string_view(waiting_).substr(0, waiting_.size() - tail)});
      waiting_.erase(0, waiting_.size() - tail);
    } else {
      give(out);
    }
  }
  void finish(const Sink& out) override {
    if (is_fused_) give(out);  // else a token more
  }

 private:
  void give(const Sink& out) {
    out({std::string_view(waiting_).substr(0, waiting_.size() - tail_of(waiting_))});
    waiting_.clear();
  }

  std::size_t tail_of(std::string_view text) const {
    std::size_t size = 0;
    for (std::int64_t i = 0; i < stop_ && text.substr(0, text.size() - size).ends_with(content_); ++i)
      size += content_.size();
    return size;
  }

  std::string content_;
  std::int64_t start_, stop_;
  bool is_fused_;
  std::int64_t left_;  // that may still be taken away at the head
  std::string waiting_;
};

class Reading {
 public:
  explicit Reading(const JsonReader& reader) : reader_(reader) {}

  // Stages in the order of the file, sequences taken apart.
  void read(const Json& part, const std::string& where) {
    struct Kind {
      std::vector<std::string> keys;
      void (Reading::*read)(const Json&, const std::string&);
    };
    static const std::map<std::string, Kind> kKinds = {
        {"BPEDecoder", {{"suffix"}, &Reading::word_ends}},
        {"ByteFallback", {{}, &Reading::byte_fallback}},
        {"ByteLevel", {{"add_prefix_space", "trim_offsets", "use_regex"}, &Reading::byte_level}},
        {"CTC", {{"pad_token", "word_delimiter_token", "cleanup"}, &Reading::ctc}},
        {"Fuse", {{}, &Reading::fuse}},
        {"Metaspace", {{"replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep"}, &Reading::metaspace}},
        {"Replace", {{"pattern", "content"}, &Reading::replace}},
        {"Sequence", {{"decoders"}, &Reading::sequence}},
        {"Strip", {{"content", "start", "stop"}, &Reading::strip}},
        {"WordPiece", {{"prefix", "cleanup"}, &Reading::word_piece}},
    };
    const Kind& kind = reader_.kind_of(part, where, kKinds);
    reader_.require_known_keys(part, where, kind.keys);
    (this->*kind.read)(part, where);
  }

  // Fuse waits for all tokens only where a stage behind it cannot go over their text bit by bit.
  std::vector<Decoder::MakeStage> stages() const {
    std::size_t waiting_end = 0;  // behind the last one that needs whole tokens
    for (std::size_t i = 0; i < entries_.size(); ++i)
      if (entries_[i].make && !entries_[i].goes_by_bits) waiting_end = i + 1;
    std::vector<Decoder::MakeStage> made;
    bool is_fused = false;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      const Entry& entry = entries_[i];
      const bool may_stream = i + 1 >= waiting_end;
      if (entry.make)
        made.push_back([=, make = entry.make](bool is_stream) { return make(is_fused, is_stream && may_stream); });
      if (!entry.fuses) continue;
      const bool waits = i + 1 < waiting_end;
      if (waits) made.push_back([](bool) { return std::make_unique<Fuse>(); });
      is_fused = !waits;
    }
    return made;
  }

 private:
  struct Entry {
    std::function<std::unique_ptr<Stage>(bool is_fused, bool is_stream)> make;  // none: it only fuses
    bool fuses = false;                                                         // what comes behind sees one token
    bool goes_by_bits = false;  // and this is one that needs no whole one
  };

  template <class Made, class... Arguments>
  void add(bool fuses, Arguments... arguments) {
    entries_.push_back({[=](bool, bool) { return std::make_unique<Made>(arguments...); }, fuses});
  }

  void word_ends(const Json& part, const std::string& where) {
    add<WordEnds>(false, reader_.text(part, "suffix", where));
  }
  void byte_fallback(const Json&, const std::string&) {
    entries_.push_back({[](bool, bool is_stream) { return std::make_unique<ByteFallback>(is_stream); }});
  }
  void byte_level(const Json&, const std::string&) { add<ByteLevel>(true); }
  void ctc(const Json& part, const std::string& where) {
    add<Ctc>(false, reader_.text(part, "pad_token", where), reader_.text(part, "word_delimiter_token", where),
             reader_.boolean(part, "cleanup", where));
  }
  void fuse(const Json&, const std::string&) { entries_.push_back({nullptr, true}); }
  void metaspace(const Json& part, const std::string& where) {
    const std::string scheme = part.contains("prepend_scheme")
                                   ? reader_.choice(part, "prepend_scheme", where, {"always", "first", "never"})
                                   : "always";
    const bool adds = reader_.boolean(part, "add_prefix_space", where, true);
    add<Metaspace>(false, reader_.character(part, "replacement", where), adds && scheme != "never");
  }
  void replace(const Json& part, const std::string& where) {
    add<Replace>(false, std::make_shared<const Pattern>(Pattern::read(reader_, part, where)),
                 reader_.text(part, "content", where));
  }
  void sequence(const Json& part, const std::string& where) {
    reader_.list(part, "decoders", where, [&](const Json& entry, const std::string& place) {
      read(entry, place);
      return 0;
    });
  }
  void strip(const Json& part, const std::string& where) {
    entries_.push_back({[content = reader_.character(part, "content", where),
                         start = reader_.count(part, "start", where, 0, INT32_MAX),
                         stop = reader_.count(part, "stop", where, 0, INT32_MAX)](bool is_fused, bool) {
                          return std::make_unique<Strip>(content, start, stop, is_fused);
                        },
                        false, true});
  }
  void word_piece(const Json& part, const std::string& where) {
    add<WordPiece>(false, reader_.text(part, "prefix", where), reader_.boolean(part, "cleanup", where));
  }

  const JsonReader& reader_;
  std::vector<Entry> entries_;
};

}  // namespace

Decoder Decoder::make(const JsonReader& reader, const Json& part) {
  Decoder decoder;
  if (part.is_null()) {
    decoder.stages_.push_back([](bool) { return std::make_unique<Join>(); });
    return decoder;
  }
  Reading reading(reader);
  reading.read(part, "decoder");
  decoder.stages_ = reading.stages();
  return decoder;
}

Decoder::Run::Run(const Decoder& decoder, bool is_stream) {
  for (const MakeStage& make : decoder.stages_) stages_.push_back(make(is_stream));
}

void Decoder::Run::hand_on(std::size_t stage, const Token& token, std::string& bytes) {
  if (stage == stages_.size()) {
    bytes += token.text;
    return;
  }
  stages_[stage]->push(token, [&](const Token& made) { hand_on(stage + 1, made, bytes); });
}

void Decoder::Run::push(const Token& token, std::string& bytes) { hand_on(0, token, bytes); }

void Decoder::Run::finish(std::string& bytes) {
  for (std::size_t stage = 0; stage < stages_.size(); ++stage)
    stages_[stage]->finish([&](const Token& made) { hand_on(stage + 1, made, bytes); });
}

}  // namespace trireme::data
