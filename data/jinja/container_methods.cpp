// Methods of lists, dicts and of what a template counts with. None changes a list or dict: the sandbox forbids it.
#include <algorithm>

#include "data/jinja/interpreter.h"
#include "data/jinja/iteration.h"
#include "data/jinja/tables.h"

namespace trireme::data::jinja {
namespace {

Value index(Interpreter& in, const Value& self, Bound& arguments) {
  const std::int64_t length = length_of(self).value_or(0);
  const auto bound = [&](std::size_t i, std::int64_t otherwise) {
    const std::int64_t at = arguments.integer(i, otherwise);
    return std::clamp<std::int64_t>(at < 0 ? std::max<std::int64_t>(at + length, 0) : at, 0, length);
  };
  const std::int64_t start = bound(1, 0), stop = bound(2, length);
  const std::vector<Value> items = listed(in, self);
  for (std::int64_t i = start; i < stop; ++i) {
    in.heap().step();
    if (equal(items[static_cast<std::size_t>(i)], arguments[0])) return Value(i);
  }
  fail("index(): the value was not found");
}

Value count(Interpreter& in, const Value& self, Bound& arguments) {
  std::int64_t found = 0;
  for (const Value& item : listed(in, self)) {
    in.heap().step();
    if (equal(item, arguments[0])) ++found;
  }
  return Value(found);
}

Value copy_list(Interpreter& in, const Value& self, Bound&) { return make_list(in.heap(), listed(in, self)); }

Value copy_dict(Interpreter& in, const Value& self, Bound&) {
  const Ref<Dict> copy = make_dict(in.heap());
  for (const auto& [key, value] : self.object<Dict>().entries) copy->set(key, value);
  return Value(Kind::kDict, copy);
}

Value get(Interpreter&, const Value& self, Bound& arguments) {
  const Value* found = self.object<Dict>().find(arguments[0]);
  if (found != nullptr) return *found;
  return arguments.has(1) ? arguments[1] : Value();
}

template <View::Part part>
Value view(Interpreter& in, const Value& self, Bound&) {
  return Value(Kind::kView, in.heap().make<View>(0, Ref<Dict>(&self.object<Dict>()), part));
}

Value cycle(Interpreter&, const Value& self, Bound& arguments) {
  const auto& items = arguments.all().positional;
  if (!arguments.all().named.empty()) fail("cycle() takes values without names");
  if (items.empty()) fail("cycle() takes at least one value");
  return items[static_cast<std::size_t>(self.object<Loop>().index - 1) % items.size()];
}

Value changed(Interpreter& in, const Value& self, Bound& arguments) {
  if (!arguments.all().named.empty()) fail("changed() takes values without names");
  const Value given = make_tuple(in.heap(), arguments.all().positional);
  Loop& loop = self.object<Loop>();
  if (equal(loop.changed, given)) return Value(false);
  loop.changed = given;
  return Value(true);
}

Value next(Interpreter&, const Value& self, Bound&) {
  Cycler& cycler = self.object<Cycler>();
  const std::size_t at = cycler.at;
  cycler.at = (at + 1) % cycler.items.size();
  return cycler.items[at];
}

Value reset(Interpreter&, const Value& self, Bound&) {
  self.object<Cycler>().at = 0;
  return {};
}

constexpr Builtin kListMethods[] = {
    {"copy", "/", 0, copy_list},
    {"count", "/ value", 1, count},
    {"index", "/ value start stop", 1, index},
};
constexpr Builtin kDictMethods[] = {
    {"copy", "/", 0, copy_dict},
    {"get", "/ key default", 1, get},
    {"items", "/", 0, view<View::Part::kItems>},
    {"keys", "/", 0, view<View::Part::kKeys>},
    {"values", "/", 0, view<View::Part::kValues>},
};
constexpr Builtin kLoopMethods[] = {
    {"changed", "*", 0, changed},
    {"cycle", "*", 0, cycle},
};
constexpr Builtin kCyclerMethods[] = {
    {"next", "/", 0, next},
    {"reset", "/", 0, reset},
};

}  // namespace

std::span<const Builtin> list_methods() { return kListMethods; }
std::span<const Builtin> dict_methods() { return kDictMethods; }
std::span<const Builtin> loop_methods() { return kLoopMethods; }
std::span<const Builtin> cycler_methods() { return kCyclerMethods; }

}  // namespace trireme::data::jinja
