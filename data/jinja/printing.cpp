#include "data/jinja/printing.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "data/jinja/characters.h"
#include "data/tokenizer/utf8.h"

namespace trireme::data::jinja {
namespace {

/// Writes repr() of values into one text.
class Printer {
 public:
  explicit Printer(Heap& heap) : heap_(heap), text_(heap) {}

  void write(const Value& value) {
    const Heap::Nesting deeper(heap_);
    heap_.step();
    switch (value.kind()) {
      case Kind::kUndefined:
        text_ += "Undefined";
        return;
      case Kind::kNone:
        text_ += "None";
        return;
      case Kind::kBool:
        text_ += value.boolean() ? "True" : "False";
        return;
      case Kind::kInt:
        text_ += std::to_string(value.integer());
        return;
      case Kind::kFloat:
        text_ += float_text(value.real());
        return;
      case Kind::kText:
        write_text(value);
        return;
      case Kind::kList:
        text_ += '[';
        write_items(value.items());
        text_ += ']';
        return;
      case Kind::kTuple:
        text_ += '(';
        write_items(value.items());
        text_ += value.items().size() == 1 ? ",)" : ")";
        return;
      case Kind::kDict:
        write_dict(value.object<Dict>());
        return;
      case Kind::kView:
        write_view(value);
        return;
      case Kind::kRange: {
        const Range& range = value.object<Range>();
        text_ += "range(" + std::to_string(range.start) + ", " + std::to_string(range.stop);
        text_ += range.step == 1 ? ")" : ", " + std::to_string(range.step) + ")";
        return;
      }
      case Kind::kNamespace:
        text_ += "<Namespace ";
        write_dict(*value.object<Namespace>().members);
        text_ += '>';
        return;
      default:
        text_ += '<';
        text_ += type_name(value);
        text_ += value.object<Object>().described();
        text_ += '>';
    }
  }
  std::string take() { return text_.take(); }

 private:
  void write_text(const Value& value) {
    heap_.require(value.text().size());
    heap_.step_bytes(value.text().size() * 4);
    if (value.object<Text>().safe) text_ += "Markup(";
    text_ += quoted(value.text());
    if (value.object<Text>().safe) text_ += ')';
  }
  void write_items(const std::vector<Value>& items) {
    const char* separator = "";
    for (const Value& item : items) {
      text_ += separator;
      write(item);
      separator = ", ";
    }
  }
  void write_dict(const Dict& dict) {
    text_ += '{';
    const char* separator = "";
    for (const auto& [key, value] : dict.entries) {
      text_ += separator;
      write(key);
      text_ += ": ";
      write(value);
      separator = ", ";
    }
    text_ += '}';
  }
  void write_view(const Value& value) {
    const View& view = value.object<View>();
    text_ += type_name(value);
    text_ += "([";
    for (std::size_t i = 0; i < view.dict->entries.size(); ++i) {
      if (i > 0) text_ += ", ";
      write(view.at(i));
    }
    text_ += "])";
  }

  Heap& heap_;
  TextBuilder text_;
};

std::string json_quoted(std::string_view text, bool ensure_ascii) {
  std::string shown = "\"";
  const auto unit = [&](char32_t code) {
    shown += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) shown += "0123456789abcdef"[code >> shift & 0xF];
  };
  for_each_character(text, [&](Utf8Step step, std::string_view bytes) {
    const char32_t code = step.code;
    constexpr std::string_view kEscaped = "\"\\\n\r\t\b\f", kLetters = "\"\\nrtbf";
    if (const auto at = bytes.size() == 1 ? kEscaped.find(bytes[0]) : std::string_view::npos;
        at != std::string_view::npos) {
      shown += '\\';
      shown += kLetters[at];
    } else if (code < 0x20 || (ensure_ascii && code > 0x7E && code < 0x10000)) {
      unit(code);
    } else if (ensure_ascii && code >= 0x10000) {
      unit(0xD800 + ((code - 0x10000) >> 10));
      unit(0xDC00 + ((code - 0x10000) & 0x3FF));
    } else {
      shown += bytes;
    }
  });
  return shown + '"';
}

std::string json_number(const Value& value) {
  if (value.is(Kind::kInt)) return std::to_string(value.integer());
  if (std::isnan(value.real())) return "NaN";
  if (std::isinf(value.real())) return value.real() > 0 ? "Infinity" : "-Infinity";
  return float_text(value.real());
}

class JsonPrinter {
 public:
  JsonPrinter(Heap& heap, const JsonLayout& layout) : heap_(heap), layout_(layout), text_(heap) {}

  void write(const Value& value) {
    const Heap::Nesting deeper(heap_);
    heap_.step();
    switch (value.kind()) {
      case Kind::kNone:
        text_ += "null";
        return;
      case Kind::kBool:
        text_ += value.boolean() ? "true" : "false";
        return;
      case Kind::kInt:
      case Kind::kFloat:
        text_ += json_number(value);
        return;
      case Kind::kText:
        write_text(value.text());
        return;
      case Kind::kList:
      case Kind::kTuple:
        open('[');
        for (std::size_t i = 0; i < value.items().size(); ++i) {
          separate(i == 0);
          write(value.items()[i]);
        }
        close(']', value.items().empty());
        return;
      case Kind::kDict:
        write_dict(value.object<Dict>());
        return;
      default:
        fail("tojson: a value of type ", type_name(value), " has no form in JSON");
    }
  }
  std::string take() { return text_.take(); }

 private:
  void write_text(std::string_view text) {
    heap_.require(text.size());
    heap_.step_bytes(text.size() * 4);
    text_ += json_quoted(text, layout_.ensure_ascii);
  }
  void write_dict(const Dict& dict) {
    std::vector<const Dict::Entry*> entries;
    for (const auto& entry : dict.entries) entries.push_back(&entry);
    if (layout_.sort_keys)
      std::stable_sort(entries.begin(), entries.end(), [](const auto* a, const auto* b) {
        const auto sign = order(a->first, b->first, "<");
        return sign && *sign < 0;
      });
    open('{');
    for (std::size_t i = 0; i < entries.size(); ++i) {
      separate(i == 0);
      write_key(entries[i]->first);
      text_ += layout_.key_separator;
      write(entries[i]->second);
    }
    close('}', entries.empty());
  }
  void write_key(const Value& key) {
    switch (key.kind()) {
      case Kind::kText:
        write_text(key.text());
        return;
      case Kind::kNone:
      case Kind::kBool:
      case Kind::kInt:
      case Kind::kFloat:
        text_ += '"';
        write(key);
        text_ += '"';
        return;
      default:
        fail("tojson: a key of type ", type_name(key), " has no form in JSON");
    }
  }
  void open(char bracket) {
    text_ += bracket;
    ++depth_;
  }
  void separate(bool is_first) {
    if (!is_first) text_ += layout_.item_separator;
    new_line();
  }
  void close(char bracket, bool is_empty) {
    --depth_;
    if (!is_empty) new_line();
    text_ += bracket;
  }
  void new_line() {
    if (!layout_.indent) return;
    text_ += '\n';
    text_.repeat(*layout_.indent, depth_);
  }

  Heap& heap_;
  const JsonLayout& layout_;
  TextBuilder text_;
  std::int64_t depth_ = 0;
};

}  // namespace

std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value, std::chars_format::scientific).ptr;
  std::string_view text(digits, static_cast<std::size_t>(end - digits));
  std::string sign;
  if (text.front() == '-') {
    sign = "-";
    text.remove_prefix(1);
  }
  const std::size_t e = text.find('e');
  const int exponent = std::stoi(std::string(text.substr(e + 1)));
  std::string mantissa(text.substr(0, e));
  if (const auto dot = mantissa.find('.'); dot != std::string::npos) mantissa.erase(dot, 1);
  const int count = static_cast<int>(mantissa.size());
  if (exponent < -4 || exponent >= 16) {
    if (count > 1) mantissa.insert(1, ".");
    const int size = std::abs(exponent);
    return sign + mantissa + (exponent < 0 ? "e-" : "e+") + (size < 10 ? "0" : "") + std::to_string(size);
  }
  if (exponent < 0) return sign + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + mantissa;
  if (count <= exponent + 1)
    return sign + mantissa + std::string(static_cast<std::size_t>(exponent + 1 - count), '0') + ".0";
  return sign + mantissa.insert(static_cast<std::size_t>(exponent + 1), ".");
}

std::string printed(Heap& heap, const Value& value) {
  if (value.is(Kind::kUndefined)) return {};
  if (value.is(Kind::kText)) {
    heap.step_bytes(value.text().size());
    return value.text();
  }
  return shown(heap, value);
}

Value as_text(Heap& heap, const Value& value) {
  if (value.is(Kind::kText) && !value.object<Text>().safe) return value;
  return make_text(heap, printed(heap, value));
}

std::string shown(Heap& heap, const Value& value) {
  Printer printer(heap);
  printer.write(value);
  return printer.take();
}

std::string to_json(Heap& heap, const Value& value, const JsonLayout& layout) {
  JsonPrinter printer(heap, layout);
  printer.write(value);
  return printer.take();
}

}  // namespace trireme::data::jinja
