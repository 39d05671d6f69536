#pragma once
#include <string_view>

#include "data/jinja/value.h"

namespace trireme::data::jinja {

/// value.name: a method or attribute, else an item; undefined when there is neither, or when the sandbox forbids it.
Value attribute(Interpreter& interpreter, const Value& of, std::string_view name);
/// value[key]: an item, else an attribute of that name.
Value item(Interpreter& interpreter, const Value& of, const Value& key);
/// value[start:stop:step]
Value slice(Interpreter& interpreter, const Value& of, const Value& start, const Value& stop, const Value& step);
/// value[start:stop] of a text, in characters; both within it.
std::string_view characters(const Text& text, std::int64_t start, std::int64_t stop);
/// getattr(value, name), without items: what the filter attr asks for; empty if there is none.
std::optional<Value> own_attribute(Interpreter& interpreter, const Value& of, std::string_view name);

/// Where slices of Python begin and end, and how many items lie between.
struct SliceBounds {
  std::int64_t start, stop, step, count;
};
SliceBounds slice_bounds(std::int64_t length, const Value& start, const Value& stop, const Value& step);

}  // namespace trireme::data::jinja
