#include "data/jinja/iteration.h"

#include "data/jinja/interpreter.h"
#include "data/tokenizer/utf8.h"

namespace trireme::data::jinja {
namespace {

class TextIterator final : public Iterator {
 public:
  explicit TextIterator(Value text) : Iterator("str_iterator"), text_(std::move(text)) {}
  void clear() noexcept override { text_ = {}; }
  std::optional<Value> next(Interpreter& interpreter) override {
    const std::string_view rest = std::string_view(text_.text()).substr(at_);
    if (rest.empty()) return std::nullopt;
    const std::size_t size = utf8_step(rest).size;
    at_ += size;
    return interpreter.text(std::string(rest.substr(0, size)));
  }

 private:
  Value text_;
  std::size_t at_ = 0;
};

/// What has a length and gives items by number.
class IndexIterator final : public Iterator {
 public:
  explicit IndexIterator(Value of) : Iterator("iterator"), of_(std::move(of)) {}
  void clear() noexcept override { of_ = {}; }
  std::optional<Value> next(Interpreter&) override {
    if (at_ >= length_of(of_).value_or(0)) return std::nullopt;
    const auto index = static_cast<std::size_t>(at_++);
    switch (of_.kind()) {
      case Kind::kDict:
        return of_.object<Dict>().entries[index].first;
      case Kind::kView:
        return of_.object<View>().at(index);
      case Kind::kRange:
        return Value(of_.object<Range>().at(static_cast<std::int64_t>(index)));
      default:
        return of_.items()[index];
    }
  }

 private:
  Value of_;
  std::int64_t at_ = 0;
};

class WalkIterator final : public Iterator {
 public:
  WalkIterator(std::string_view type, std::vector<Value> items) : Iterator(type), items_(std::move(items)) {}
  void clear() noexcept override { items_.clear(); }
  std::optional<Value> next(Interpreter&) override {
    if (at_ >= items_.size()) return std::nullopt;
    return items_[at_++];
  }

 private:
  std::vector<Value> items_;
  std::size_t at_ = 0;
};

class MappedIterator final : public Iterator {
 public:
  MappedIterator(Value source, Change change)
      : Iterator("generator"), source_(std::move(source)), change_(std::move(change)) {}
  void clear() noexcept override {
    source_ = {};
    change_ = nullptr;
    walk_ = {};
  }
  std::optional<Value> next(Interpreter& interpreter) override {
    const Heap::Nesting deeper(interpreter.heap());
    if (!walk_) walk_ = iterate(interpreter.heap(), source_);
    while (auto item = walk_->next(interpreter)) {
      interpreter.heap().step();
      if (auto changed = change_(interpreter, std::move(*item))) return changed;
    }
    return std::nullopt;
  }

 private:
  Value source_;
  Change change_;
  Ref<Iterator> walk_;
};

class DeferredIterator final : public Iterator {
 public:
  explicit DeferredIterator(Make make) : Iterator("generator"), make_(std::move(make)) {}
  void clear() noexcept override {
    make_ = nullptr;
    items_.clear();
  }
  std::optional<Value> next(Interpreter& interpreter) override {
    const Heap::Nesting deeper(interpreter.heap());
    if (make_) items_ = std::exchange(make_, nullptr)(interpreter);
    if (at_ >= items_.size()) return std::nullopt;
    return items_[at_++];
  }

 private:
  Make make_;
  std::vector<Value> items_;
  std::size_t at_ = 0;
};

template <class T, class... Args>
Value iterator_value(Heap& heap, Args&&... args) {
  return Value(Kind::kIterator, heap.make<T>(64, std::forward<Args>(args)...));
}

}  // namespace

Ref<Iterator> iterate(Heap& heap, const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return Ref<Iterator>(heap.make<WalkIterator>(0, "generator", std::vector<Value>{}).get());
    case Kind::kText:
      return Ref<Iterator>(heap.make<TextIterator>(0, value).get());
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
    case Kind::kView:
    case Kind::kRange:
      return Ref<Iterator>(heap.make<IndexIterator>(0, value).get());
    case Kind::kIterator:
      return Ref<Iterator>(&value.object<Iterator>());
    default:
      fail("a value of type ", type_name(value), " cannot be walked");
  }
}

bool is_iterable(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kText:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
    case Kind::kView:
    case Kind::kRange:
    case Kind::kIterator:
    case Kind::kLoop:
      return true;
    default:
      return false;
  }
}

std::vector<Value> listed(Interpreter& interpreter, const Value& value) {
  ListBuilder items(interpreter.heap());
  const Ref<Iterator> walk = iterate(interpreter.heap(), value);
  while (auto item = walk->next(interpreter)) items.add(std::move(*item));
  return items.take();
}

Value make_mapped(Heap& heap, Value source, Change change) {
  return iterator_value<MappedIterator>(heap, std::move(source), std::move(change));
}

Value make_deferred(Heap& heap, Make make) { return iterator_value<DeferredIterator>(heap, std::move(make)); }

Value make_walk(Heap& heap, std::string_view type_name, std::vector<Value> items) {
  return iterator_value<WalkIterator>(heap, type_name, std::move(items));
}

}  // namespace trireme::data::jinja
