#pragma once
#include <ATen/core/Tensor.h>

#include <utility>
#include <vector>

#include "core/base/error.h"

namespace trireme::models {

/// A forward pass that backward replays, and the results of matrix products and attention that it keeps, so that the
/// replay need not compute them again. The operations themselves ask for it: whatever lies between them is made again.
class Kept {
 public:
  /// @param keeps  whether results are kept; else the replay computes all of them again
  explicit Kept(bool keeps) : keeps_(keeps) {}

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
    if (!current_ || !current_->keeps_) return compute();
    if (current_->replays_) return current_->take();
    return current_->results_.emplace_back(compute());
  }

  /// Whether this thread is in such a pass. In the first, autograd is off, and yet operations have to compute what they
  /// will in the replay, to the bit.
  static bool in_pass() { return current_ != nullptr; }

  /// Ends the first pass.
  void start_replay() { replays_ = true; }
  /// The last result's values are read by no gradient: keeps its shape alone.
  void drop_last();
  /// Ends the replay. @throws Error kBug unless all that was kept has been taken
  void end_replay() const;

 private:
  std::vector<at::Tensor> take();

  std::vector<std::vector<at::Tensor>> results_;
  std::size_t next_ = 0;
  bool keeps_, replays_ = false;
  inline static thread_local Kept* current_ = nullptr;
};

}  // namespace trireme::models
