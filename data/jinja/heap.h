#pragma once
#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>
#include <utility>

#include "data/jinja/budget.h"

namespace trireme::data::jinja {

/// What a template or its input did wrong, on its way to the edge of the engine, which adds the file and the line.
struct Failure {
  std::string text;
};

template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw Failure{(std::ostringstream{} << ... << parts).str()};
}

class Heap;

/// A value too large to be copied, or one with an identity: counted by those who hold it and freed with the last.
class Object {
 public:
  Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  virtual ~Object() = default;
  /// Lets go of the values it holds: at the end of a rendering, when some may hold each other in a ring.
  virtual void clear() noexcept {}
  /// What stands behind the type where it is printed.
  virtual std::string described() const { return " object"; }

  Heap& heap() const { return *heap_; }
  void use() { ++uses_; }
  inline void drop();

 private:
  friend class Heap;
  Heap* heap_ = nullptr;
  Object* previous_ = nullptr;
  Object* next_ = nullptr;
  std::size_t bytes_ = 0;
  std::uint64_t uses_ = 0;
};

/// A counted pointer. Not atomic: a rendering is one thread's.
template <class T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(T* object) : object_(object) {
    if (object_ != nullptr) object_->use();
  }
  Ref(const Ref& other) : Ref(other.object_) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ != nullptr) object_->drop();
  }

  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  T* object_ = nullptr;
};

/// Owner of all objects of one rendering, and keeper of its budget.
class Heap {
 public:
  explicit Heap(const Budget& budget)
      : budget_(budget), memory_limit_(budget.memory_bytes), steps_limit_(budget.steps) {}
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;
  ~Heap();

  /// Pays for work. @throws Failure  nothing is left
  void step(std::uint64_t count = 1) {
    if (count > steps_limit_ - steps_) out_of_steps();
    steps_ += count;
  }
  /// Pays for `bytes` being read or written once.
  void step_bytes(std::size_t bytes) { step(1 + bytes / 32); }

  /// Whether `bytes` more would fit, which is asked before they are taken. @throws Failure
  void require(std::size_t bytes) const {
    if (bytes > memory_limit_ || live_ > memory_limit_ - bytes) out_of_memory();
  }
  /// count * size, where the product may be more than any number holds. @throws Failure
  void require(std::size_t count, std::size_t size) const {
    if (size != 0 && count > memory_limit_ / size) out_of_memory();
    require(count * size);
  }

  /// @param bytes  that the object holds beside itself
  template <class T, class... Args>
  Ref<T> make(std::size_t bytes, Args&&... args) {
    step_bytes(bytes);
    require(bytes);
    require(sizeof(T) + bytes);
    Ref<T> object(new T(std::forward<Args>(args)...));
    adopt(object.get(), sizeof(T) + bytes);
    return object;
  }
  /// An object that lives has grown. @throws Failure  it must not have
  void grow(Object& object, std::size_t bytes) {
    require(bytes);
    object.bytes_ += bytes;
    live_ += bytes;
  }
  /// What lives by now is the input, and does not count.
  void free_of_charge() {
    memory_limit_ = live_ > SIZE_MAX - budget_.memory_bytes ? SIZE_MAX : live_ + budget_.memory_bytes;
    steps_limit_ = budget_.steps;
    steps_ = 0;
  }
  /// Without limits, for the input.
  void lift_limits() {
    memory_limit_ = SIZE_MAX;
    steps_limit_ = UINT64_MAX;
  }

  const Budget& budget() const { return budget_; }

  /// One level of recursion. @throws Failure  beyond kMaxNesting
  class Nesting {
   public:
    explicit Nesting(Heap& heap) : heap_(heap) {
      if (heap_.depth_ >= kMaxNesting)
        fail("nests deeper than ", kMaxNesting, " levels of expressions, blocks and calls");
      ++heap_.depth_;
    }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;
    ~Nesting() { --heap_.depth_; }

   private:
    Heap& heap_;
  };

 private:
  friend class Object;
  void adopt(Object* object, std::size_t bytes);
  void release(Object* object);
  [[noreturn]] void out_of_steps() const;
  [[noreturn]] void out_of_memory() const;

  Budget budget_;
  std::size_t memory_limit_;
  std::size_t live_ = 0;
  std::uint64_t steps_limit_;
  std::uint64_t steps_ = 0;
  int depth_ = 0;
  Object* alive_ = nullptr;  // a list, linked in the objects
  Object* dead_ = nullptr;   // to be freed by the release that runs: a long chain must not recurse
  bool freeing_ = false;
  bool closing_ = false;
};

inline void Object::drop() {
  if (--uses_ == 0) heap_->release(this);
}

}  // namespace trireme::data::jinja
