// The methods of Python's str.
#include <algorithm>

#include "data/jinja/access.h"
#include "data/jinja/characters.h"
#include "data/jinja/interpreter.h"
#include "data/jinja/iteration.h"
#include "data/jinja/operators.h"
#include "data/jinja/tables.h"
#include "data/jinja/text_search.h"
#include "data/tokenizer/utf8.h"

namespace trireme::data::jinja {
namespace {

bool is_safe(const Value& text) { return text.object<Text>().safe; }

Value like(Interpreter& in, const Value& self, std::string_view text) {
  return in.text(std::string(text), is_safe(self));
}

// Room and work for a text that is as long as this one, and three times that where letters become several.
void pay(Interpreter& in, const Value& self) {
  in.heap().require(self.text().size(), 3);
  in.heap().step_bytes(self.text().size() * 4);
}

template <std::string (*change)(std::string_view)>
Value changed(Interpreter& in, const Value& self, Bound&) {
  pay(in, self);
  return in.text(change(self.text()), is_safe(self));
}

template <bool (*holds)(std::string_view)>
Value asked(Interpreter& in, const Value& self, Bound&) {
  in.heap().step_bytes(self.text().size() * 4);
  return Value(holds(self.text()));
}

template <unsigned classes>
bool all_are(std::string_view text) {
  return all_have_class(text, classes);
}
bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}
bool is_printable(std::string_view text) { return text.empty() || all_have_class(text, kPrintable); }
bool is_identifier(std::string_view text) {
  return all_have_class(text, kNamePart) && has_class(utf8_step(text).code, kNameStart);
}

bool is_one_of(Heap& heap, std::string_view character, std::optional<std::string_view> chars) {
  if (!chars) return has_class(utf8_step(character).code, kSpace);
  heap.step_bytes(chars->size());
  return chars->find(character) != std::string_view::npos;
}

template <bool left, bool right>
Value strip(Interpreter& in, const Value& self, Bound& arguments) {
  const auto chars = arguments.text(0);
  std::string_view text = self.text();
  in.heap().step_bytes(text.size() * 4);
  while (left && !text.empty()) {
    const std::size_t size = utf8_step(text).size;
    if (!is_one_of(in.heap(), text.substr(0, size), chars)) break;
    text.remove_prefix(size);
  }
  while (right && !text.empty()) {
    const std::size_t size = utf8_step_back(text).size;
    if (!is_one_of(in.heap(), text.substr(text.size() - size), chars)) break;
    text.remove_suffix(size);
  }
  return like(in, self, text);
}

std::string_view separator(const Bound& arguments) {
  const auto text = arguments.text(0);
  if (!text) fail("a separator must be a text");
  if (text->empty()) fail("a separator must not be empty");
  return *text;
}

bool may_split(std::int64_t most, std::size_t done) { return most < 0 || static_cast<std::int64_t>(done) < most; }

void split_at_space(Interpreter& in, const Value& self, std::int64_t most, ListBuilder& parts) {
  std::string_view rest = strip_left(self.text());
  while (!rest.empty()) {
    std::size_t end = 0;
    while (may_split(most, parts.size()) && end < rest.size()) {
      const Utf8Step step = utf8_step(rest.substr(end));
      if (has_class(step.code, kSpace)) break;
      end += step.size;
    }
    if (!may_split(most, parts.size())) end = rest.size();
    parts.add(like(in, self, rest.substr(0, end)));
    rest = strip_left(rest.substr(end));
  }
}

void split_at_space_backwards(Interpreter& in, const Value& self, std::int64_t most, ListBuilder& parts) {
  std::string_view rest = strip_right(self.text());
  while (!rest.empty()) {
    std::size_t begin = rest.size();
    while (may_split(most, parts.size()) && begin > 0) {
      const Utf8Step step = utf8_step_back(rest.substr(0, begin));
      if (has_class(step.code, kSpace)) break;
      begin -= step.size;
    }
    if (!may_split(most, parts.size())) begin = 0;
    parts.add(like(in, self, rest.substr(begin)));
    rest = strip_right(rest.substr(0, begin));
  }
}

Value split(Interpreter& in, const Value& self, Bound& arguments) {
  const std::int64_t most = arguments.integer(1, -1);
  in.heap().step_bytes(self.text().size() * 4);
  ListBuilder parts(in.heap());
  if (!arguments.text(0)) {
    split_at_space(in, self, most, parts);
    return parts.list();
  }
  const std::string_view by = separator(arguments);
  std::string_view rest = self.text();
  while (may_split(most, parts.size())) {
    const std::size_t at = find_text(in.heap(), rest, by);
    if (at == std::string_view::npos) break;
    parts.add(like(in, self, rest.substr(0, at)));
    rest.remove_prefix(at + by.size());
  }
  parts.add(like(in, self, rest));
  return parts.list();
}

Value rsplit(Interpreter& in, const Value& self, Bound& arguments) {
  const std::int64_t most = arguments.integer(1, -1);
  in.heap().step_bytes(self.text().size() * 4);
  ListBuilder parts(in.heap());
  if (!arguments.text(0)) {
    split_at_space_backwards(in, self, most, parts);
  } else {
    const std::string_view by = separator(arguments);
    std::string_view rest = self.text();
    while (may_split(most, parts.size())) {
      const std::size_t at = rfind_text(in.heap(), rest, by);
      if (at == std::string_view::npos) break;
      parts.add(like(in, self, rest.substr(at + by.size())));
      rest = rest.substr(0, at);
    }
    parts.add(like(in, self, rest));
  }
  std::vector<Value> items = parts.take();
  std::reverse(items.begin(), items.end());
  return make_list(in.heap(), std::move(items));
}

Value splitlines(Interpreter& in, const Value& self, Bound& arguments) {
  const bool keeps = arguments.truth(0, false);
  in.heap().require(self.text().size(), 3);
  in.heap().step_bytes(self.text().size() * 4);
  ListBuilder parts(in.heap());
  for (const auto& [line, whole] : split_lines(self.text())) parts.add(like(in, self, keeps ? whole : line));
  return parts.list();
}

/// Where a method with start and end looks, and the number of the character it starts at. Nothing for no place at all.
struct Window {
  std::string_view text;
  std::int64_t first;
};
std::optional<Window> window(Interpreter& in, const Value& self, const Bound& arguments) {
  const Text& text = self.object<Text>();
  const auto length = static_cast<std::int64_t>(text.length);
  const auto bound = [&](std::size_t i, std::int64_t otherwise) {
    if (!arguments.has(i) || arguments[i].is(Kind::kNone)) return otherwise;
    const std::int64_t index = arguments.integer(i, 0);
    return index < 0 ? std::max<std::int64_t>(index + length, 0) : index;
  };
  const std::int64_t start = bound(1, 0), end = std::min(bound(2, length), length);
  in.heap().step_bytes(text.bytes.size());
  if (start > end) return std::nullopt;
  return Window{characters(text, start, end), start};
}

std::string_view needle(const Bound& arguments) {
  const auto text = arguments.text(0);
  if (!text) fail("what is looked for must be a text");
  return *text;
}

template <bool from_right>
std::int64_t place(Interpreter& in, const Value& self, const Bound& arguments) {
  const std::string_view wanted = needle(arguments);
  const auto seen = window(in, self, arguments);
  if (!seen) return -1;
  const std::size_t at =
      from_right ? rfind_text(in.heap(), seen->text, wanted) : find_text(in.heap(), seen->text, wanted);
  if (at == std::string_view::npos) return -1;
  return seen->first + static_cast<std::int64_t>(count_characters(seen->text.substr(0, at)));
}

template <bool from_right>
Value find(Interpreter& in, const Value& self, Bound& arguments) {
  return Value(place<from_right>(in, self, arguments));
}

template <bool from_right>
Value index(Interpreter& in, const Value& self, Bound& arguments) {
  const std::int64_t at = place<from_right>(in, self, arguments);
  if (at < 0) fail("index(): the text was not found");
  return Value(at);
}

std::int64_t occurrences(Heap& heap, std::string_view text, std::string_view wanted) {
  if (wanted.empty()) return static_cast<std::int64_t>(count_characters(text)) + 1;
  std::int64_t count = 0;
  for (std::size_t at = 0; (at = find_text(heap, text, wanted, at)) != std::string_view::npos; at += wanted.size())
    ++count;
  return count;
}

Value count(Interpreter& in, const Value& self, Bound& arguments) {
  const std::string_view wanted = needle(arguments);
  const auto seen = window(in, self, arguments);
  return Value(seen ? occurrences(in.heap(), seen->text, wanted) : std::int64_t{0});
}

template <bool at_end>
Value borders_on(Interpreter& in, const Value& self, Bound& arguments) {
  const auto seen = window(in, self, arguments);
  const auto holds = [&](const Value& text) {
    if (!text.is(Kind::kText)) fail("startswith() and endswith() take a text or a tuple of texts");
    in.heap().step_bytes(text.text().size());
    return seen && (at_end ? seen->text.ends_with(text.text()) : seen->text.starts_with(text.text()));
  };
  if (!arguments[0].is(Kind::kTuple)) return Value(holds(arguments[0]));
  const auto& all = arguments[0].items();
  return Value(std::any_of(all.begin(), all.end(), holds));
}

Value replace(Interpreter& in, const Value& self, Bound& arguments) {
  const auto wanted = arguments.text(0);
  if (!wanted || !arguments.text(1)) fail("replace() takes texts");
  const Value put = is_safe(self) ? escaped(in, arguments[1]) : arguments[1];
  std::int64_t most = arguments.integer(2, -1);
  std::string_view rest = self.text();
  in.heap().step_bytes(rest.size());
  TextBuilder text(in.heap());
  const auto put_behind = [&](std::size_t size) {
    in.heap().step_bytes(put.text().size());
    text += rest.substr(0, size);
    text += put.text();
    rest.remove_prefix(size);
    --most;
  };
  if (wanted->empty()) {  // in front and behind each character
    if (most != 0) put_behind(0);
    while (most != 0 && !rest.empty()) put_behind(utf8_step(rest).size);
  } else {
    while (most != 0) {
      const std::size_t at = find_text(in.heap(), rest, *wanted);
      if (at == std::string_view::npos) break;
      put_behind(at);
      rest.remove_prefix(wanted->size());
    }
  }
  text += rest;
  return text.value(is_safe(self));
}

Value join(Interpreter& in, const Value& self, Bound& arguments) {
  TextBuilder text(in.heap());
  bool is_first = true;
  const Ref<Iterator> walk = iterate(in.heap(), arguments[0]);
  while (const auto item = walk->next(in)) {
    const Value part = is_safe(self) ? escaped(in, *item) : *item;
    if (!part.is(Kind::kText)) fail("join() takes texts, got a value of type ", type_name(part));
    in.heap().step_bytes(part.text().size() + self.text().size());
    if (!is_first) text += self.text();
    text += part.text();
    is_first = false;
  }
  return text.value(is_safe(self));
}

Value removeprefix(Interpreter& in, const Value& self, Bound& arguments) {
  const std::string_view text = self.text(), prefix = needle(arguments);
  return like(in, self, text.starts_with(prefix) ? text.substr(prefix.size()) : text);
}

Value removesuffix(Interpreter& in, const Value& self, Bound& arguments) {
  const std::string_view text = self.text(), suffix = needle(arguments);
  return like(in, self, text.ends_with(suffix) ? text.substr(0, text.size() - suffix.size()) : text);
}

enum class Side { kLeft, kRight, kBoth };
template <Side text_at>
Value justify(Interpreter& in, const Value& self, Bound& arguments) {
  const std::int64_t width = arguments.integer(0, 0);
  Value given;
  std::string_view fill = " ";
  if (arguments.has(1)) {
    if (!arguments.text(1)) fail("the fill of a text must be one character");
    given = is_safe(self) ? escaped(in, arguments[1]) : arguments[1];
    fill = given.text();
    if (count_characters(fill) != 1) fail("the fill of a text must be one character");
  }
  const auto length = static_cast<std::int64_t>(self.object<Text>().length);
  if (width <= length) return self;
  const std::int64_t room = width - length;
  // Where the room is odd, Python gives the one more to a side that depends on the width.
  const std::int64_t left = text_at == Side::kLeft ? 0 : text_at == Side::kRight ? room : room / 2 + (room & width & 1);
  TextBuilder text(in.heap());
  text.repeat(fill, left);
  text += self.text();
  text.repeat(fill, room - left);
  return text.value(is_safe(self));
}

Value zfill(Interpreter& in, const Value& self, Bound& arguments) {
  const std::int64_t width = arguments.integer(0, 0);
  const auto length = static_cast<std::int64_t>(self.object<Text>().length);
  if (width <= length) return self;
  const std::int64_t room = width - length;
  std::string_view rest = self.text();
  TextBuilder text(in.heap());
  if (!rest.empty() && (rest[0] == '+' || rest[0] == '-')) {
    text += rest.substr(0, 1);
    rest.remove_prefix(1);
  }
  text.repeat("0", room);
  text += rest;
  return text.value(is_safe(self));
}

template <bool from_right>
Value partition(Interpreter& in, const Value& self, Bound& arguments) {
  const std::string_view text = self.text(), by = separator(arguments);
  in.heap().step_bytes(text.size());
  const std::size_t at = from_right ? rfind_text(in.heap(), text, by) : find_text(in.heap(), text, by);
  if (at == std::string_view::npos) {
    if (from_right) return make_tuple(in.heap(), {like(in, self, ""), like(in, self, ""), self});
    return make_tuple(in.heap(), {self, like(in, self, ""), like(in, self, "")});
  }
  return make_tuple(
      in.heap(), {like(in, self, text.substr(0, at)), like(in, self, by), like(in, self, text.substr(at + by.size()))});
}

constexpr Builtin kTextMethods[] = {
    {"capitalize", "/", 0, changed<capitalize>},
    {"center", "/ width fillchar", 1, justify<Side::kBoth>},
    {"count", "/ sub start end", 1, count},
    {"endswith", "/ suffix start end", 1, borders_on<true>},
    {"find", "/ sub start end", 1, find<false>},
    {"index", "/ sub start end", 1, index<false>},
    {"isalnum", "/", 0, asked<all_are<kAlpha | kDecimal | kDigit | kNumeric>>},
    {"isalpha", "/", 0, asked<all_are<kAlpha>>},
    {"isascii", "/", 0, asked<is_ascii>},
    {"isdecimal", "/", 0, asked<all_are<kDecimal>>},
    {"isdigit", "/", 0, asked<all_are<kDigit>>},
    {"isidentifier", "/", 0, asked<is_identifier>},
    {"islower", "/", 0, asked<is_lower>},
    {"isnumeric", "/", 0, asked<all_are<kNumeric>>},
    {"isprintable", "/", 0, asked<is_printable>},
    {"isspace", "/", 0, asked<all_are<kSpace>>},
    {"istitle", "/", 0, asked<is_title>},
    {"isupper", "/", 0, asked<is_upper>},
    {"join", "/ iterable", 1, join},
    {"ljust", "/ width fillchar", 1, justify<Side::kLeft>},
    {"lower", "/", 0, changed<to_lower>},
    {"lstrip", "/ chars", 0, strip<true, false>},
    {"partition", "/ sep", 1, partition<false>},
    {"removeprefix", "/ prefix", 1, removeprefix},
    {"removesuffix", "/ suffix", 1, removesuffix},
    {"replace", "/ old new count", 2, replace},
    {"rfind", "/ sub start end", 1, find<true>},
    {"rindex", "/ sub start end", 1, index<true>},
    {"rjust", "/ width fillchar", 1, justify<Side::kRight>},
    {"rpartition", "/ sep", 1, partition<true>},
    {"rsplit", "sep maxsplit", 0, rsplit},
    {"rstrip", "/ chars", 0, strip<false, true>},
    {"split", "sep maxsplit", 0, split},
    {"splitlines", "keepends", 0, splitlines},
    {"startswith", "/ prefix start end", 1, borders_on<false>},
    {"strip", "/ chars", 0, strip<true, true>},
    {"swapcase", "/", 0, changed<swap_case>},
    {"title", "/", 0, changed<to_title>},
    {"upper", "/", 0, changed<to_upper>},
    {"zfill", "/ width", 1, zfill},
};

}  // namespace

std::span<const Builtin> text_methods() { return kTextMethods; }

}  // namespace trireme::data::jinja
