#include "data/jinja/lexer.h"

#include <algorithm>
#include <array>

#include "core/base/text.h"
#include "data/jinja/characters.h"
#include "data/tokenizer/utf8.h"

namespace trireme::data::jinja {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) text_up_to_tag();
    add(TokenKind::kEnd, {});
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void refuse(std::string text) const { throw SyntaxFailure{line_, std::move(text)}; }
  std::string_view rest() const { return source_.substr(at_); }
  char byte(std::size_t ahead = 0) const { return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0'; }
  void add(TokenKind kind, std::string_view text) { tokens_.push_back({kind, line_, text}); }
  void advance(std::size_t bytes) {
    const std::string_view passed = source_.substr(at_, bytes);
    line_ += static_cast<int>(std::count(passed.begin(), passed.end(), '\n'));
    at_ += bytes;
    if (bytes > 0) starts_line_ = passed.back() == '\n';
  }
  void skip_space() { advance(rest().size() - strip_left(rest()).size()); }

  void text_up_to_tag() {
    std::size_t tag = at_;
    for (;; ++tag) {
      tag = source_.find('{', tag);
      if (tag == std::string_view::npos || tag + 1 >= source_.size()) {
        add(TokenKind::kText, rest());
        at_ = source_.size();
        return;
      }
      if (const char next = source_[tag + 1]; next == '%' || next == '{' || next == '#') break;
    }
    const char opens = source_[tag + 1];
    const char sign =
        tag + 2 < source_.size() && (source_[tag + 2] == '-' || source_[tag + 2] == '+') ? source_[tag + 2] : ' ';
    add_text(source_.substr(at_, tag - at_), sign, opens);
    advance(tag - at_);
    advance(sign == ' ' ? 2 : 3);
    if (opens == '#') return comment();
    if (opens == '%' && raw()) return;
    add(opens == '%' ? TokenKind::kBlockBegin : TokenKind::kPrintBegin, {});
    tag_up_to_end(opens == '%');
  }

  void add_text(std::string_view text, char sign, char opens) {
    if (sign == '-') {
      text = strip_right(text);
    } else if (sign == ' ' && opens != '{') {
      const std::size_t newline = text.rfind('\n');
      const std::size_t line = newline == std::string_view::npos ? 0 : newline + 1;
      if ((line > 0 || starts_line_) && strip_left(text.substr(line)).empty()) text = text.substr(0, line);
    }
    if (!text.empty()) add(TokenKind::kText, text);
  }

  // What ends a comment, a block or "raw", and the white space that goes with it.
  void close_block() {
    const bool strips = byte() == '-', keeps = byte() == '+';
    advance(strips || keeps ? 3 : 2);
    if (strips)
      skip_space();
    else if (!keeps && byte() == '\n' && at_ < source_.size())
      advance(1);
  }

  // At the very end of a source Jinja lets one stay open.
  void comment() {
    if (at_ == source_.size()) return;
    const std::size_t end = source_.find("#}", at_);
    if (end == std::string_view::npos) refuse("a comment has no end \"#}\"");
    const bool is_signed = end > at_ && (source_[end - 1] == '-' || source_[end - 1] == '+');
    advance(end - at_ - (is_signed ? 1 : 0));
    close_block();
  }

  // "raw" behind "{%": all up to its end is text.
  bool raw() {
    std::string_view head = strip_left(rest());
    if (!head.starts_with("raw")) return false;
    head = strip_left(head.substr(3));
    const bool strips = head.starts_with("-%}");
    if (!strips && !head.starts_with("%}")) return false;
    head.remove_prefix(strips ? 3 : 2);
    if (strips) head = strip_left(head);
    advance(rest().size() - head.size());
    if (at_ == source_.size()) return true;
    for (std::size_t tag = at_; (tag = source_.find("{%", tag)) != std::string_view::npos; ++tag) {
      std::string_view tail = source_.substr(tag + 2);
      char sign = ' ';
      if (tail.starts_with('-') || tail.starts_with('+')) {
        sign = tail.front();
        tail.remove_prefix(1);
      }
      tail = strip_left(tail);
      if (!tail.starts_with("endraw")) continue;
      tail = strip_left(tail.substr(6));
      if (!tail.starts_with("%}") && !tail.starts_with("-%}") && !tail.starts_with("+%}")) continue;
      add_text(source_.substr(at_, tag - at_), sign, '%');
      advance(rest().size() - tail.size());
      close_block();
      return true;
    }
    refuse("raw has no end \"{% endraw %}\"");
  }

  void tag_up_to_end(bool is_block) {
    std::vector<char> open;
    const std::string_view end = is_block ? "%}" : "}}";
    for (;;) {
      if (open.empty()) {
        const bool is_signed = byte() == '-' || (is_block && byte() == '+');
        if (rest().substr(is_signed ? 1 : 0).starts_with(end)) {
          add(is_block ? TokenKind::kBlockEnd : TokenKind::kPrintEnd, {});
          if (is_block) {
            close_block();
          } else {
            advance(is_signed ? 3 : 2);
            if (is_signed) skip_space();
          }
          return;
        }
      }
      if (at_ >= source_.size()) return;  // the parser tells what is missing
      part(open);
    }
  }

  void part(std::vector<char>& open) {
    if (const std::size_t space = rest().size() - strip_left(rest()).size(); space > 0) return advance(space);
    const bool behind_dot = at_ > 0 && source_[at_ - 1] == '.';
    if (is_digit(byte())) {
      if (const std::size_t size = behind_dot ? 0 : float_size(); size > 0) return take(TokenKind::kFloat, size);
      return take(TokenKind::kInteger, integer_size());
    }
    if (const std::size_t size = name_size(); size > 0) return take(TokenKind::kName, size);
    if (byte() == '\'' || byte() == '"') return string();
    symbol(open);
  }

  void take(TokenKind kind, std::size_t size) {
    add(kind, rest().substr(0, size));
    advance(size);
  }

  // (\d+_)*\d+ from `from`
  std::size_t digits(std::size_t from) const {
    std::size_t at = from;
    while (is_digit(byte(at)) || (byte(at) == '_' && at > from && is_digit(byte(at - 1)) && is_digit(byte(at + 1))))
      ++at;
    return at - from;
  }
  std::size_t float_size() const {
    const std::size_t whole = digits(0);
    std::size_t size = whole;
    if (byte(size) == '.' && digits(size + 1) > 0) size += 1 + digits(size + 1);
    const std::size_t mantissa = size;
    if (byte(size) == 'e' || byte(size) == 'E') {
      ++size;
      if (byte(size) == '+' || byte(size) == '-') ++size;
      if (const std::size_t exponent = digits(size); exponent > 0) return size + exponent;
    }
    return mantissa > whole ? mantissa : 0;
  }
  std::size_t integer_size() const {
    const auto run = [&](auto is_one) {
      std::size_t size = 2;
      while (is_one(byte(size)) || (byte(size) == '_' && is_one(byte(size + 1)))) ++size;
      return size > 2 ? size : std::size_t{0};
    };
    if (byte() == '0') {
      std::size_t size = 0;
      if (byte(1) == 'x' || byte(1) == 'X') size = run(is_hex);
      if (byte(1) == 'o' || byte(1) == 'O') size = run([](char c) { return c >= '0' && c <= '7'; });
      if (byte(1) == 'b' || byte(1) == 'B') size = run([](char c) { return c == '0' || c == '1'; });
      if (size > 0) return size;
      for (size = 1; byte(size) == '0' || (byte(size) == '_' && byte(size + 1) == '0');) ++size;
      return size;
    }
    return digits(0);
  }
  std::size_t name_size() const {
    std::size_t size = 0;
    while (at_ + size < source_.size()) {
      const Utf8Step step = utf8_step(source_.substr(at_ + size));
      if (!has_class(step.code, size == 0 ? kNameStart : kNamePart)) break;
      size += step.size;
    }
    return size;
  }

  void string() {
    const char quote = byte();
    std::size_t size = 1;
    while (at_ + size < source_.size() && byte(size) != quote) size += byte(size) == '\\' ? 2 : 1;
    if (at_ + size >= source_.size()) refuse("a string has no end");
    take(TokenKind::kString, size + 1);
  }

  void symbol(std::vector<char>& open) {
    constexpr std::string_view kPairs[] = {"//", "**", "==", "!=", ">=", "<="};
    constexpr std::string_view kSingles = "+-/*%~[](){}><=.:|,;";
    for (const std::string_view pair : kPairs)
      if (rest().starts_with(pair)) return take(TokenKind::kOperator, 2);
    const char c = byte();
    if (kSingles.find(c) == std::string_view::npos) {
      const Utf8Step step = utf8_step(rest());
      refuse("unexpected character " + quoted(rest().substr(0, step.size)));
    }
    constexpr std::string_view kOpening = "([{", kClosing = ")]}";
    if (const auto at = kOpening.find(c); at != std::string_view::npos) {
      open.push_back(kClosing[at]);
    } else if (kClosing.find(c) != std::string_view::npos) {
      if (open.empty()) refuse(std::string("unexpected '") + c + "'");
      if (open.back() != c) refuse(std::string("unexpected '") + c + "', expected '" + open.back() + "'");
      open.pop_back();
    }
    take(TokenKind::kOperator, 1);
  }

  const std::string_view source_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool starts_line_ = true;
  std::vector<Token> tokens_;
};

/// "unicode-escape" of Python, after all that is not ASCII has become such an escape: so a backslash before "é" gives
/// the text "\xe9".
class Unescaper {
 public:
  explicit Unescaper(const Token& token) : token_(token), text_(token.text.substr(1, token.text.size() - 2)) {}

  std::string run() {
    while (at_ < text_.size()) {
      if (text_[at_] != '\\') {
        result_ += text_[at_++];
        continue;
      }
      ++at_;
      escape();
    }
    return std::move(result_);
  }

 private:
  [[noreturn]] void refuse(const std::string& text) const { throw SyntaxFailure{token_.line, "in a string: " + text}; }

  void escape() {
    constexpr std::string_view kLetters = "ntrbfva\\'\"", kMeant = "\n\t\r\b\f\v\a\\'\"";
    const char letter = text_[at_];
    if (const auto at = kLetters.find(letter); at != std::string_view::npos) {
      result_ += kMeant[at];
      ++at_;
    } else if (letter == '\n') {
      ++at_;
    } else if (letter >= '0' && letter <= '7') {
      char32_t code = 0;
      for (int i = 0; i < 3 && at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '7'; ++i)
        code = code * 8 + static_cast<char32_t>(text_[at_++] - '0');
      append_utf8(result_, code);
    } else if (letter == 'x' || letter == 'u' || letter == 'U') {
      ++at_;
      hex(letter == 'x' ? 2 : letter == 'u' ? 4 : 8);
    } else if (letter == 'N') {
      refuse("\\N{name} is not supported, write \\uXXXX");
    } else if (static_cast<unsigned char>(letter) >= 0x80) {
      const Utf8Step step = utf8_step(text_.substr(at_));
      std::string shown = "\\";
      const int digits = step.code <= 0xFF ? 2 : step.code <= 0xFFFF ? 4 : 8;
      shown += digits == 2 ? 'x' : digits == 4 ? 'u' : 'U';
      for (int digit = digits; digit-- > 0;) shown += "0123456789abcdef"[step.code >> (4 * digit) & 0xF];
      result_ += shown;
      at_ += step.size;
    } else {
      result_ += '\\';
    }
  }

  void hex(int digits) {
    char32_t code = 0;
    for (int i = 0; i < digits; ++i, ++at_) {
      if (at_ >= text_.size() || !is_hex(text_[at_]))
        refuse("an escape is cut short, it takes " + std::to_string(digits) + " hex digits");
      const char c = text_[at_];
      code = code * 16 + static_cast<char32_t>(is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) refuse("an escape names no character");
    append_utf8(result_, code);
  }

  const Token& token_;
  std::string_view text_;
  std::size_t at_ = 0;
  std::string result_;
};

}  // namespace

std::string normalized_source(std::string_view source) {
  std::string text;
  text.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      text += source[i];
      continue;
    }
    text += '\n';
    if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

std::vector<Token> tokenize(std::string_view source) { return Lexer(source).run(); }

std::string unescaped(const Token& token) { return Unescaper(token).run(); }

}  // namespace trireme::data::jinja
