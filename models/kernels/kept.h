#pragma once
#include <ATen/core/Tensor.h>

#include <utility>
#include <vector>

#include "core/base/error.h"

namespace trireme::models {

/// Results of matrix products and attention that a forward pass keeps, so that its replay in backward need not compute
/// them again. The operations themselves ask for it: whatever lies between them is made again.
class Kept {
 public:
  /// While it lives, operations of this thread keep their results in `kept`, or take what a first pass has kept there.
  class Scope {
   public:
    explicit Scope(Kept* kept) : outer_(std::exchange(current_, kept)) {}
    ~Scope() { current_ = outer_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Kept* outer_;
  };

  /// compute(), or in a replay what it gave the first time.
  template <class Compute>
  static std::vector<at::Tensor> result(Compute compute) {
    if (!current_) return compute();
    if (current_->replays_) return current_->take();
    return current_->results_.emplace_back(compute());
  }

  /// Ends the first pass.
  void start_replay() { replays_ = true; }
  /// The last result's values are read by no gradient: keeps its shape alone.
  void drop_last();

 private:
  std::vector<at::Tensor> take();

  std::vector<std::vector<at::Tensor>> results_;
  std::size_t next_ = 0;
  bool replays_ = false;
  inline static thread_local Kept* current_ = nullptr;
};

}  // namespace trireme::models
