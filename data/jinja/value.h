#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "data/jinja/heap.h"

namespace trireme::data::jinja {

class Interpreter;

enum class Kind : std::uint8_t {
  kUndefined,
  kNone,
  kBool,
  kInt,
  kFloat,
  kText,
  kList,
  kTuple,
  kDict,
  kView,  ///< what keys(), values() and items() of a dict give
  kRange,
  kIterator,  ///< what is walked once: map, select, reversed
  kNamespace,
  kFunction,  ///< a global function, a method with its object
  kMacro,
  kLoop,
  kCycler,
  kJoiner,
};

/// A value of a template, with the types and rules of Python. Integers have 64 bits, where Python's have no end: what
/// would not fit is a Failure.
class Value {
 public:
  Value() = default;  ///< None
  explicit Value(bool value) : kind_(Kind::kBool) { data_.boolean = value; }
  explicit Value(std::int64_t value) : kind_(Kind::kInt) { data_.integer = value; }
  explicit Value(double value) : kind_(Kind::kFloat) { data_.real = value; }
  template <class T>
  Value(Kind kind, const Ref<T>& object) : kind_(kind), holds_(static_cast<bool>(object)) {
    data_.object = object.get();
    if (holds_) data_.object->use();
  }
  /// @param hint  what a use of it is refused with; may be null
  static Value undefined(Heap& heap, std::string hint);

  Value(const Value& other) : kind_(other.kind_), holds_(other.holds_), data_(other.data_) {
    if (holds_) data_.object->use();
  }
  Value(Value&& other) noexcept : kind_(other.kind_), holds_(std::exchange(other.holds_, false)), data_(other.data_) {
    other.kind_ = Kind::kNone;
  }
  Value& operator=(Value other) noexcept {
    std::swap(kind_, other.kind_);
    std::swap(holds_, other.holds_);
    std::swap(data_, other.data_);
    return *this;
  }
  ~Value() {
    if (holds_) data_.object->drop();
  }

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  bool is_sequence() const { return is(Kind::kList) || is(Kind::kTuple); }
  /// bool is an integer in Python.
  bool is_integer() const { return is(Kind::kInt) || is(Kind::kBool); }
  bool is_number() const { return is_integer() || is(Kind::kFloat); }

  bool boolean() const { return data_.boolean; }
  /// Of an int or a bool.
  std::int64_t integer() const { return is(Kind::kBool) ? (data_.boolean ? 1 : 0) : data_.integer; }
  double real() const { return is(Kind::kFloat) ? data_.real : static_cast<double>(integer()); }
  template <class T>
  T& object() const {
    return *static_cast<T*>(data_.object);
  }
  const void* identity() const { return holds_ ? data_.object : nullptr; }

  inline const std::string& text() const;
  inline const std::vector<Value>& items() const;

 private:
  Kind kind_ = Kind::kNone;
  bool holds_ = false;
  union {
    bool boolean;
    std::int64_t integer;
    double real;
    Object* object;
  } data_ = {.integer = 0};
};

/// UTF-8, which is well-formed. Python counts characters.
struct Text : Object {
  Text(std::string text, std::size_t characters, bool is_safe)
      : bytes(std::move(text)), length(characters), safe(is_safe) {}
  bool is_ascii() const { return length == bytes.size(); }
  const std::string bytes;
  const std::size_t length;
  const bool safe;  ///< Markup: escapes what is added to it
};

struct Sequence : Object {
  explicit Sequence(std::vector<Value> values, bool group = false) : items(std::move(values)), is_group(group) {}
  void clear() noexcept override { items.clear(); }
  std::vector<Value> items;
  const bool is_group;  ///< a tuple of groupby, whose parts have the names grouper and list
};

/// In the order of insertion. Keys are anything that Python hashes.
struct Dict : Object {
  using Entry = std::pair<Value, Value>;
  void clear() noexcept override { entries.clear(); }
  /// @throws Failure  the key cannot be hashed
  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;
  void set(const Value& key, Value value);

  std::vector<Entry> entries;

 private:
  const Value* find_hashed(std::uint64_t hash, const Value& key) const;
  mutable std::unordered_multimap<std::uint64_t, std::size_t> places_;
};

struct View : Object {
  enum class Part { kKeys, kValues, kItems };
  View(Ref<Dict> of, Part which) : dict(std::move(of)), part(which) {}
  void clear() noexcept override { dict = {}; }
  Value at(std::size_t index) const;
  Ref<Dict> dict;
  const Part part;
};

struct Range : Object {
  Range(std::int64_t first, std::int64_t end, std::int64_t by, std::int64_t count)
      : start(first), stop(end), step(by), length(count) {}
  /// Also of an index just outside, where the number may be beyond 64 bits: it is not looked at then.
  std::int64_t at(std::int64_t index) const {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(start) +
                                     static_cast<std::uint64_t>(index) * static_cast<std::uint64_t>(step));
  }
  const std::int64_t start, stop, step, length;
};

struct Iterator : Object {
  explicit Iterator(std::string_view type) : type_name(type) {}
  /// The next item, or nothing at the end.
  virtual std::optional<Value> next(Interpreter& interpreter) = 0;
  const std::string_view type_name;
};

struct Namespace : Object {
  explicit Namespace(Ref<Dict> values) : members(std::move(values)) {}
  void clear() noexcept override { members = {}; }
  Ref<Dict> members;
};

/// Arguments as a call gives them.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

struct Builtin;

struct Function : Object {
  Function(const Builtin& what, Value of) : builtin(what), self(std::move(of)) {}
  void clear() noexcept override { self = {}; }
  const Builtin& builtin;
  Value self;
};

struct Cycler : Object {
  explicit Cycler(std::vector<Value> values) : items(std::move(values)) {}
  void clear() noexcept override { items.clear(); }
  std::vector<Value> items;
  std::size_t at = 0;
};

struct Joiner : Object {
  explicit Joiner(Value between) : separator(std::move(between)) {}
  void clear() noexcept override { separator = {}; }
  Value separator;
  bool used = false;
};

inline const std::string& Value::text() const { return object<Text>().bytes; }
inline const std::vector<Value>& Value::items() const { return object<Sequence>().items; }

Value make_text(Heap& heap, std::string text, bool safe = false);
Value make_list(Heap& heap, std::vector<Value> items);
Value make_tuple(Heap& heap, std::vector<Value> items, bool is_group = false);
Ref<Dict> make_dict(Heap& heap);

/// A text that grows, within the budget.
class TextBuilder {
 public:
  explicit TextBuilder(Heap& heap) : heap_(heap) {}
  TextBuilder& operator+=(std::string_view more) {
    heap_.require(text_.size() + more.size());
    text_ += more;
    return *this;
  }
  TextBuilder& operator+=(char more) { return *this += std::string_view(&more, 1); }
  void repeat(std::string_view more, std::int64_t times);
  std::size_t size() const { return text_.size(); }
  Value value(bool safe = false) { return make_text(heap_, std::move(text_), safe); }
  std::string take() { return std::move(text_); }

 private:
  Heap& heap_;
  std::string text_;
};

/// A list that grows, within the budget.
class ListBuilder {
 public:
  explicit ListBuilder(Heap& heap) : heap_(heap) {}
  void add(Value value) {
    heap_.step();
    heap_.require(items_.size() + 1, sizeof(Value));
    items_.push_back(std::move(value));
  }
  std::size_t size() const { return items_.size(); }
  std::vector<Value> take() { return std::move(items_); }
  Value list() { return make_list(heap_, std::move(items_)); }
  Value tuple() { return make_tuple(heap_, std::move(items_)); }

 private:
  Heap& heap_;
  std::vector<Value> items_;
};

/// As Python names it: "str", "list", "NoneType".
std::string_view type_name(const Value& value);

/// bool(value)
bool is_true(const Value& value);
/// a == b
bool equal(const Value& a, const Value& b);
/// a < b, a > b and so on, by the sign. Empty when nothing can be said of a NaN. @throws Failure  of types without an
/// order
std::optional<int> order(const Value& a, const Value& b, std::string_view operation);
/// @throws Failure  a list or dict
std::uint64_t hash(const Value& value);
/// len(value); empty for what has none
std::optional<std::int64_t> length_of(const Value& value);

}  // namespace trireme::data::jinja
