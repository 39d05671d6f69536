// "%s of %d" % values, with the flags, widths and precisions of Python.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "data/jinja/access.h"
#include "data/jinja/characters.h"
#include "data/jinja/interpreter.h"
#include "data/jinja/operators.h"
#include "data/jinja/printing.h"
#include "data/tokenizer/utf8.h"

namespace trireme::data::jinja {
namespace {

constexpr std::int64_t kMaxPrecision = 400;  // more than any double has before and behind its point

class PercentFormat {
 public:
  PercentFormat(Interpreter& interpreter, const Value& format, const Value& values)
      : heap_(interpreter.heap()), format_(format.text()), values_(values), text_(heap_) {}

  std::string run() {
    heap_.step_bytes(format_.size());
    while (at_ < format_.size()) {
      const std::size_t mark = std::min(format_.find('%', at_), format_.size());
      text_ += format_.substr(at_, mark - at_);
      at_ = mark;
      if (at_ < format_.size()) conversion();
    }
    const bool is_mapping =
        values_.is(Kind::kDict) || values_.is(Kind::kList) || values_.is(Kind::kRange) || values_.is(Kind::kUndefined);
    if (!used_mapping_ && (values_.is(Kind::kTuple) ? taken_ < values_.items().size() : taken_ == 0 && !is_mapping))
      fail("a format has fewer conversions than there are values");
    return text_.take();
  }

 private:
  char byte() {
    if (at_ >= format_.size()) fail("a format ends inside of a conversion");
    return format_[at_];
  }

  const Value& next_value() {
    if (values_.is(Kind::kTuple)) {
      if (taken_ >= values_.items().size()) fail("a format has more conversions than there are values");
      return values_.items()[taken_++];
    }
    if (taken_++ > 0) fail("a format has more conversions than there are values");
    return values_;
  }

  std::int64_t number_or_star() {
    if (byte() == '*') {
      ++at_;
      const Value& value = next_value();
      if (!value.is_integer()) fail("'*' of a format takes an integer");
      return value.integer();
    }
    std::int64_t number = 0;
    for (; byte() >= '0' && byte() <= '9'; ++at_) {
      number = number * 10 + (byte() - '0');
      if (number > (std::int64_t{1} << 31)) fail("a width of a format is too large");
    }
    return number;
  }

  void conversion() {
    ++at_;
    std::optional<Value> value;
    if (byte() == '(') {
      int open = 1;
      const std::size_t begin = ++at_;
      for (; open > 0; ++at_) open += byte() == '(' ? 1 : byte() == ')' ? -1 : 0;
      if (!values_.is(Kind::kDict)) fail("a format with names takes a dict");
      const std::string_view name = format_.substr(begin, at_ - 1 - begin);
      const Value* found = values_.object<Dict>().find(name);
      if (found == nullptr) fail("a format names ", quoted(name), ", which the dict does not have");
      value = *found;
      used_mapping_ = true;
    }
    left_ = plus_ = space_ = zero_ = alternate_ = false;
    for (;; ++at_) {
      const char flag = byte();
      if (flag == '-')
        left_ = true;
      else if (flag == '+')
        plus_ = true;
      else if (flag == ' ')
        space_ = true;
      else if (flag == '0')
        zero_ = true;
      else if (flag == '#')
        alternate_ = true;
      else
        break;
    }
    std::int64_t width = number_or_star();
    if (width < 0) {
      left_ = true;
      if (width == std::numeric_limits<std::int64_t>::min()) fail("a width of a format is too large");
      width = -width;
    }
    precision_.reset();
    if (byte() == '.') {
      ++at_;
      precision_ = std::max<std::int64_t>(number_or_star(), 0);
    }
    while (byte() == 'h' || byte() == 'l' || byte() == 'L') ++at_;
    const char type = byte();
    ++at_;
    if (type == '%') {
      text_ += '%';
      return;
    }
    if (!value) value = next_value();
    pad(converted(type, *value), width);
  }

  struct Converted {
    std::string sign, digits;
    bool is_number;
  };

  Converted converted(char type, const Value& value) {
    switch (type) {
      case 's':
        return {"", cut(printed(heap_, value)), false};
      case 'r':
        return {"", cut(shown(heap_, value)), false};
      case 'c':
        return {"", character(value), false};
      case 'd':
      case 'i':
      case 'u':
        return integer(value, 10, "");
      case 'x':
      case 'X':
      case 'o':
        if (!value.is_integer())
          fail("%", type, " of a format takes an integer, got a value of type ", type_name(value));
        return integer(value, type == 'o' ? 8 : 16, type == 'o' ? "0o" : type == 'x' ? "0x" : "0X", type == 'X');
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
        return real(type, value);
      default:
        fail("a format has the conversion '%", type, "', which is not supported");
    }
  }

  std::string cut(std::string text) const {
    if (precision_) text.resize(byte_of_character(text, static_cast<std::size_t>(*precision_), false));
    return text;
  }

  static std::string character(const Value& value) {
    std::string text;
    if (value.is(Kind::kText) && value.object<Text>().length == 1) return value.text();
    if (!value.is_integer() || value.integer() < 0 || value.integer() > 0x10FFFF ||
        (value.integer() >= 0xD800 && value.integer() < 0xE000))
      fail("%c of a format takes a character");
    append_utf8(text, static_cast<char32_t>(value.integer()));
    return text;
  }

  std::string sign(bool is_negative) const { return is_negative ? "-" : plus_ ? "+" : space_ ? " " : ""; }

  Converted integer(const Value& value, int base, const char* prefix, bool large = false) {
    if (!value.is_number()) fail("%d of a format takes a number, got a value of type ", type_name(value));
    std::int64_t number = 0;
    if (value.is(Kind::kFloat)) {
      if (!(value.real() > -0x1p63 && value.real() < 0x1p63)) fail("a number of a format is beyond 64 bits");
      number = static_cast<std::int64_t>(value.real());
    } else {
      number = value.integer();
    }
    std::uint64_t size =
        number < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number);
    std::string digits;
    do digits += (large ? "0123456789ABCDEF" : "0123456789abcdef")[size % static_cast<unsigned>(base)];
    while ((size /= static_cast<unsigned>(base)) != 0);
    std::reverse(digits.begin(), digits.end());
    if (precision_ && static_cast<std::int64_t>(digits.size()) < *precision_) {
      if (*precision_ > kMaxPrecision) fail("a precision of a format is more than ", kMaxPrecision);
      digits.insert(0, static_cast<std::size_t>(*precision_) - digits.size(), '0');
    }
    return {sign(number < 0) + (alternate_ ? prefix : ""), digits, true};
  }

  Converted real(char type, const Value& value) {
    if (!value.is_number()) fail("%", type, " of a format takes a number, got a value of type ", type_name(value));
    const double number = value.real();
    const std::int64_t precision = precision_.value_or(6);
    if (precision > kMaxPrecision) fail("a precision of a format is more than ", kMaxPrecision);
    char digits[1024];
    const char pattern[] = {
        '%', alternate_ ? '#' : '.', alternate_ ? '.' : '*', alternate_ ? '*' : type, alternate_ ? type : '\0', '\0'};
    std::snprintf(digits, sizeof digits, pattern, static_cast<int>(precision), std::fabs(number));
    if (std::isnan(number)) return {sign(false), type < 'a' ? "NAN" : "nan", true};
    return {sign(std::signbit(number)), digits, true};
  }

  void pad(const Converted& converted, std::int64_t width) {
    const auto size = static_cast<std::int64_t>(count_characters(converted.sign) + count_characters(converted.digits));
    const bool zeros = zero_ && !left_ && converted.is_number;
    if (!left_ && !zeros) text_.repeat(" ", width - size);
    text_ += converted.sign;
    if (zeros) text_.repeat("0", width - size);
    text_ += converted.digits;
    if (left_) text_.repeat(" ", width - size);
  }

  Heap& heap_;
  const std::string_view format_;
  const Value& values_;
  TextBuilder text_;
  std::size_t at_ = 0;
  std::size_t taken_ = 0;
  bool used_mapping_ = false;
  bool left_ = false, plus_ = false, space_ = false, zero_ = false, alternate_ = false;
  std::optional<std::int64_t> precision_;
};

}  // namespace

Value formatted(Interpreter& interpreter, const Value& format, const Value& values) {
  if (format.object<Text>().safe) fail("'%' is not supported for a text that was marked safe");
  return interpreter.text(PercentFormat(interpreter, format, values).run());
}

}  // namespace trireme::data::jinja
