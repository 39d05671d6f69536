#pragma once
#include <string>

#include "data/jinja/value.h"

namespace trireme::data::jinja {

/// float.__repr__: the shortest digits that read back as the same number.
std::string float_text(double value);

/// str(value), as {{ }} prints it.
std::string printed(Heap& heap, const Value& value);
/// The same as a value: a text is itself.
Value as_text(Heap& heap, const Value& value);
/// repr(value), as lists print what they hold.
std::string shown(Heap& heap, const Value& value);

/// How json.dumps lays out.
struct JsonLayout {
  bool ensure_ascii = false;
  std::optional<std::string> indent;
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool sort_keys = false;
};
/// json.dumps(value), as transformers' filter tojson gives it: no character is escaped for HTML.
/// @throws Failure  a value that JSON does not have
std::string to_json(Heap& heap, const Value& value, const JsonLayout& layout);

}  // namespace trireme::data::jinja
