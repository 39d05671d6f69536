#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <string_view>

namespace trireme::models {

/// Told which part of a model a pass is about to read, and which it has read: who owns the weights' memory then need
/// not have all of them there at all times. A part goes by its name, group_of() its parameters; two passes may read
/// one.
class WeightAccess {
 public:
  enum class Pass { kForward, kBackward };

  virtual ~WeightAccess() = default;
  /// From its return to leave() the weights of `group` are there.
  /// @param pass  what it is for, and so which part comes next
  virtual void enter(std::string_view group, Pass pass) = 0;
  virtual void leave(std::string_view group) = 0;

 protected:
  WeightAccess() = default;
  WeightAccess(const WeightAccess&) = default;
  WeightAccess& operator=(const WeightAccess&) = default;
};

/// Reads a part whose weights no backward pass needs, for as long as it lives: a table, or a head whose gradients the
/// loss makes at once.
class ReadingWeights {
 public:
  ReadingWeights(WeightAccess* access, std::string_view group) : access_(access), group_(group) {
    if (access_) access_->enter(group_, WeightAccess::Pass::kForward);
  }
  ~ReadingWeights() {
    if (access_) access_->leave(group_);
  }
  ReadingWeights(const ReadingWeights&) = delete;
  ReadingWeights& operator=(const ReadingWeights&) = delete;

 private:
  WeightAccess* access_;
  std::string_view group_;
};

/// part(x), whose weights are those of `group`: entered for the forward pass and, where there is one, for the backward
/// pass, around all that lies between.
/// @param group  lives until then, as does `access`, which may be null
at::Tensor with_weights(WeightAccess* access, std::string_view group, const at::Tensor& x,
                        const std::function<at::Tensor(const at::Tensor&)>& part);

}  // namespace trireme::models
