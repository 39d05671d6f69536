// Filters that walk over what they are given.
#include <algorithm>
#include <memory>
#include <unordered_map>

#include "data/jinja/access.h"
#include "data/jinja/characters.h"
#include "data/jinja/interpreter.h"
#include "data/jinja/iteration.h"
#include "data/jinja/operators.h"
#include "data/jinja/printing.h"
#include "data/jinja/tables.h"
#include "data/tokenizer/utf8.h"

namespace trireme::data::jinja {
namespace {

Value lower_text(Interpreter& in, Value value) {
  return value.is(Kind::kText) ? call_method(in, value, "lower", {}) : value;
}

/// The member of an item that a filter works on: "a.b.0" is item["a"]["b"][0].
class Member {
 public:
  Member() = default;
  Member(Interpreter& in, const Value& path, std::optional<Value> otherwise = std::nullopt)
      : otherwise_(std::move(otherwise)) {
    if (otherwise_ && otherwise_->is(Kind::kNone)) otherwise_.reset();
    if (path.is(Kind::kNone)) return;
    if (!path.is(Kind::kText)) {
      keys_.push_back(path);
      return;
    }
    std::string_view rest = path.text();
    in.heap().step_bytes(rest.size());
    for (;;) {
      const std::size_t dot = std::min(rest.find('.'), rest.size());
      keys_.push_back(key(in, rest.substr(0, dot)));
      in.heap().step();
      if (dot == rest.size()) return;
      rest.remove_prefix(dot + 1);
    }
  }

  Value of(Interpreter& in, Value item) const {
    for (const Value& key : keys_) {
      item = jinja::item(in, item, key);
      if (otherwise_ && item.is(Kind::kUndefined)) item = *otherwise_;
    }
    return item;
  }

 private:
  static Value key(Interpreter& in, std::string_view name) {
    const bool is_number = !name.empty() && name.size() < 19 &&
                           std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
    return is_number ? Value(std::int64_t{std::stoll(std::string(name))}) : in.text(std::string(name));
  }

  std::vector<Value> keys_;
  std::optional<Value> otherwise_;
};

Member member(Interpreter& in, const Bound& arguments, std::size_t i) {
  return arguments.has(i) ? Member(in, arguments[i]) : Member();
}

/// Stable, by keys of which `less` tells the order.
template <class Less>
std::vector<Value> sorted(Interpreter& in, std::vector<Value> items, const std::vector<Value>& keys, bool reverse,
                          Less less) {
  std::vector<std::size_t> places(items.size());
  for (std::size_t i = 0; i < places.size(); ++i) places[i] = i;
  std::stable_sort(places.begin(), places.end(), [&](std::size_t a, std::size_t b) {
    in.heap().step();
    return reverse ? less(keys[b], keys[a]) : less(keys[a], keys[b]);
  });
  ListBuilder ordered(in.heap());
  for (const std::size_t place : places) ordered.add(items[place]);
  return ordered.take();
}

bool less(const Value& a, const Value& b) {
  const auto sign = order(a, b, "<");
  return sign && *sign < 0;
}

Value sort(Interpreter& in, const Value& subject, Bound& arguments) {
  const bool reverse = arguments.truth(0, false), case_sensitive = arguments.truth(1, false);
  std::vector<Member> members;
  if (arguments.has(2) && arguments[2].is(Kind::kText)) {
    std::string_view rest = arguments[2].text();
    for (;;) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      members.emplace_back(in, in.text(std::string(rest.substr(0, comma))));
      if (comma == rest.size()) break;
      rest.remove_prefix(comma + 1);
    }
  } else {
    members.push_back(member(in, arguments, 2));
  }
  std::vector<Value> items = listed(in, subject);
  ListBuilder keys(in.heap());
  for (const Value& item : items) {
    ListBuilder key(in.heap());
    for (const Member& one : members) {
      Value value = one.of(in, item);
      key.add(case_sensitive ? value : lower_text(in, value));
    }
    keys.add(key.list());
  }
  return make_list(in.heap(), sorted(in, std::move(items), keys.take(), reverse, less));
}

Value dictsort(Interpreter& in, const Value& subject, Bound& arguments) {
  if (subject.is(Kind::kUndefined)) fail(subject.text());
  const bool case_sensitive = arguments.truth(0, false), reverse = arguments.truth(2, false);
  const std::string by = arguments.has(1) ? printed(in.heap(), arguments[1]) : "key";
  if (by != "key" && by != "value") fail("dictsort() sorts by 'key' or 'value'");
  if (!subject.is(Kind::kDict)) fail("dictsort() takes a dict, got a value of type ", type_name(subject));
  ListBuilder items(in.heap()), keys(in.heap());
  for (const auto& [key, value] : subject.object<Dict>().entries) {
    items.add(make_tuple(in.heap(), {key, value}));
    const Value& sorts = by == "key" ? key : value;
    keys.add(case_sensitive ? sorts : lower_text(in, sorts));
  }
  return make_list(in.heap(), sorted(in, items.take(), keys.take(), reverse, less));
}

Value unique(Interpreter& in, const Value& subject, Bound& arguments) {
  const bool case_sensitive = arguments.truth(0, false);
  const Member key_of = member(in, arguments, 1);
  const Ref<Dict> seen = make_dict(in.heap());
  return make_mapped(in.heap(), subject, [=](Interpreter& at, Value item) -> std::optional<Value> {
    const Value value = key_of.of(at, item);
    const Value key = case_sensitive ? value : lower_text(at, value);
    if (seen->find(key) != nullptr) return std::nullopt;
    seen->set(key, Value());
    return item;
  });
}

template <bool largest>
Value extreme(Interpreter& in, const Value& subject, Bound& arguments) {
  const bool case_sensitive = arguments.truth(0, false);
  const Member key_of = member(in, arguments, 1);
  std::optional<Value> best, best_key;
  const Ref<Iterator> walk = iterate(in.heap(), subject);
  while (const auto item = walk->next(in)) {
    in.heap().step();
    const Value value = key_of.of(in, *item);
    const Value key = case_sensitive ? value : lower_text(in, value);
    if (best_key) {
      const auto sign = order(key, *best_key, largest ? ">" : "<");
      if (!sign || (largest ? *sign <= 0 : *sign >= 0)) continue;
    }
    best = item;
    best_key = key;
  }
  return best ? *best : in.undefined("No aggregated item, sequence was empty.");
}

Value groupby(Interpreter& in, const Value& subject, Bound& arguments) {
  const std::optional<Value> otherwise = arguments.has(1) ? std::optional(arguments[1]) : std::nullopt;
  const bool case_sensitive = arguments.truth(2, false);
  const Member key_of(in, arguments[0], otherwise);
  std::vector<Value> items = listed(in, subject);
  const auto key = [&](const Value& item) {
    const Value value = key_of.of(in, item);
    return case_sensitive ? value : lower_text(in, value);
  };
  ListBuilder keys(in.heap());
  for (const Value& item : items) keys.add(key(item));
  items = sorted(in, std::move(items), keys.take(), false, less);
  ListBuilder groups(in.heap());
  for (std::size_t begin = 0; begin < items.size();) {
    const Value shared = key(items[begin]);
    ListBuilder group(in.heap());
    std::size_t end = begin;
    for (; end < items.size() && (end == begin || equal(shared, key(items[end]))); ++end) group.add(items[end]);
    const Value name = case_sensitive ? shared : key_of.of(in, items[begin]);
    groups.add(make_tuple(in.heap(), {name, group.list()}, /*is_group=*/true));
    begin = end;
  }
  return groups.list();
}

Value join(Interpreter& in, const Value& subject, Bound& arguments) {
  const Value separator = arguments.has(0) ? as_text(in.heap(), arguments[0]) : in.text("");
  const bool has_member = arguments.has(1) && !arguments[1].is(Kind::kNone);
  const Member part_of = has_member ? member(in, arguments, 1) : Member();
  TextBuilder text(in.heap());
  bool is_first = true;
  const Ref<Iterator> walk = iterate(in.heap(), subject);
  while (const auto item = walk->next(in)) {
    const std::string part = printed(in.heap(), part_of.of(in, *item));
    in.heap().step_bytes(part.size() + separator.text().size());
    if (!is_first) text += separator.text();
    text += part;
    is_first = false;
  }
  return text.value();
}

Value first(Interpreter& in, const Value& subject, Bound&) {
  const auto item = iterate(in.heap(), subject)->next(in);
  return item ? *item : in.undefined("No first item, sequence was empty.");
}

/// What reversed() takes, in the reverse order.
std::optional<std::vector<Value>> reversed(Interpreter& in, const Value& subject) {
  if (!length_of(subject)) return std::nullopt;
  std::vector<Value> items = listed(in, subject);
  std::reverse(items.begin(), items.end());
  return items;
}

Value last(Interpreter& in, const Value& subject, Bound&) {
  if (subject.is_sequence() && !subject.items().empty()) return subject.items().back();
  const auto items = reversed(in, subject);
  if (!items) fail("last() takes what has an order and an end, got a value of type ", type_name(subject));
  return items->empty() ? in.undefined("No last item, sequence was empty.") : items->front();
}

Value reverse(Interpreter& in, const Value& subject, Bound&) {
  if (subject.is(Kind::kText)) return slice(in, subject, Value(), Value(), Value(std::int64_t{-1}));
  if (auto items = reversed(in, subject)) return make_walk(in.heap(), "reversed", std::move(*items));
  std::vector<Value> items = listed(in, subject);
  std::reverse(items.begin(), items.end());
  return make_list(in.heap(), std::move(items));
}

Value length(Interpreter& in, const Value& subject, Bound&) {
  if (subject.is(Kind::kLoop)) return Value(subject.object<Loop>().length(in));
  const auto size = length_of(subject);
  if (!size) fail("a value of type ", type_name(subject), " has no length");
  return Value(*size);
}

Value list(Interpreter& in, const Value& subject, Bound&) { return make_list(in.heap(), listed(in, subject)); }

Value items(Interpreter& in, const Value& subject, Bound&) {
  return make_deferred(in.heap(), [subject](Interpreter& at) -> std::vector<Value> {
    if (subject.is(Kind::kUndefined)) return {};
    if (!subject.is(Kind::kDict)) fail("items takes a dict, got a value of type ", type_name(subject));
    ListBuilder pairs(at.heap());
    for (const auto& [key, value] : subject.object<Dict>().entries) pairs.add(make_tuple(at.heap(), {key, value}));
    return pairs.take();
  });
}

const Builtin& named(const Value& name, const Builtin* (*look_up)(std::string_view), std::string_view what) {
  const Builtin* found = name.is(Kind::kText) ? look_up(name.text()) : nullptr;
  if (found != nullptr) return *found;
  if (name.is(Kind::kText) && what == "filter" && is_known_filter(name.text()))
    fail("the filter ", quoted(name.text()), " is not supported");
  fail("there is no ", what, name.is(Kind::kText) ? " " + quoted(name.text().substr(0, 40)) : " of this name");
}

Value map(Interpreter& in, const Value& subject, Bound& arguments) {
  if (!is_true(subject)) return make_walk(in.heap(), "generator", {});
  Arguments given = std::move(arguments.all());
  const auto take = [&](std::string_view name) -> std::optional<Value> {
    const auto found =
        std::find_if(given.named.begin(), given.named.end(), [&](const auto& one) { return one.first == name; });
    if (found == given.named.end()) return std::nullopt;
    Value value = found->second;
    given.named.erase(found);
    return value;
  };
  if (given.positional.empty()) {
    const auto path = take("attribute");
    const auto otherwise = take("default");
    if (!path || !given.named.empty())
      return make_mapped(in.heap(), subject, [](Interpreter&, Value) -> std::optional<Value> {
        fail("map() takes the name of a filter, or attribute= and default=");
      });
    const Member part(in, *path, otherwise);
    return make_mapped(in.heap(), subject, [part](Interpreter& at, Value item) -> std::optional<Value> {
      return part.of(at, std::move(item));
    });
  }
  const Value name = given.positional[0];
  given.positional.erase(given.positional.begin());
  return make_mapped(in.heap(), subject, [name, given](Interpreter& at, Value item) -> std::optional<Value> {
    return call_builtin(at, named(name, find_filter, "filter"), item, given);
  });
}

template <bool wanted, bool of_member>
Value select(Interpreter& in, const Value& subject, Bound& arguments) {
  if (!is_true(subject)) return make_walk(in.heap(), "generator", {});
  Arguments given = std::move(arguments.all());
  std::optional<Value> path, test;
  const auto take = [&](std::optional<Value>& into) {
    if (given.positional.empty()) return;
    into = given.positional[0];
    given.positional.erase(given.positional.begin());
  };
  if (of_member) take(path);
  take(test);
  if (of_member && !path)
    return make_mapped(in.heap(), subject, [](Interpreter&, Value) -> std::optional<Value> {
      fail("selectattr() and rejectattr() take the name of an attribute");
    });
  const Member part = path ? Member(in, *path) : Member();
  return make_mapped(in.heap(), subject, [part, test, given](Interpreter& at, Value item) -> std::optional<Value> {
    const Value value = part.of(at, item);
    const bool holds = is_true(test ? call_builtin(at, named(*test, find_test, "test"), value, given) : value);
    if (holds != wanted) return std::nullopt;
    return item;
  });
}

Value batch(Interpreter& in, const Value& subject, Bound& arguments) {
  const std::int64_t size = arguments.integer(0, 0);
  const Value fill = arguments.has(1) ? arguments[1] : Value();
  return make_deferred(in.heap(), [=](Interpreter& at) {
    ListBuilder batches(at.heap()), row(at.heap());
    const Ref<Iterator> walk = iterate(at.heap(), subject);
    while (auto item = walk->next(at)) {
      if (static_cast<std::int64_t>(row.size()) == size) batches.add(row.list());
      row.add(std::move(*item));
    }
    if (row.size() > 0) {
      if (!fill.is(Kind::kNone) && size > 0) at.heap().require(static_cast<std::size_t>(size), sizeof(Value));
      if (!fill.is(Kind::kNone))
        while (static_cast<std::int64_t>(row.size()) < size) row.add(fill);
      batches.add(row.list());
    }
    return batches.take();
  });
}

Value slices(Interpreter& in, const Value& subject, Bound& arguments) {
  const std::int64_t count = arguments.integer(0, 0);
  const Value fill = arguments.has(1) ? arguments[1] : Value();
  return make_deferred(in.heap(), [=](Interpreter& at) {
    const std::vector<Value> all = listed(at, subject);
    if (count == 0) fail("slice() takes a number of slices that is not 0");
    ListBuilder made(at.heap());
    const auto size = static_cast<std::int64_t>(all.size());
    const std::int64_t each = count > 0 ? size / count : 0, more = count > 0 ? size % count : 0;
    std::size_t begin = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      ListBuilder row(at.heap());
      const std::size_t end = begin + static_cast<std::size_t>(each + (i < more ? 1 : 0));
      for (; begin < end; ++begin) row.add(all[begin]);
      if (!fill.is(Kind::kNone) && i >= more) row.add(fill);
      made.add(row.list());
    }
    return made.take();
  });
}

Value sum(Interpreter& in, const Value& subject, Bound& arguments) {
  const bool has_member = arguments.has(0) && !arguments[0].is(Kind::kNone);
  const Member part_of = has_member ? member(in, arguments, 0) : Member();
  Value total = arguments.has(1) ? arguments[1] : Value(std::int64_t{0});
  if (total.is(Kind::kText)) fail("sum() cannot add texts, join() can");
  const Ref<Iterator> walk = iterate(in.heap(), subject);
  while (const auto item = walk->next(in)) total = operate(in, Operation::kAdd, total, part_of.of(in, *item));
  return total;
}

constexpr Builtin kSequenceFilters[] = {
    {"batch", "linecount fill_with", 1, batch},
    {"count", "/", 0, length},
    {"dictsort", "case_sensitive by reverse", 0, dictsort},
    {"first", "", 0, first},
    {"groupby", "attribute default case_sensitive", 1, groupby},
    {"items", "", 0, items},
    {"join", "d attribute", 0, join},
    {"last", "", 0, last},
    {"length", "/", 0, length},
    {"list", "", 0, list},
    {"map", "*", 0, map},
    {"max", "case_sensitive attribute", 0, extreme<true>},
    {"min", "case_sensitive attribute", 0, extreme<false>},
    {"reject", "*", 0, select<false, false>},
    {"rejectattr", "*", 0, select<false, true>},
    {"reverse", "", 0, reverse},
    {"select", "*", 0, select<true, false>},
    {"selectattr", "*", 0, select<true, true>},
    {"slice", "slices fill_with", 1, slices},
    {"sort", "reverse case_sensitive attribute", 0, sort},
    {"sum", "attribute start", 0, sum},
    {"unique", "case_sensitive attribute", 0, unique},
};

}  // namespace

std::span<const Builtin> sequence_filters() { return kSequenceFilters; }

}  // namespace trireme::data::jinja
