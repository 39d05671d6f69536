#include "data/jinja/value.h"

#include <cmath>

#include "data/jinja/characters.h"

namespace trireme::data::jinja {
namespace {

// Comparing and hashing walk into lists: as deep as kMaxValueDepth.
class ValueDepth {
 public:
  ValueDepth() {
    if (depth_ >= kMaxValueDepth) fail("a value is nested deeper than ", kMaxValueDepth, " levels");
    ++depth_;
  }
  ValueDepth(const ValueDepth&) = delete;
  ValueDepth& operator=(const ValueDepth&) = delete;
  ~ValueDepth() { --depth_; }

 private:
  static thread_local int depth_;
};
thread_local int ValueDepth::depth_ = 0;

// Exact, where a conversion of the integer would round.
std::optional<int> order_of(std::int64_t integer, double real) {
  if (std::isnan(real)) return std::nullopt;
  if (real >= 0x1p63) return -1;
  if (real < -0x1p63) return 1;
  const double whole = std::floor(real);
  const auto floor = static_cast<std::int64_t>(whole);
  if (integer != floor) return integer < floor ? -1 : 1;
  return whole < real ? -1 : 0;
}

template <class T>
int sign_of(const T& a, const T& b) {
  return a < b ? -1 : b < a ? 1 : 0;
}

std::optional<int> order_of_numbers(const Value& a, const Value& b) {
  if (a.is_integer() && b.is_integer()) return sign_of(a.integer(), b.integer());
  if (a.is_integer()) return order_of(a.integer(), b.real());
  if (b.is_integer()) {
    const auto turned = order_of(b.integer(), a.real());
    return turned ? std::optional(-*turned) : std::nullopt;
  }
  if (std::isnan(a.real()) || std::isnan(b.real())) return std::nullopt;
  return sign_of(a.real(), b.real());
}

bool equal_dicts(const Dict& a, const Dict& b) {
  if (a.entries.size() != b.entries.size()) return false;
  for (const auto& [key, value] : a.entries) {
    const Value* other = b.find(key);
    if (other == nullptr || !(equal(value, *other))) return false;
  }
  return true;
}

bool equal_views(const View& a, const View& b) {
  using Part = View::Part;
  if (a.part == Part::kValues || b.part == Part::kValues) return &a == &b;
  if (a.part != b.part) return a.dict->entries.empty() && b.dict->entries.empty();
  if (a.part == Part::kItems) return equal_dicts(*a.dict, *b.dict);
  if (a.dict->entries.size() != b.dict->entries.size()) return false;
  for (const auto& [key, value] : a.dict->entries)
    if (b.dict->find(key) == nullptr) return false;
  return true;
}

bool equal_ranges(const Range& a, const Range& b) {
  if (a.length != b.length || a.length == 0) return a.length == b.length;
  return a.start == b.start && (a.length == 1 || a.step == b.step);
}

bool equal_items(const std::vector<Value>& a, const std::vector<Value>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!equal(a[i], b[i])) return false;
  return true;
}

std::uint64_t mixed(std::uint64_t seed, std::uint64_t value) {
  return (seed ^ value) * 0x9E3779B97F4A7C15u + (seed >> 29);
}

std::uint64_t hash_of_integer(std::int64_t value) { return mixed(0x51, static_cast<std::uint64_t>(value)); }

std::uint64_t hash_of_text(std::string_view text) { return std::hash<std::string_view>{}(text); }

constexpr std::size_t kSmallDict = 8;  // walking it is cheaper than hashing

}  // namespace

Value Value::undefined(Heap& heap, std::string hint) {
  const std::size_t bytes = hint.size();
  Value value(Kind::kUndefined, heap.make<Text>(bytes, std::move(hint), 0, false));
  return value;
}

Value make_text(Heap& heap, std::string text, bool safe) {
  const std::size_t characters = count_characters(text), bytes = text.size();
  return Value(Kind::kText, heap.make<Text>(bytes, std::move(text), characters, safe));
}

Value make_list(Heap& heap, std::vector<Value> items) {
  const std::size_t bytes = items.size() * sizeof(Value);
  return Value(Kind::kList, heap.make<Sequence>(bytes, std::move(items)));
}

Value make_tuple(Heap& heap, std::vector<Value> items, bool is_group) {
  const std::size_t bytes = items.size() * sizeof(Value);
  return Value(Kind::kTuple, heap.make<Sequence>(bytes, std::move(items), is_group));
}

Ref<Dict> make_dict(Heap& heap) { return heap.make<Dict>(0); }

const Value* Dict::find_hashed(std::uint64_t hash, const Value& key) const {
  heap().step();
  const auto [begin, end] = places_.equal_range(hash);
  for (auto place = begin; place != end; ++place)
    if (equal(entries[place->second].first, key)) return &entries[place->second].second;
  return nullptr;
}

const Value* Dict::find(const Value& key) const {
  const std::uint64_t hashed = hash(key);
  if (!places_.empty()) return find_hashed(hashed, key);
  for (const auto& [name, value] : entries)
    if (equal(name, key)) return &value;
  return nullptr;
}

const Value* Dict::find(std::string_view key) const {
  if (places_.empty()) {
    for (const auto& [name, value] : entries)
      if (name.is(Kind::kText) && name.text() == key) return &value;
    return nullptr;
  }
  heap().step();
  const auto [begin, end] = places_.equal_range(hash_of_text(key));
  for (auto place = begin; place != end; ++place) {
    const auto& [name, value] = entries[place->second];
    if (name.is(Kind::kText) && name.text() == key) return &value;
  }
  return nullptr;
}

void Dict::set(const Value& key, Value value) {
  if (const Value* found = find(key); found != nullptr) {
    *const_cast<Value*>(found) = std::move(value);
    return;
  }
  heap().grow(*this, sizeof(Entry) + (entries.size() >= kSmallDict ? 64 : 0));
  entries.emplace_back(key, std::move(value));
  if (entries.size() <= kSmallDict) return;
  for (std::size_t i = places_.size(); i < entries.size(); ++i) places_.emplace(hash(entries[i].first), i);
}

Value View::at(std::size_t index) const {
  const auto& [key, value] = dict->entries[index];
  if (part == Part::kKeys) return key;
  if (part == Part::kValues) return value;
  return make_tuple(heap(), {key, value});
}

void TextBuilder::repeat(std::string_view more, std::int64_t times) {
  if (times <= 0) return;
  heap_.require(static_cast<std::size_t>(times), more.size());
  heap_.step_bytes(static_cast<std::size_t>(times) * more.size());
  heap_.require(text_.size() + static_cast<std::size_t>(times) * more.size());
  for (; times > 0 && !more.empty(); --times) text_ += more;
}

std::string_view type_name(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kText:
      return value.object<Text>().safe ? "Markup" : "str";
    case Kind::kList:
      return "list";
    case Kind::kTuple:
      return "tuple";
    case Kind::kDict:
      return "dict";
    case Kind::kView: {
      const auto part = value.object<View>().part;
      return part == View::Part::kKeys ? "dict_keys" : part == View::Part::kValues ? "dict_values" : "dict_items";
    }
    case Kind::kRange:
      return "range";
    case Kind::kIterator:
      return value.object<Iterator>().type_name;
    case Kind::kNamespace:
      return "Namespace";
    case Kind::kFunction:
      return "function";
    case Kind::kMacro:
      return "Macro";
    case Kind::kLoop:
      return "LoopContext";
    case Kind::kCycler:
      return "Cycler";
    case Kind::kJoiner:
      return "Joiner";
  }
  return "object";
}

bool is_true(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
      return value.boolean();
    case Kind::kInt:
      return value.integer() != 0;
    case Kind::kFloat:
      return value.real() != 0;
    default: {
      const auto length = length_of(value);
      return !length || *length != 0;
    }
  }
}

bool equal(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return order_of_numbers(a, b) == 0;
  if (a.kind() != b.kind()) return false;
  const ValueDepth deeper;
  switch (a.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kText:
      if (a.text().size() != b.text().size()) return false;
      a.object<Text>().heap().step_bytes(a.text().size());
      return a.text() == b.text();
    case Kind::kList:
    case Kind::kTuple:
      a.object<Sequence>().heap().step(1 + a.items().size());
      return equal_items(a.items(), b.items());
    case Kind::kDict:
      a.object<Dict>().heap().step(1 + a.object<Dict>().entries.size());
      return equal_dicts(a.object<Dict>(), b.object<Dict>());
    case Kind::kView:
      return equal_views(a.object<View>(), b.object<View>());
    case Kind::kRange:
      return equal_ranges(a.object<Range>(), b.object<Range>());
    case Kind::kFunction:
      return &a.object<Function>().builtin == &b.object<Function>().builtin &&
             a.object<Function>().self.identity() == b.object<Function>().self.identity();
    default:
      return a.identity() == b.identity();
  }
}

std::optional<int> order(const Value& a, const Value& b, std::string_view operation) {
  if (a.is_number() && b.is_number()) return order_of_numbers(a, b);
  if (a.kind() == b.kind()) {
    const ValueDepth deeper;
    if (a.is(Kind::kText)) {
      a.object<Text>().heap().step_bytes(std::min(a.text().size(), b.text().size()));
      return sign_of(a.text(), b.text());  // the order of UTF-8 is that of its code points
    }
    if (a.is_sequence()) {
      const auto &first = a.items(), &second = b.items();
      for (std::size_t i = 0; i < std::min(first.size(), second.size()); ++i) {
        a.object<Sequence>().heap().step();
        if (!equal(first[i], second[i])) return order(first[i], second[i], operation);
      }
      return sign_of(first.size(), second.size());
    }
  }
  if (a.is(Kind::kUndefined)) fail(a.text());
  if (b.is(Kind::kUndefined)) fail(b.text());
  fail("'", operation, "' cannot be applied to values of types ", type_name(a), " and ", type_name(b));
}

std::uint64_t hash(const Value& value) {
  const ValueDepth deeper;
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return static_cast<std::uint64_t>(value.kind());
    case Kind::kBool:
    case Kind::kInt:
      return hash_of_integer(value.integer());
    case Kind::kFloat: {
      const double real = value.real();
      if (real >= -0x1p63 && real < 0x1p63 && std::floor(real) == real)
        return hash_of_integer(static_cast<std::int64_t>(real));
      return std::hash<double>{}(real);
    }
    case Kind::kText:
      value.object<Text>().heap().step_bytes(value.text().size());
      return hash_of_text(value.text());
    case Kind::kTuple: {
      std::uint64_t mix = 7;
      value.object<Sequence>().heap().step(1 + value.items().size());
      for (const Value& item : value.items()) mix = mixed(mix, hash(item));
      return mix;
    }
    case Kind::kList:
    case Kind::kDict:
      fail("a ", type_name(value), " cannot be a key of a dict");
    case Kind::kView:
      if (value.object<View>().part != View::Part::kValues) fail("a ", type_name(value), " cannot be a key of a dict");
      [[fallthrough]];
    default:
      return std::hash<const void*>{}(value.identity());
  }
}

std::optional<std::int64_t> length_of(const Value& value) {
  const auto length = [](std::size_t size) { return static_cast<std::int64_t>(size); };
  switch (value.kind()) {
    case Kind::kUndefined:
      return 0;
    case Kind::kText:
      return length(value.object<Text>().length);
    case Kind::kList:
    case Kind::kTuple:
      return length(value.items().size());
    case Kind::kDict:
      return length(value.object<Dict>().entries.size());
    case Kind::kView:
      return length(value.object<View>().dict->entries.size());
    case Kind::kRange:
      return value.object<Range>().length;
    default:
      return std::nullopt;
  }
}

}  // namespace trireme::data::jinja
