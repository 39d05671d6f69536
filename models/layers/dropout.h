#pragma once
#include <ATen/core/Tensor.h>

#include <optional>
#include <string>

#include "models/config.h"
#include "models/forward_pass.h"

namespace trireme::models {

/// One place in a model where a share of what passes is dropped while it trains, model.dropout of most. Without a key
/// in the pass, as in evaluation and serving, all passes.
class Dropout {
 public:
  /// @param site  its name, which decides its masks
  Dropout(double rate, std::string site) : site_(std::move(site)), rate_(rate) {}
  Dropout(const ModelConfig& config, std::string site) : Dropout(config.dropout, std::move(site)) {}

  /// The mask of this pass, or none.
  std::optional<DropoutMask> mask(const ForwardPass& pass) const;
  /// [B, T, C] -> [B, T, C]
  at::Tensor forward(const at::Tensor& x_btc, const ForwardPass& pass) const;

 private:
  std::string site_;
  double rate_;
};

}  // namespace trireme::models
