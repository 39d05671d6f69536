#include "data/tokenizer/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <ctime>
#include <map>
#include <vector>

#include "data/tokenizer/char_sets.h"
#include "data/tokenizer/utf8.h"

namespace trireme::data {
namespace {

constexpr std::size_t kMostPatternBytes = 1 << 14;

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Writes a regular expression of Oniguruma's for PCRE2.
class Translation {
 public:
  Translation(std::string_view pattern, const JsonReader& reader, const std::string& where)
      : rest_(pattern), reader_(reader), where_(where) {}

  std::string result() {
    while (!rest_.empty()) {
      const std::size_t begin = out_.size();
      if (rest_[0] == '\\') {
        escape(/*in_class=*/false);
      } else if (rest_[0] == '[') {
        character_class();
      } else if (rest_[0] == '{' && is_interval()) {
        interval();
        continue;
      } else if (rest_.starts_with("(*")) {
        reader_.refuse(where_, ".pattern.Regex has \"(*\", which is not supported");
      } else if (rest_[0] == '(') {
        groups_.push_back(begin);
        take(1);
        continue;
      } else if (rest_[0] == ')') {
        take(1);
        atom_ = groups_.empty() ? begin : groups_.back();
        if (!groups_.empty()) groups_.pop_back();
        continue;
      } else {
        const bool repeats = rest_[0] == '*' || rest_[0] == '+' || rest_[0] == '?';
        take(utf8_step(rest_).size);
        if (repeats) continue;
      }
      atom_ = begin;
    }
    return std::move(out_);
  }

 private:
  void take(std::size_t bytes) {
    out_ += rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
  }

  void put(std::string_view text, std::size_t instead_of) {
    out_ += text;
    rest_.remove_prefix(instead_of);
  }

  // White space as \s has it there: PCRE2 adds U+180E.
  static constexpr std::string_view kSpace =
      "\\t-\\r\\x20\\x85\\xA0\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}";

  void escape(bool in_class) {
    const char kind = rest_.size() > 1 ? rest_[1] : '\0';
    switch (kind) {
      case 's':
        return members(kSpace, false, 2, in_class);
      case 'S':
        if (!in_class) return members(kSpace, true, 2, in_class);
        // Within a class there is no "not", but all that is there on its own.
        return put(
            "\\x00-\\x08\\x0E-\\x1F\\x21-\\x84\\x86-\\x9F\\xA1-\\x{167F}\\x{1681}-\\x{1FFF}\\x{200B}-\\x{2027}"
            "\\x{202A}-\\x{202E}\\x{2030}-\\x{205E}\\x{2060}-\\x{2FFF}\\x{3001}-\\x{10FFFF}",
            2);
      case 'w':
      case 'W':
        return members(in_class ? word() : lone_word(), kind == 'W', 2, in_class);
      case 'b':
      case 'B': {
        if (in_class) break;  // a backspace
        const std::string those = "[" + lone_word() + "])";
        const std::string behind = "(?<=" + those, ahead = "(?=" + those;
        const std::string none_behind = "(?<!" + those, none_ahead = "(?!" + those;
        return put(kind == 'b' ? "(?:" + behind + none_ahead + "|" + none_behind + ahead + ")"
                               : "(?:" + behind + ahead + "|" + none_behind + none_ahead + ")",
                   2);
      }
      case 'd':
      case 'D':
        return members(category("Nd"), kind == 'D', 2, in_class);
      case 'h':
        return members("0-9a-fA-F", false, 2, in_class);
      case 'H':
        return members("0-9a-fA-F", true, 2, in_class);
      case 'p':
      case 'P':
        return property(in_class);
      case 'C':
      case 'K':
      case 'g':
      case 'k':
      case 'E':
      case 'Q':
      case 'R':
      case 'X':
      case 'N':
      case 'O':
      case 'y':
      case 'Y':
        reader_.refuse(where_, ".pattern.Regex has \"\\", std::string(1, kind), "\", which is not supported");
      default:
        break;
    }
    take(rest_.size() > 1 ? 1 + utf8_step(rest_.substr(1)).size : 1);
  }

  // A class of `those`, or what of it stands within one.
  void members(std::string_view those, bool negated, std::size_t bytes, bool in_class) {
    if (in_class && negated) refuse_in_pattern(rest_.substr(0, bytes), " within a class");
    put(in_class ? std::string(those) : (negated ? "[^" : "[") + std::string(those) + "]", bytes);
  }
  static std::string category(std::string_view name) { return "\\p{" + std::string(name) + "}" + members_of(name); }
  static std::string alphabetic() { return category("L") + category("Nl") + members_of("Other_Alphabetic"); }
  static std::string word() { return alphabetic() + category("M") + category("Nd") + category("Pc"); }
  // Alone, not in a class, \w has some fractions and superscripts there.
  static std::string lone_word() { return word() + "\\xB2\\xB3\\xB9\\xBC-\\xBE"; }

  // \p{L}, \P{L}, \p{^L}, \p{Han}
  void property(bool in_class) {
    const std::size_t end = rest_.find('}');
    if (rest_.size() < 4 || rest_[2] != '{' || end == std::string_view::npos)
      reader_.refuse(where_, ".pattern.Regex has a \"\\p\" without {name}");
    std::string_view name = rest_.substr(3, end - 3);
    bool negated = rest_[1] == 'P';
    if (name.starts_with('^')) {
      negated = !negated;
      name.remove_prefix(1);
    }
    // C and Cn are others in each release of Unicode; Mn had U+1171E, which is Mc now.
    static constexpr std::string_view kCategories =
        " L Lu Ll Lt Lm Lo M Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs Zl Zp Cc Cf Co ";
    std::string those;
    if (!name.empty() && name.find(' ') == std::string_view::npos &&
        kCategories.find(" " + std::string(name) + " ") != std::string_view::npos) {
      those = category(name);
    } else if (const std::string_view script = script_of_name(name); !script.empty()) {
      those = "\\p{sc:" + std::string(script) + "}" + members_of(script);  // \p{Han} alone takes in Script_Extensions
    } else {
      refuse_in_pattern(rest_.substr(0, end + 1), "");
    }
    members(those, negated, end + 1, in_class);
  }

  // [:alpha:] within a class, as Unicode's UTS 18 has it.
  void posix_class(std::size_t bytes) {
    const std::string_view name = rest_.substr(2, bytes - 4);
    const std::map<std::string_view, std::string> known = {
        {"alpha", alphabetic()},
        {"alnum", alphabetic() + category("Nd")},
        {"ascii", "\\x00-\\x7F"},
        {"blank", "\\t\\p{Zs}"},
        {"digit", category("Nd")},
        {"lower", category("Ll") + members_of("Other_Lowercase")},
        {"punct", category("P") + category("S")},
        {"space", std::string(kSpace)},
        {"upper", category("Lu") + members_of("Other_Uppercase")},
        {"word", word()},
        {"xdigit", "0-9A-Fa-f"},
    };
    const auto found = known.find(name);
    if (found == known.end()) refuse_in_pattern(rest_.substr(0, bytes), " within a class");
    put(found->second, bytes);
  }

  [[noreturn]] void refuse_in_pattern(std::string_view what, std::string_view place) const {
    reader_.refuse(where_, ".pattern.Regex has ", quoted(std::string(what)), place, ", which is not supported");
  }

  void character_class() {
    take(rest_.starts_with("[^") ? 2 : 1);
    bool is_first = true;
    while (!rest_.empty() && (rest_[0] != ']' || is_first)) {
      if (rest_[0] == ']') reader_.refuse(where_, ".pattern.Regex has an empty class, which is not supported");
      is_first = false;
      if (rest_[0] == '\\') {
        escape(/*in_class=*/true);
      } else if (rest_.starts_with("&&") || rest_.starts_with("--")) {
        refuse_in_pattern(rest_.substr(0, 2), " within a class");
      } else if (rest_[0] == '[') {
        const std::size_t end = rest_.find(":]");
        if (!rest_.starts_with("[:") || end == std::string_view::npos)
          reader_.refuse(where_, ".pattern.Regex has a class within a class, which is not supported");
        posix_class(end + 2);
      } else {
        take(utf8_step(rest_).size);
      }
    }
    if (rest_.empty()) reader_.refuse(where_, ".pattern.Regex has a class without an end");
    take(1);
  }

  bool is_interval() const {
    const std::size_t end = rest_.find('}');
    if (end == std::string_view::npos || end == 1) return false;
    return rest_.substr(1, end - 1).find_first_not_of("0123456789,") == std::string_view::npos;
  }

  // "x{1,3}+" repeats the interval there, and is possessive in PCRE2.
  void interval() {
    std::size_t end = rest_.find('}') + 1;
    const bool lowest_missing = rest_[1] == ',';
    std::string text(rest_.substr(0, end));
    if (lowest_missing) text.insert(1, "0");
    put(text, end);
    if (rest_.starts_with('+')) {
      out_.insert(atom_, "(?:");
      out_ += ')';
    }
  }

  std::string_view rest_;
  const JsonReader& reader_;
  const std::string& where_;
  std::string out_;
  std::vector<std::size_t> groups_;
  std::size_t atom_ = 0;  // where the last one begins that may be repeated
};

}  // namespace

class Pattern::Regex {
 public:
  Regex(const std::string& pattern, const JsonReader& reader, const std::string& where) : text_(pattern) {
    const std::string translated = Translation(pattern, reader, where).result();
    int error = 0;
    PCRE2_SIZE at = 0;
    constexpr std::uint32_t kOptions =
        PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C | PCRE2_USE_OFFSET_LIMIT;
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(), kOptions, &error, &at,
                              nullptr));
    if (!code_) {
      PCRE2_UCHAR message[256] = {};
      pcre2_get_error_message(error, message, sizeof message);
      reader.refuse(where, ".pattern.Regex ", quoted(pattern),
                    " is not supported: ", reinterpret_cast<const char*>(message), " at byte ", at, " of ",
                    quoted(translated));
    }
    pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);  // where there is none, the interpreter runs
  }

  /// Matches of well-formed UTF-8, which begins at `base` of the whole text.
  void for_each(std::string_view text, std::size_t base, double deadline, const Match& match) const {
    Work& work = Work::of_thread();
    const std::unique_ptr<pcre2_match_data, Free> found(pcre2_match_data_create(1, nullptr));
    std::size_t at = 0;
    std::optional<std::size_t> last_end;
    bool is_slow = false;
    for (int calls = 0; at <= text.size(); ++calls) {
      if ((is_slow || calls % 64 == 0) && processor_seconds() > deadline) fail();
      // A few starts at a time with few steps each; a start that needs more is tried alone.
      const std::size_t window = is_slow ? 0 : kWindow;
      pcre2_set_offset_limit(work.context.get(), std::min(text.size(), at + window));
      pcre2_set_match_limit(work.context.get(), is_slow ? kMostSteps : kFewSteps);
      const int result = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at,
                                     PCRE2_NO_UTF_CHECK, found.get(), work.context.get());
      if (result == PCRE2_ERROR_NOMATCH) {
        if (at + window >= text.size()) return;
        at = next_border(text, at + window);
        is_slow = false;
        continue;
      }
      if (result < 0) {
        if (is_slow) fail();
        is_slow = true;
        continue;
      }
      is_slow = false;
      const PCRE2_SIZE* const border = pcre2_get_ovector_pointer(found.get());
      const std::size_t begin = border[0], end = border[1];
      if (end < begin) fail();                // \K in a look-ahead
      if (begin == end && last_end == end) {  // an empty match right behind another one is none
        if (end >= text.size()) return;
        at = next_border(text, end);
        continue;
      }
      match(base + begin, base + end);
      at = end;
      last_end = end;
    }
  }

 private:
  // Steps of one start: a run of white space takes one a byte.
  static constexpr std::uint32_t kFewSteps = 20'000, kMostSteps = 20'000'000;
  static constexpr std::size_t kWindow = 4096;

  struct Free {
    void operator()(pcre2_code* it) const { pcre2_code_free(it); }
    void operator()(pcre2_match_data* it) const { pcre2_match_data_free(it); }
    void operator()(pcre2_match_context* it) const { pcre2_match_context_free(it); }
    void operator()(pcre2_jit_stack* it) const { pcre2_jit_stack_free(it); }
  };

  /// What matching needs beside the pattern, one a thread.
  struct Work {
    std::unique_ptr<pcre2_match_context, Free> context{pcre2_match_context_create(nullptr)};
    std::unique_ptr<pcre2_jit_stack, Free> stack{pcre2_jit_stack_create(32 << 10, 4 << 20, nullptr)};
    Work() {
      pcre2_set_heap_limit(context.get(), 64 << 10);  // KiB
      pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
    }
    static Work& of_thread() {
      static thread_local Work work;
      return work;
    }
  };

  // Of characters, behind `at`.
  static std::size_t next_border(std::string_view text, std::size_t at) {
    do ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
    return at;
  }

  [[noreturn]] void fail() const {
    throw Error(ErrorCode::kBadInput, "the tokenizer's pattern ", quoted(text_), " needs too many steps for a text");
  }

  std::string text_;
  std::unique_ptr<pcre2_code, Free> code_;
};

Pattern::Pattern() = default;
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;
Pattern::~Pattern() = default;

Pattern Pattern::read(const JsonReader& reader, const nlohmann::json& part, const std::string& where) {
  const nlohmann::json& entry = reader.member(part, "pattern", where);
  const std::string place = where + ".pattern";
  reader.require_known_keys(entry, place, {"String", "Regex"});
  if (entry.size() != 1)
    reader.refuse(place, R"( must be {"String": ...} or {"Regex": ...}, got )", reader.shown(entry));
  Pattern pattern;
  if (entry.contains("String")) {
    pattern.literal_ = reader.text(entry, "String", place);
    if (pattern.literal_.empty()) reader.refuse(place, ".String is empty, which is not supported");
    return pattern;
  }
  const std::string regex = reader.text(entry, "Regex", place);
  if (regex.size() > kMostPatternBytes)
    reader.refuse(place, ".Regex has ", regex.size(), " bytes, at most ", kMostPatternBytes, " are supported");
  pattern.scanner_ = WordScanner::of_pattern(regex);
  if (!pattern.scanner_) pattern.regex_ = std::make_unique<const Regex>(regex, reader, where);
  return pattern;
}

void Pattern::for_each(std::string_view text, const Match& match) const {
  if (scanner_) {
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = begin + scanner_->first_piece(text.substr(begin));
      if (utf8_step(text.substr(begin)).is_valid()) match(begin, end);
      begin = end;
    }
    return;
  }
  if (!regex_) {
    for (std::size_t at = 0; (at = text.find(literal_, at)) != std::string_view::npos; at += literal_.size())
      match(at, at + literal_.size());
    return;
  }
  const double deadline = processor_seconds() + 1 + 2e-6 * static_cast<double>(text.size());
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = begin;
    while (end < text.size()) {
      const Utf8Step step = utf8_step(text.substr(end));
      if (!step.is_valid()) break;
      end += step.size;
    }
    if (end > begin) regex_->for_each(text.substr(begin, end - begin), begin, deadline, match);
    begin = end;
    while (begin < text.size()) {
      const Utf8Step step = utf8_step(text.substr(begin));
      if (step.is_valid()) break;
      begin += step.size;
    }
  }
}

}  // namespace trireme::data
