#pragma once
#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "models/config.h"
#include "models/forward_pass.h"
#include "models/layers/feed_forward.h"
#include "models/layers/linear.h"

namespace trireme::models {

/// Several feed-forwards, of which each token passes those that a router finds likeliest; their results are added with
/// the router's probabilities as weights. No token is dropped, whatever the router chooses.
/// Source: Shazeer et al. 2017, arXiv:1701.06538; Jiang et al. 2024, arXiv:2401.04088, section 2.1.
class Experts {
 public:
  /// Adds prefix + "router.weight" and, for each expert, what FeedForward adds under prefix + "experts.<number>.".
  /// @throws Error kUsage when tokens are to pass more experts than there are
  Experts(ParameterList& parameters, const std::string& prefix, const ModelConfig& config,
          const FeedForward::Options& options);

  /// x [B, T, C] -> [B, T, C]
  at::Tensor forward(const at::Tensor& x_btc, const ForwardPass& pass) const;

 private:
  std::int64_t per_token_;
  bool normalise_;
  Linear router_;
  std::vector<FeedForward> experts_;
};

}  // namespace trireme::models
