#pragma once
#include <torch/csrc/autograd/custom_function.h>

#include <utility>

namespace trireme::models {

/// What an autograd Function keeps between forward and backward beside tensors: one value of any type.
template <class Value>
struct Held final : torch::CustomClassHolder {
  explicit Held(Value value) : value(std::move(value)) {}
  Value value;
};

template <class Value>
void hold(torch::autograd::AutogradContext* context, Value value) {
  context->saved_data["held"] = c10::IValue::make_capsule(c10::make_intrusive<Held<Value>>(std::move(value)));
}

/// What hold() was given, of the same type.
template <class Value>
Value& held(torch::autograd::AutogradContext* context) {
  return static_cast<Held<Value>&>(*context->saved_data["held"].toCapsule()).value;
}

}  // namespace trireme::models
