#include "data/jinja/heap.h"

#include "core/base/text.h"

namespace trireme::data::jinja {

Heap::~Heap() {
  closing_ = true;
  for (Object* object = alive_; object != nullptr; object = object->next_) object->clear();
  while (alive_ != nullptr) delete std::exchange(alive_, alive_->next_);
}

void Heap::adopt(Object* object, std::size_t bytes) {
  object->heap_ = this;
  object->bytes_ = bytes;
  object->next_ = alive_;
  if (alive_ != nullptr) alive_->previous_ = object;
  alive_ = object;
  live_ += bytes;
}

void Heap::release(Object* object) {
  if (closing_) return;  // all go anyway, and those that hold it may be gone
  if (object->previous_ != nullptr) object->previous_->next_ = object->next_;
  if (object->next_ != nullptr) object->next_->previous_ = object->previous_;
  if (alive_ == object) alive_ = object->next_;
  object->next_ = dead_;
  dead_ = object;
  if (freeing_) return;
  freeing_ = true;
  while (dead_ != nullptr) {
    Object* next = std::exchange(dead_, dead_->next_);
    live_ -= next->bytes_;
    delete next;
  }
  freeing_ = false;
}

void Heap::out_of_steps() const {
  fail("takes more than ", budget_.steps, " steps, which is all that a rendering has");
}

void Heap::out_of_memory() const {
  fail("takes more than ", bytes_text(static_cast<double>(budget_.memory_bytes)),
       ", which is all that a rendering has");
}

}  // namespace trireme::data::jinja
