// Filters that make a text of a text.
#include <algorithm>

#include "data/jinja/access.h"
#include "data/jinja/characters.h"
#include "data/jinja/interpreter.h"
#include "data/jinja/iteration.h"
#include "data/jinja/operators.h"
#include "data/jinja/printing.h"
#include "data/jinja/tables.h"
#include "data/jinja/text_search.h"
#include "data/tokenizer/utf8.h"

namespace trireme::data::jinja {
namespace {

/// str(value) that leaves a safe text as it is.
Value soft_text(Interpreter& in, const Value& value) {
  return value.is(Kind::kText) ? value : as_text(in.heap(), value);
}

bool is_safe(const Value& value) { return value.is(Kind::kText) && value.object<Text>().safe; }

Value capitalize_filter(Interpreter& in, const Value& subject, Bound&) {
  return call_method(in, soft_text(in, subject), "capitalize", {});
}
Value lower(Interpreter& in, const Value& subject, Bound&) {
  return call_method(in, soft_text(in, subject), "lower", {});
}
Value upper(Interpreter& in, const Value& subject, Bound&) {
  return call_method(in, soft_text(in, subject), "upper", {});
}
Value center(Interpreter& in, const Value& subject, Bound& arguments) {
  const Value width = arguments.has(0) ? arguments[0] : Value(std::int64_t{80});
  return call_method(in, soft_text(in, subject), "center", {width});
}
Value trim(Interpreter& in, const Value& subject, Bound& arguments) {
  const Value chars = arguments.has(0) ? arguments[0] : Value();
  return call_method(in, soft_text(in, subject), "strip", {chars});
}

Value replace(Interpreter& in, const Value& subject, Bound& arguments) {
  std::vector<Value> given{as_text(in.heap(), arguments[0]), as_text(in.heap(), arguments[1])};
  if (arguments.has(2) && !arguments[2].is(Kind::kNone)) given.push_back(arguments[2]);
  return call_method(in, as_text(in.heap(), subject), "replace", std::move(given));
}

/// The first letter of each word large. Words end at white space and at - ( { [ <
Value title(Interpreter& in, const Value& subject, Bound&) {
  const Value text = soft_text(in, subject);
  in.heap().require(text.text().size(), 3);
  in.heap().step_bytes(text.text().size() * 4);
  const auto is_border = [](char32_t code) {
    return code == '-' || code == '(' || code == '{' || code == '[' || code == '<' || has_class(code, kSpace);
  };
  TextBuilder titled(in.heap());
  std::string_view rest = text.text();
  while (!rest.empty()) {
    const Utf8Step first = utf8_step(rest);
    std::size_t end = first.size;
    while (end < rest.size()) {
      const Utf8Step step = utf8_step(rest.substr(end));
      if (is_border(step.code) != is_border(first.code)) break;
      end += step.size;
    }
    titled += to_upper(rest.substr(0, first.size));
    titled += to_lower(rest.substr(first.size, end - first.size));
    rest.remove_prefix(end);
  }
  return titled.value();
}

Value string(Interpreter& in, const Value& subject, Bound&) { return soft_text(in, subject); }

Value safe(Interpreter& in, const Value& subject, Bound&) {
  return is_safe(subject) ? subject : in.text(printed(in.heap(), subject), true);
}

Value escape(Interpreter& in, const Value& subject, Bound&) { return escaped(in, subject); }

Value forceescape(Interpreter& in, const Value& subject, Bound&) {
  return escaped(in, in.text(printed(in.heap(), subject)));
}

void append_url_quoted(TextBuilder& quoted, std::string_view text, bool in_query) {
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                          std::string_view("_.-~").find(c) != std::string_view::npos || (c == '/' && !in_query);
    if (is_plain) {
      quoted += c;
    } else if (c == ' ' && in_query) {
      quoted += '+';
    } else {
      const char code[] = {'%', "0123456789ABCDEF"[static_cast<unsigned char>(c) >> 4],
                           "0123456789ABCDEF"[static_cast<unsigned char>(c) & 0xF]};
      quoted += std::string_view(code, sizeof code);
    }
  }
}

Value urlencode(Interpreter& in, const Value& subject, Bound&) {
  TextBuilder quoted(in.heap());
  if (subject.is(Kind::kText) || !is_iterable(subject)) {
    append_url_quoted(quoted, printed(in.heap(), subject), false);
    return quoted.value();
  }
  const auto pair = [&](const Value& key, const Value& value) {
    if (quoted.size() > 0) quoted += '&';
    append_url_quoted(quoted, printed(in.heap(), key), true);
    quoted += '=';
    append_url_quoted(quoted, printed(in.heap(), value), true);
  };
  if (subject.is(Kind::kDict)) {
    for (const auto& [key, value] : subject.object<Dict>().entries) pair(key, value);
    return quoted.value();
  }
  for (const Value& item : listed(in, subject)) {
    const std::vector<Value> parts = listed(in, item);
    if (parts.size() != 2) fail("urlencode() takes pairs, got ", parts.size(), " values");
    pair(parts[0], parts[1]);
  }
  return quoted.value();
}

Value wordcount(Interpreter& in, const Value& subject, Bound&) {
  const Value text = soft_text(in, subject);
  in.heap().step_bytes(text.text().size() * 4);
  std::int64_t count = 0;
  bool inside = false;
  for_each_character(text.text(), [&](Utf8Step step, std::string_view) {
    const bool is_word = step.code == '_' || has_class(step.code, kAlpha | kDecimal | kDigit | kNumeric);
    if (is_word && !inside) ++count;
    inside = is_word;
  });
  return Value(count);
}

Value truncate(Interpreter& in, const Value& subject, Bound& arguments) {
  const std::int64_t length = arguments.integer(0, 255);
  const bool kills_words = arguments.truth(1, false);
  const Value end = arguments.has(2) ? arguments[2] : in.text("...");
  if (!end.is(Kind::kText)) fail("truncate() ends with a text, got a value of type ", type_name(end));
  const std::int64_t leeway = arguments.has(3) && !arguments[3].is(Kind::kNone) ? arguments.integer(3, 0) : 5;
  const auto end_length = static_cast<std::int64_t>(end.object<Text>().length);
  if (length < end_length) fail("truncate() keeps at least ", end_length, " characters, got ", length);
  if (leeway < 0) fail("truncate() takes a leeway from 0, got ", leeway);
  const auto size = length_of(subject);
  if (!size) fail("truncate() takes a text, got a value of type ", type_name(subject));
  std::int64_t most = 0;
  if (__builtin_add_overflow(length, leeway, &most) || *size <= most) return subject;
  if (!subject.is(Kind::kText)) fail("truncate() takes a text, got a value of type ", type_name(subject));
  in.heap().step_bytes(subject.text().size());
  std::string_view kept = characters(subject.object<Text>(), 0, length - end_length);
  if (!kills_words) kept = kept.substr(0, kept.rfind(' '));
  return operate(in, Operation::kAdd, in.text(std::string(kept), is_safe(subject)), end);
}

Value indent(Interpreter& in, const Value& subject, Bound& arguments) {
  if (subject.is(Kind::kUndefined)) fail(subject.text());
  if (!subject.is(Kind::kText)) fail("indent() takes a text, got a value of type ", type_name(subject));
  Heap& heap = in.heap();
  TextBuilder blanks(heap);
  if (arguments.has(0) && arguments[0].is(Kind::kText))
    blanks += (is_safe(subject) ? escaped(in, arguments[0]) : arguments[0]).text();
  else
    blanks.repeat(" ", arguments.integer(0, 4));
  const std::string by = blanks.take();
  const bool first = arguments.truth(1, false), blank = arguments.truth(2, false);
  heap.require(subject.text().size(), 4);
  heap.step_bytes(subject.text().size() * 4);
  const std::string source = subject.text() + "\n";
  TextBuilder text(heap);
  if (first) text += by;
  bool is_first = true;
  for (const auto& [line, whole] : split_lines(source)) {
    heap.step_bytes(by.size());
    if (!is_first) {
      text += '\n';
      if (blank || !line.empty()) text += by;
    }
    text += line;
    is_first = false;
  }
  return text.value(is_safe(subject));
}

Value format(Interpreter& in, const Value& subject, Bound& arguments) {
  Arguments& given = arguments.all();
  if (!given.positional.empty() && !given.named.empty()) fail("format() takes values with names or without, not both");
  Value values;
  if (given.named.empty()) {
    values = make_tuple(in.heap(), given.positional);
  } else {
    const Ref<Dict> dict = make_dict(in.heap());
    for (const auto& [name, value] : given.named) dict->set(in.text(name), value);
    values = Value(Kind::kDict, dict);
  }
  return formatted(in, soft_text(in, subject), values);
}

constexpr Builtin kTextFilters[] = {
    {"capitalize", "/", 0, capitalize_filter},
    {"center", "width", 0, center},
    {"e", "/", 0, escape},
    {"escape", "/", 0, escape},
    {"forceescape", "", 0, forceescape},
    {"format", "*", 0, format},
    {"indent", "width first blank", 0, indent},
    {"lower", "/", 0, lower},
    {"replace", "old new count", 2, replace},
    {"safe", "", 0, safe},
    {"string", "/", 0, string},
    {"title", "/", 0, title},
    {"trim", "chars", 0, trim},
    {"truncate", "length killwords end leeway", 0, truncate},
    {"upper", "/", 0, upper},
    {"urlencode", "", 0, urlencode},
    {"wordcount", "", 0, wordcount},
};

}  // namespace

std::span<const Builtin> text_filters() { return kTextFilters; }

}  // namespace trireme::data::jinja
