#pragma once
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "data/jinja/value.h"

namespace trireme::data::jinja {

/// iter(value). @throws Failure  it cannot be walked
Ref<Iterator> iterate(Heap& heap, const Value& value);
bool is_iterable(const Value& value);

/// list(value)
std::vector<Value> listed(Interpreter& interpreter, const Value& value);

/// Items that `change` gives for those of `source`, or leaves out, when they are asked for: as Python's generators.
using Change = std::function<std::optional<Value>(Interpreter&, Value)>;
Value make_mapped(Heap& heap, Value source, Change change);

/// Items that are made when the first of them is asked for.
using Make = std::function<std::vector<Value>(Interpreter&)>;
Value make_deferred(Heap& heap, Make make);

/// Items that are there, walked once.
Value make_walk(Heap& heap, std::string_view type_name, std::vector<Value> items);

}  // namespace trireme::data::jinja
