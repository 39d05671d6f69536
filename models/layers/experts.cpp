#include "models/layers/experts.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/topk.h>

#include "core/base/error.h"
#include "models/kernels/ops.h"
#include "models/layers/initial.h"

namespace trireme::models {

Experts::Experts(ParameterList& parameters, const std::string& prefix, const ModelConfig& config,
                 const FeedForward::Options& options)
    : per_token_(config.experts.per_token),
      normalise_(config.experts.normalise),
      router_(parameters, prefix + "router.", config, config.experts.count, config.width, initial(config),
              Linear::Bias::kNone) {
  if (per_token_ > config.experts.count)
    throw Error(ErrorCode::kUsage, "model.experts.per-token must be at most model.experts.count ", config.experts.count,
                ", got ", per_token_);
  FeedForward::Options one = options;
  one.inner = config.experts.ffn;
  one.share = static_cast<double>(per_token_) / static_cast<double>(config.experts.count);
  experts_.reserve(static_cast<std::size_t>(config.experts.count));
  for (std::int64_t expert = 0; expert < config.experts.count; ++expert)
    experts_.emplace_back(parameters, prefix + "experts." + std::to_string(expert) + ".", config, one);
}

at::Tensor Experts::forward(const at::Tensor& x_btc, const ForwardPass& pass) const {
  const at::Tensor x_nc = x_btc.flatten(0, -2);
  // In float32 at least: a probability of bfloat16 has three digits.
  const at::Tensor scores_ne = router_.forward(x_nc, pass);
  const at::Tensor likely_ne =
      at::softmax(scores_ne, -1, scores_ne.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
  auto [weights_nk, chosen_nk] = at::topk(likely_ne, per_token_);
  if (normalise_) weights_nk = weights_nk / weights_nk.sum(-1, /*keepdim=*/true);
  const ops::Routing routing(chosen_nk, static_cast<std::int64_t>(experts_.size()));
  const at::Tensor routed = ops::routed(x_nc, routing);
  std::vector<at::Tensor> results;
  for (std::size_t expert = 0; expert < experts_.size(); ++expert)
    results.push_back(experts_[expert].forward(
        routed.narrow(0, routing.begin(expert), routing.begin(expert + 1) - routing.begin(expert)), pass));
  return ops::mixed(at::cat(results), weights_nk, routing).view(x_btc.sizes());
}

}  // namespace trireme::models
