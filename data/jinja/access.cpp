#include "data/jinja/access.h"

#include <algorithm>

#include "data/jinja/builtin.h"
#include "data/jinja/characters.h"
#include "data/jinja/interpreter.h"
#include "data/jinja/tables.h"
#include "data/tokenizer/utf8.h"

namespace trireme::data::jinja {
namespace {

bool mutates(const Value& value, std::string_view name) {
  if (value.is(Kind::kList)) return is_listed("append clear extend insert pop remove reverse sort", name);
  return value.is(Kind::kDict) && is_listed("clear pop popitem setdefault update", name);
}

std::string hint(const Value& of, std::string_view name) {
  std::string type(type_name(of));
  if (of.is(Kind::kNone))
    type = "None";
  else
    type += " object";
  return "'" + type + "' has no attribute " + quoted(name.substr(0, 100));
}

Value undefined_attribute(Interpreter& interpreter, const Value& of, std::string_view name) {
  return interpreter.undefined(hint(of, name));
}

std::optional<Value> loop_attribute(Interpreter& interpreter, Loop& loop, std::string_view name) {
  if (name == "index") return Value(loop.index);
  if (name == "index0") return Value(loop.index - 1);
  if (name == "first") return Value(loop.index == 1);
  if (name == "last") return Value(!loop.peek(interpreter).has_value());
  if (name == "length") return Value(loop.length(interpreter));
  if (name == "revindex") return Value(loop.length(interpreter) - loop.index + 1);
  if (name == "revindex0") return Value(loop.length(interpreter) - loop.index);
  if (name == "depth") return Value(loop.depth);
  if (name == "depth0") return Value(loop.depth - 1);
  if (name == "previtem")
    return loop.index == 1 || !loop.before ? interpreter.undefined("there is no previous item") : *loop.before;
  if (name == "nextitem") {
    const auto& next = loop.peek(interpreter);
    return next ? *next : interpreter.undefined("there is no next item");
  }
  return std::nullopt;
}

std::optional<Value> macro_attribute(Interpreter& interpreter, const Macro& macro, std::string_view name) {
  if (name == "name")
    return macro.stmt.kind == StmtKind::kMacro ? interpreter.text(std::string(macro.stmt.text)) : Value();
  if (name == "catch_kwargs") return Value(macro.stmt.takes_named);
  if (name == "catch_varargs") return Value(macro.stmt.takes_rest);
  if (name == "caller") return Value(macro.stmt.takes_caller);
  if (name != "arguments") return std::nullopt;
  ListBuilder names(interpreter.heap());
  for (const Parameter& parameter : macro.stmt.parameters) names.add(interpreter.text(std::string(parameter.name)));
  return names.tuple();
}

std::optional<Value> special_attribute(Interpreter& interpreter, const Value& of, std::string_view name) {
  switch (of.kind()) {
    case Kind::kLoop:
      return loop_attribute(interpreter, of.object<Loop>(), name);
    case Kind::kMacro:
      return macro_attribute(interpreter, of.object<Macro>(), name);
    case Kind::kNamespace:
      if (const Value* found = of.object<Namespace>().members->find(name)) return *found;
      return std::nullopt;
    case Kind::kTuple:
      if (!of.object<Sequence>().is_group) return std::nullopt;
      if (name == "grouper") return of.items()[0];
      if (name == "list") return of.items()[1];
      return std::nullopt;
    case Kind::kCycler:
      if (name == "current") return of.object<Cycler>().items[of.object<Cycler>().at];
      if (name == "pos") return Value(static_cast<std::int64_t>(of.object<Cycler>().at));
      return std::nullopt;
    case Kind::kRange:
      if (name == "start") return Value(of.object<Range>().start);
      if (name == "stop") return Value(of.object<Range>().stop);
      if (name == "step") return Value(of.object<Range>().step);
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

bool is_hashable(const Value& value) {
  if (value.is(Kind::kTuple)) return std::all_of(value.items().begin(), value.items().end(), is_hashable);
  return !value.is(Kind::kList) && !value.is(Kind::kDict) && !value.is(Kind::kView);
}

// Tuples that lie in each other may be a deep chain, and what is hashed is looked at as deep as other values.
const Value* find_key(const Dict& dict, const Value& key) {
  if (key.is(Kind::kText)) return dict.find(std::string_view(key.text()));
  if (key.is(Kind::kTuple)) {
    for (const Value& part : key.items())
      if (part.is(Kind::kTuple)) return dict.find(key);
  }
  return is_hashable(key) ? dict.find(key) : nullptr;
}

std::optional<Value> indexed(Interpreter& interpreter, const Value& of, std::int64_t index) {
  const std::int64_t length = length_of(of).value_or(0);
  if (index < 0) index += length;
  if (index < 0 || index >= length) return std::nullopt;
  switch (of.kind()) {
    case Kind::kText: {
      const Text& text = of.object<Text>();
      interpreter.heap().step_bytes(text.is_ascii() ? 1 : text.bytes.size());
      return interpreter.text(std::string(characters(text, index, index + 1)), text.safe);
    }
    case Kind::kRange:
      return Value(of.object<Range>().at(index));
    default:
      return of.items()[static_cast<std::size_t>(index)];
  }
}

std::optional<std::int64_t> slice_index(const Value& value) {
  if (value.is(Kind::kNone)) return std::nullopt;
  if (value.is(Kind::kUndefined)) fail(value.text());
  if (!value.is_integer()) fail("the bounds of a slice are integers or none, got a value of type ", type_name(value));
  return value.integer();
}

}  // namespace

std::optional<Value> own_attribute(Interpreter& interpreter, const Value& of, std::string_view name) {
  if (of.is(Kind::kUndefined)) fail(of.text());
  if (mutates(of, name))
    return interpreter.undefined("access to attribute " + quoted(name) + " of '" + std::string(type_name(of)) +
                                 "' object is unsafe: lists and dicts cannot be changed");
  if (of.is(Kind::kNamespace)) return special_attribute(interpreter, of, name);
  if (const Builtin* method = find_method(of, name))
    return Value(Kind::kFunction, interpreter.heap().make<Function>(0, *method, of));
  return special_attribute(interpreter, of, name);
}

Value attribute(Interpreter& interpreter, const Value& of, std::string_view name) {
  if (auto found = own_attribute(interpreter, of, name)) return *found;
  if (of.is(Kind::kDict)) {
    if (const Value* found = of.object<Dict>().find(name)) return *found;
  }
  return undefined_attribute(interpreter, of, name);
}

Value item(Interpreter& interpreter, const Value& of, const Value& key) {
  if (of.is(Kind::kUndefined)) fail(of.text());
  if (of.is(Kind::kDict)) {
    if (const Value* found = find_key(of.object<Dict>(), key)) return *found;
  } else if (key.is_integer() && (of.is_sequence() || of.is(Kind::kText) || of.is(Kind::kRange))) {
    if (auto found = indexed(interpreter, of, key.integer())) return *found;
  }
  if (key.is(Kind::kText)) {
    if (auto found = own_attribute(interpreter, of, key.text())) return *found;
    return undefined_attribute(interpreter, of, key.text());
  }
  return interpreter.undefined(std::string(type_name(of)) + " object has no element of this key");
}

SliceBounds slice_bounds(std::int64_t length, const Value& start, const Value& stop, const Value& step) {
  const std::int64_t by = slice_index(step).value_or(1);
  if (by == 0) fail("the step of a slice cannot be 0");
  const bool back = by < 0;
  const auto bound = [&](const std::optional<std::int64_t>& index, std::int64_t otherwise) {
    if (!index) return otherwise;
    if (*index < 0) return std::max(*index + length, back ? std::int64_t{-1} : 0);
    return std::min(*index, back ? length - 1 : length);
  };
  const std::int64_t from = bound(slice_index(start), back ? length - 1 : 0);
  const std::int64_t to = bound(slice_index(stop), back ? -1 : length);
  const std::int64_t between = back ? from - to : to - from;
  if (between <= 0) return {from, to, by, 0};
  // Of -2^63 no positive is a number.
  const auto stride = back ? std::uint64_t{0} - static_cast<std::uint64_t>(by) : static_cast<std::uint64_t>(by);
  return {from, to, by, static_cast<std::int64_t>((static_cast<std::uint64_t>(between) - 1) / stride) + 1};
}

std::string_view characters(const Text& text, std::int64_t start, std::int64_t stop) {
  const std::string_view bytes = text.bytes;
  const std::size_t from = byte_of_character(bytes, static_cast<std::size_t>(start), text.is_ascii());
  const std::string_view rest = bytes.substr(from);
  return rest.substr(0, byte_of_character(rest, static_cast<std::size_t>(stop - start), text.is_ascii()));
}

Value slice(Interpreter& interpreter, const Value& of, const Value& start, const Value& stop, const Value& step) {
  if (of.is(Kind::kUndefined)) fail(of.text());
  if (!of.is_sequence() && !of.is(Kind::kText) && !of.is(Kind::kRange))
    fail("a value of type ", type_name(of), " cannot be sliced");
  const SliceBounds bounds = slice_bounds(length_of(of).value_or(0), start, stop, step);
  Heap& heap = interpreter.heap();
  if (of.is(Kind::kRange)) {
    const Range& range = of.object<Range>();
    const std::int64_t by =
        static_cast<std::int64_t>(static_cast<std::uint64_t>(range.step) * static_cast<std::uint64_t>(bounds.step));
    return Value(Kind::kRange, heap.make<Range>(0, range.at(bounds.start), range.at(bounds.stop), by, bounds.count));
  }
  if (of.is(Kind::kText)) {
    const Text& text = of.object<Text>();
    heap.step_bytes(text.bytes.size());
    if (bounds.count == 0) return interpreter.text({}, text.safe);
    if (bounds.step == 1)
      return interpreter.text(std::string(characters(text, bounds.start, bounds.start + bounds.count)), text.safe);
    std::vector<std::string_view> all;
    heap.require(text.length, sizeof(std::string_view));
    heap.step(text.length);
    for_each_character(text.bytes, [&](Utf8Step, std::string_view bytes) { all.push_back(bytes); });
    TextBuilder picked(heap);
    for (std::int64_t i = 0; i < bounds.count; ++i)
      picked += all[static_cast<std::size_t>(bounds.start + i * bounds.step)];
    return picked.value(text.safe);
  }
  ListBuilder picked(heap);
  for (std::int64_t i = 0; i < bounds.count; ++i)
    picked.add(of.items()[static_cast<std::size_t>(bounds.start + i * bounds.step)]);
  return of.is(Kind::kTuple) ? picked.tuple() : picked.list();
}

}  // namespace trireme::data::jinja
