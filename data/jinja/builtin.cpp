#include "data/jinja/builtin.h"

#include <algorithm>

#include "data/jinja/characters.h"
#include "data/jinja/interpreter.h"
#include "data/jinja/tables.h"

namespace trireme::data::jinja {
namespace {

const Builtin* find(std::span<const Builtin> table, std::string_view name) {
  const auto found = std::find_if(table.begin(), table.end(), [&](const Builtin& one) { return one.name == name; });
  return found == table.end() ? nullptr : &*found;
}

}  // namespace

bool is_listed(std::string_view names, std::string_view name) {
  while (!names.empty()) {
    const std::size_t end = std::min(names.find(' '), names.size());
    if (names.substr(0, end) == name) return true;
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  return false;
}

Bound::Bound(Heap& heap, const Builtin& builtin, Arguments arguments) : builtin_(builtin), all_(std::move(arguments)) {
  heap.step(all_.positional.size() + all_.named.size());
  std::string_view names = builtin.parameters;
  if (names == "*") return;
  const bool by_position = names.starts_with('/');
  if (by_position) names.remove_prefix(std::min<std::size_t>(2, names.size()));
  std::size_t count = 0;
  for (; !names.empty(); ++count) {
    const std::size_t end = std::min(names.find(' '), names.size());
    const std::string_view name = names.substr(0, end);
    names.remove_prefix(std::min(end + 1, names.size()));
    if (count < all_.positional.size()) values_[count] = all_.positional[count];
    for (auto& [given, value] : all_.named) {
      if (given != name || by_position) continue;
      if (values_[count]) fail(builtin.name, "() got the argument ", quoted(name), " twice");
      values_[count] = value;
      given.clear();
    }
  }
  if (all_.positional.size() > count)
    fail(builtin.name, "() takes no more than ", count, " arguments, got ", all_.positional.size());
  for (const auto& [given, value] : all_.named)
    if (!given.empty()) fail(builtin.name, "() has no argument ", quoted(given));
  for (std::size_t i = 0; i < builtin.required; ++i)
    if (!values_[i]) fail(builtin.name, "() takes at least ", builtin.required, " arguments");
}

std::int64_t Bound::integer(std::size_t i, std::int64_t otherwise) const {
  if (!has(i)) return otherwise;
  if (values_[i]->is(Kind::kUndefined)) fail(values_[i]->text());
  if (!values_[i]->is_integer())
    fail(builtin_.name, "() takes an integer, got a value of type ", type_name(*values_[i]));
  return values_[i]->integer();
}

std::optional<std::string_view> Bound::text(std::size_t i) const {
  if (!has(i) || values_[i]->is(Kind::kNone)) return std::nullopt;
  if (values_[i]->is(Kind::kUndefined)) fail(values_[i]->text());
  if (!values_[i]->is(Kind::kText))
    fail(builtin_.name, "() takes a text, got a value of type ", type_name(*values_[i]));
  return values_[i]->text();
}

const Builtin* find_filter(std::string_view name) {
  for (const auto table : {text_filters(), sequence_filters(), value_filters()})
    if (const Builtin* found = find(table, name)) return found;
  return nullptr;
}

bool is_known_filter(std::string_view name) {
  return is_listed("filesizeformat pprint random striptags urlize wordwrap xmlattr", name);
}

const Builtin* find_test(std::string_view name) { return find(test_table(), name); }

const Builtin* find_global(std::string_view name) { return find(global_table(), name); }

const Builtin* find_method(const Value& value, std::string_view name) {
  constexpr std::string_view kOfTexts =
      "encode expandtabs format format_map translate maketrans casefold unescape striptags";
  constexpr std::string_view kOfNumbers =
      "as_integer_ratio bit_count bit_length conjugate denominator from_bytes fromhex hex imag is_integer numerator "
      "real "
      "to_bytes";
  const Builtin* found = nullptr;
  std::string_view refused;
  switch (value.kind()) {
    case Kind::kText:
      found = find(text_methods(), name);
      refused = kOfTexts;
      break;
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kFloat:
      refused = kOfNumbers;
      break;
    case Kind::kList:
      found = find(list_methods(), name);
      break;
    case Kind::kTuple:
    case Kind::kRange:
      found = name == "copy" ? nullptr : find(list_methods(), name);
      break;
    case Kind::kDict:
      found = find(dict_methods(), name);
      refused = "fromkeys";
      break;
    case Kind::kView:
      refused = "isdisjoint mapping";
      break;
    case Kind::kLoop:
      found = find(loop_methods(), name);
      break;
    case Kind::kCycler:
      found = find(cycler_methods(), name);
      break;
    default:
      break;
  }
  if (found == nullptr && is_listed(refused, name))
    fail("the method ", quoted(name), " of ", type_name(value), " is not supported");
  return found;
}

Value call_builtin(Interpreter& interpreter, const Builtin& builtin, const Value& subject, Arguments arguments) {
  const Heap::Nesting deeper(interpreter.heap());
  Bound bound(interpreter.heap(), builtin, std::move(arguments));
  return builtin.call(interpreter, subject, bound);
}

Value call_method(Interpreter& interpreter, const Value& text, std::string_view name, std::vector<Value> arguments) {
  return call_builtin(interpreter, *find(text_methods(), name), text, {std::move(arguments), {}});
}

}  // namespace trireme::data::jinja
