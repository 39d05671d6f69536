#include "data/tokenizer/pretokenizer.h"

#include <algorithm>
#include <map>

#include "data/tokenizer/byte_alphabet.h"
#include "data/tokenizer/char_sets.h"
#include "data/tokenizer/pattern.h"
#include "data/tokenizer/unicode_classes.h"
#include "data/tokenizer/utf8.h"

namespace trireme::data {
namespace {

using Json = nlohmann::json;
using Scratch = Pretokenizer::Scratch;

/// What happens to what was found, and to what lies between.
enum class Behavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

const std::vector<std::string> kBehaviors = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext",
                                             "Contiguous"};

Behavior read_behavior(const JsonReader& reader, const Json& part, const std::string& where) {
  const std::string name = reader.choice(part, "behavior", where, kBehaviors);
  return static_cast<Behavior>(std::ranges::find(kBehaviors, name) - kBehaviors.begin());
}

/// A stretch that is a match, or one between matches.
struct Stretch {
  std::size_t begin, end;
  bool is_match;
};

/// Stretches that cover a text, as pieces. Matches have to come in order.
class Stretches {
 public:
  void clear(std::size_t size) {
    stretches_.clear();
    size_ = size;
    done_ = 0;
  }
  void match(std::size_t begin, std::size_t end) {
    between(begin);
    stretches_.push_back({begin, end, true});
    done_ = end;
  }
  /// Appends pieces, each moved by `offset`; none is empty.
  void take(Behavior behavior, bool invert, std::size_t offset, std::vector<Piece>& pieces) {
    between(size_);
    if (invert)
      for (Stretch& stretch : stretches_) stretch.is_match = !stretch.is_match;
    if (behavior == Behavior::kMergedWithNext) std::ranges::reverse(stretches_);
    const std::size_t first = pieces.size();
    bool has_any = false, before = false;
    for (const Stretch& stretch : stretches_) {
      const bool joins = behavior == Behavior::kContiguous ? stretch.is_match == before
                         : behavior == Behavior::kMergedWithPrevious || behavior == Behavior::kMergedWithNext
                             ? stretch.is_match && !before
                             : false;
      before = stretch.is_match;
      if (behavior == Behavior::kRemoved && stretch.is_match) continue;
      if (joins && has_any) {
        (behavior == Behavior::kMergedWithNext ? pieces.back().begin : pieces.back().end) =
            offset + (behavior == Behavior::kMergedWithNext ? stretch.begin : stretch.end);
        continue;
      }
      has_any = true;
      pieces.push_back({offset + stretch.begin, offset + stretch.end});
    }
    if (behavior == Behavior::kMergedWithNext)
      std::reverse(pieces.begin() + static_cast<std::ptrdiff_t>(first), pieces.end());
    std::erase_if(pieces, [](Piece piece) { return piece.begin == piece.end; });
  }

 private:
  void between(std::size_t end) {
    if (done_ < end) stretches_.push_back({done_, end, false});
  }

  std::vector<Stretch> stretches_;
  std::size_t size_ = 0, done_ = 0;
};

/// One that only cuts. `find(std::string_view piece, Stretches&)` tells the matches of a piece.
template <class Find>
void cut_each(PieceList& list, Scratch& scratch, Behavior behavior, bool invert, Find&& find) {
  std::vector<Piece>& pieces = scratch.pieces;
  pieces.clear();
  Stretches stretches;
  for (const Piece piece : list.pieces) {
    stretches.clear(piece.end - piece.begin);
    find(list.of(piece), stretches);
    std::vector<Piece> own;
    stretches.take(behavior, invert, piece.begin, own);
    pieces.insert(pieces.end(), own.begin(), own.end());
  }
  list.pieces.swap(pieces);
}

template <class IsMatch>
void cut_at_characters(PieceList& list, Scratch& scratch, Behavior behavior, IsMatch&& is_match) {
  cut_each(list, scratch, behavior, /*invert=*/false, [&](std::string_view piece, Stretches& stretches) {
    for (std::size_t at = 0; at < piece.size();) {
      const Utf8Step step = utf8_step(piece.substr(at));
      if (is_match(step)) stretches.match(at, at + step.size);
      at += step.size;
    }
  });
}

/// Rewrites pieces: `each(TextChange&, std::size_t end, Piece)` goes over one, to byte `end` of the old text.
template <class Each>
void change_pieces(PieceList& list, Scratch& scratch, Each&& each) {
  TextChange change(list.text, scratch.change);
  for (Piece& piece : list.pieces) {
    change.skip(piece.begin - change.at());
    const std::size_t begin = change.written();
    each(change, piece);
    piece = {begin, change.written()};
  }
  change.finish();
}

class Sequence final : public Pretokenizer {
 public:
  explicit Sequence(std::vector<std::unique_ptr<Pretokenizer>> parts) : parts_(std::move(parts)) {}
  void cut(PieceList& list, Scratch& scratch) const override {
    for (const auto& part : parts_) part->cut(list, scratch);
  }

 private:
  std::vector<std::unique_ptr<Pretokenizer>> parts_;
};

class Split final : public Pretokenizer {
 public:
  Split(const JsonReader& reader, const Json& part, const std::string& where)
      : pattern_(Pattern::read(reader, part, where)),
        behavior_(read_behavior(reader, part, where)),
        invert_(reader.boolean(part, "invert", where)) {}

  void cut(PieceList& list, Scratch& scratch) const override {
    cut_each(list, scratch, behavior_, invert_, [&](std::string_view piece, Stretches& stretches) {
      pattern_.for_each(piece, [&](std::size_t begin, std::size_t end) { stretches.match(begin, end); });
    });
  }

 private:
  Pattern pattern_;
  Behavior behavior_;
  bool invert_;
};

class ByteLevel final : public Pretokenizer {
 public:
  ByteLevel(const JsonReader& reader, const Json& part, const std::string& where, bool as_bytes)
      : prefix_(reader.boolean(part, "add_prefix_space", where, true)),
        pattern_(reader.boolean(part, "use_regex", where, true)),
        as_bytes_(as_bytes) {}

  void cut(PieceList& list, Scratch& scratch) const override {
    if (prefix_ && std::ranges::any_of(list.pieces, [&](Piece piece) { return list.of(piece)[0] != ' '; })) {
      change_pieces(list, scratch, [](TextChange& change, Piece piece) {
        if (change.old_text()[piece.begin] != ' ') change.prepend(" ");
        change.keep(piece.end - change.at());
      });
    }
    const WordScanner scanner(pattern_ ? WordScanner::Style::kGpt2 : WordScanner::Style::kWhole);
    std::vector<Piece>& pieces = scratch.pieces;
    pieces.clear();
    for (Piece piece : list.pieces) {
      while (piece.begin < piece.end) {
        const std::size_t size = scanner.first_piece(list.of(piece));
        pieces.push_back({piece.begin, piece.begin + size});
        piece.begin += size;
      }
    }
    list.pieces.swap(pieces);
    if (as_bytes_) return;
    change_pieces(list, scratch, [](TextChange& change, Piece piece) {
      while (change.at() < piece.end) {
        const std::string_view rest = change.old_text().substr(change.at(), piece.end - change.at());
        change_to_alphabet(change, rest.substr(0, utf8_step(rest).size));
      }
    });
  }

 private:
  bool prefix_, pattern_, as_bytes_;
};

/// SentencePiece's mark for spaces, "▁", and cuts before it.
class Metaspace final : public Pretokenizer {
 public:
  Metaspace(const JsonReader& reader, const Json& part, const std::string& where)
      : mark_(reader.character(part, "replacement", where)), split_(reader.boolean(part, "split", where, true)) {
    const bool has_scheme = part.contains("prepend_scheme") && !part["prepend_scheme"].is_null();
    const std::string scheme =
        has_scheme ? reader.choice(part, "prepend_scheme", where, {"always", "first", "never"}) : "always";
    // The option of older files; false there says what the scheme has to say too.
    const bool adds = reader.boolean(part, "add_prefix_space", where, true);
    if (!adds && has_scheme && scheme != "never")
      reader.refuse(where, ".add_prefix_space is false, but prepend_scheme is \"", scheme, "\"");
    always_ = adds && scheme == "always";
    first_ = adds && scheme == "first";
  }

  void cut(PieceList& list, Scratch& scratch) const override {
    const auto needs_mark = [&](Piece piece) {
      const std::string_view text = list.of(piece);
      if (text[0] == ' ' || text.starts_with(mark_)) return false;
      return always_ || (first_ && list.text.original(piece.begin, piece.begin + 1).begin == 0);
    };
    const auto needs_change = [&](Piece piece) {
      return needs_mark(piece) || (mark_ != " " && list.of(piece).find(' ') != std::string_view::npos);
    };
    if (std::ranges::any_of(list.pieces, needs_change)) {
      change_pieces(list, scratch, [&](TextChange& change, Piece piece) {
        if (needs_mark(piece)) change.prepend(mark_);
        while (change.at() < piece.end) {
          const std::string_view rest = change.old_text().substr(change.at(), piece.end - change.at());
          change.keep(std::min(rest.find(' '), rest.size()));
          if (change.at() < piece.end) change.replace(mark_);
        }
      });
    }
    if (!split_) return;
    cut_each(list, scratch, Behavior::kMergedWithNext, false, [&](std::string_view piece, Stretches& stretches) {
      for (std::size_t at = 0; (at = piece.find(mark_, at)) != std::string_view::npos; at += mark_.size())
        stretches.match(at, at + mark_.size());
    });
  }

 private:
  std::string mark_;
  bool split_, always_ = false, first_ = false;
};

class Characters final : public Pretokenizer {
 public:
  using IsMatch = bool (*)(Utf8Step);
  Characters(IsMatch is_match, Behavior behavior) : is_match_(is_match), behavior_(behavior) {}
  void cut(PieceList& list, Scratch& scratch) const override { cut_at_characters(list, scratch, behavior_, is_match_); }

 private:
  IsMatch is_match_;
  Behavior behavior_;
};

bool is_punctuation(Utf8Step step) { return step.is_valid() && is_in(CharSet::kPunctuation, step.code); }
bool is_numeric(Utf8Step step) { return step.is_valid() && is_in(CharSet::kNumeric, step.code); }

class Bert final : public Pretokenizer {
 public:
  void cut(PieceList& list, Scratch& scratch) const override {
    cut_at_characters(list, scratch, Behavior::kRemoved, is_white_space);
    cut_at_characters(list, scratch, Behavior::kIsolated, is_punctuation);
  }
};

class Delimiter final : public Pretokenizer {
 public:
  Delimiter(const JsonReader& reader, const Json& part, const std::string& where)
      : code_(utf8_step(reader.character(part, "delimiter", where)).code) {}
  void cut(PieceList& list, Scratch& scratch) const override {
    cut_at_characters(list, scratch, Behavior::kRemoved, [&](Utf8Step step) { return step.code == code_; });
  }

 private:
  char32_t code_;
};

/// Runs of \w, runs of what is neither that nor white space.
class Whitespace final : public Pretokenizer {
 public:
  void cut(PieceList& list, Scratch& scratch) const override {
    cut_each(list, scratch, Behavior::kRemoved, /*invert=*/true, [](std::string_view piece, Stretches& stretches) {
      enum class Kind { kSpace, kWord, kOther };
      std::size_t begin = 0;
      Kind last = Kind::kSpace;
      for (std::size_t at = 0;;) {
        const bool ends = at == piece.size();
        const Utf8Step step = ends ? Utf8Step{' ', 0} : utf8_step(piece.substr(at));
        const Kind kind = ends || is_white_space(step)                          ? Kind::kSpace
                          : step.is_valid() && is_in(CharSet::kWord, step.code) ? Kind::kWord
                                                                                : Kind::kOther;
        if (kind != last) {
          if (last != Kind::kSpace) stretches.match(begin, at);
          begin = at;
          last = kind;
        }
        if (ends) return;
        at += step.size;
      }
    });
  }
};

class FixedLength final : public Pretokenizer {
 public:
  FixedLength(const JsonReader& reader, const Json& part, const std::string& where)
      : length_(part.contains("length") ? reader.count(part, "length", where, 1, INT32_MAX) : 5) {}
  void cut(PieceList& list, Scratch& scratch) const override {
    cut_each(list, scratch, Behavior::kIsolated, false, [&](std::string_view piece, Stretches& stretches) {
      std::size_t begin = 0, at = 0;
      std::int64_t characters = 0;
      while (at < piece.size()) {
        at += utf8_step(piece.substr(at)).size;
        if (++characters < length_ && at < piece.size()) continue;
        stretches.match(begin, at);
        begin = at;
        characters = 0;
      }
    });
  }

 private:
  std::int64_t length_;
};

using Made = std::unique_ptr<Pretokenizer>;

Made characters(Characters::IsMatch is_match, Behavior behavior) {
  return std::make_unique<Characters>(is_match, behavior);
}

}  // namespace

std::unique_ptr<Pretokenizer> Pretokenizer::make(const JsonReader& reader, const Json& part, const std::string& where,
                                                 bool as_bytes) {
  struct Kind {
    std::vector<std::string> keys;
    Made (*make)(const JsonReader&, const Json&, const std::string&, bool as_bytes);
  };
  const auto plain = []<class Part>() {
    return [](const JsonReader&, const Json&, const std::string&, bool) -> Made { return std::make_unique<Part>(); };
  };
  const auto with = []<class Part>() {
    return [](const JsonReader& from, const Json& json, const std::string& at, bool) -> Made {
      return std::make_unique<Part>(from, json, at);
    };
  };
  static const std::map<std::string, Kind> kKinds = {
      {"BertPreTokenizer", {{}, plain.operator()<Bert>()}},
      {"ByteLevel",
       {{"add_prefix_space", "trim_offsets", "use_regex"},
        [](const JsonReader& from, const Json& json, const std::string& at, bool bytes) -> Made {
          return std::make_unique<ByteLevel>(from, json, at, bytes);
        }}},
      {"CharDelimiterSplit", {{"delimiter"}, with.operator()<Delimiter>()}},
      {"Digits",
       {{"individual_digits"},
        [](const JsonReader& from, const Json& json, const std::string& at, bool) {
          return characters(is_numeric,
                            from.boolean(json, "individual_digits", at) ? Behavior::kIsolated : Behavior::kContiguous);
        }}},
      {"FixedLength", {{"length"}, with.operator()<FixedLength>()}},
      {"Metaspace",
       {{"replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep"}, with.operator()<Metaspace>()}},
      {"Punctuation",
       {{"behavior"},
        [](const JsonReader& from, const Json& json, const std::string& at, bool) {
          return characters(is_punctuation,
                            json.contains("behavior") ? read_behavior(from, json, at) : Behavior::kIsolated);
        }}},
      {"Sequence",
       {{"pretokenizers"},
        [](const JsonReader& from, const Json& json, const std::string& at, bool bytes) -> Made {
          std::size_t left = json.contains("pretokenizers") ? json["pretokenizers"].size() : 0;
          return std::make_unique<Sequence>(
              from.list(json, "pretokenizers", at, [&](const Json& entry, const std::string& place) {
                return Pretokenizer::make(from, entry, place, bytes && --left == 0);
              }));
        }}},
      {"Split", {{"pattern", "behavior", "invert"}, with.operator()<Split>()}},
      {"Whitespace", {{}, plain.operator()<Whitespace>()}},
      {"WhitespaceSplit",
       {{},
        [](const JsonReader&, const Json&, const std::string&, bool) {
          return characters(is_white_space, Behavior::kRemoved);
        }}},
  };
  if (part.is_null()) return nullptr;
  const Kind& kind = reader.kind_of(part, where, kKinds);
  reader.require_known_keys(part, where, kind.keys);
  return kind.make(reader, part, where, as_bytes);
}

PretokenizerOutline PretokenizerOutline::of(const JsonReader& reader, const Json& part) {
  const auto says = [](const Json& json, const char* key, std::string_view value) {
    const auto found = json.is_object() ? json.find(key) : json.end();
    return json.is_object() && found != json.end() && found->is_string() &&
           found->get_ref<const std::string&>() == value;
  };
  const auto is = [&](const Json& json, std::string_view type) { return says(json, "type", type); };
  PretokenizerOutline outline;
  const Json* last = &part;
  std::size_t before = 0;
  while (is(*last, "Sequence") && last->contains("pretokenizers") && (*last)["pretokenizers"].is_array() &&
         !(*last)["pretokenizers"].empty()) {
    before += (*last)["pretokenizers"].size() - 1;
    last = &(*last)["pretokenizers"].back();
  }
  if (!is(*last, "ByteLevel")) return outline;
  outline.ends_in_bytes = true;
  const bool cuts = reader.boolean(*last, "use_regex", "pre_tokenizer", true);
  const bool adds_space = reader.boolean(*last, "add_prefix_space", "pre_tokenizer", true);
  if (before == 0) {
    outline.scanner = WordScanner(cuts ? WordScanner::Style::kGpt2 : WordScanner::Style::kWhole);
    outline.add_prefix_space = adds_space;
    return outline;
  }
  // {"Sequence": [Split by a known pattern, ByteLevel as it is]}, as Llama 3 and Qwen have it.
  const Json& first = part["pretokenizers"][0];
  if (before != 1 || cuts || adds_space || last == &part || !is(first, "Split") ||
      !says(first, "behavior", "Isolated") || reader.boolean(first, "invert", "pre_tokenizer"))
    return outline;
  const auto pattern = first.find("pattern");
  if (pattern != first.end() && pattern->is_object() && pattern->contains("Regex") && (*pattern)["Regex"].is_string())
    outline.scanner = WordScanner::of_pattern((*pattern)["Regex"].get_ref<const std::string&>());
  return outline;
}

}  // namespace trireme::data
