#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <utility>
#include <vector>

namespace trireme::models {

/// Matrix products of a backward pass that give gradients of weights, put off: those of inputs are what a pipeline's
/// stage before waits for, and these can fill its time later. The same products on the same numbers, so no bit differs.
/// Source: Qi et al. 2023, arXiv:2401.10241.
class PutOff {
 public:
  struct Product {
    std::vector<at::Tensor> weights;  ///< leaves of autograd
    std::function<std::vector<at::Tensor>()> gradients;
  };

  /// While it lives, linear operations in backward passes of this thread leave the gradients of their matrices here.
  class Scope {
   public:
    explicit Scope(PutOff& put_off) : outer_(std::exchange(current_, &put_off)) {}
    ~Scope() { current_ = outer_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    PutOff* outer_;
  };

  /// That of this thread's scope, or null.
  static PutOff* current() { return current_; }

  void add(Product product) { products_.push_back(std::move(product)); }
  /// What was put off, in order; nothing is left.
  std::vector<Product> take() { return std::exchange(products_, {}); }

 private:
  std::vector<Product> products_;
  inline static thread_local PutOff* current_ = nullptr;
};

}  // namespace trireme::models
