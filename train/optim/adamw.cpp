#include "train/optim/adamw.h"

#include <ATen/ops/zeros_like.h>

#include <cmath>

#include "train/optim/flat_math.h"

namespace trireme::train {

AdamW::AdamW(const OptimizerConfig& config, FlatParameters& parameters)
    : config_(config),
      parameters_(parameters),
      first_(at::zeros_like(parameters.masters())),
      second_(at::zeros_like(parameters.masters())) {}

void AdamW::update(std::int64_t step, double learning_rate, double gradient_scale, const at::Tensor& gradients) {
  AdamWStep numbers{learning_rate,
                    config_.weight_decay,
                    config_.beta1,
                    config_.beta2,
                    config_.epsilon,
                    gradient_scale,
                    1 - std::pow(config_.beta1, static_cast<double>(step)),
                    1 - std::pow(config_.beta2, static_cast<double>(step))};
  const auto run = [&]<class T>(T) {
    for (const auto& entry : parameters_.entries()) {
      if (entry.tied_begin >= 0) continue;
      numbers.weight_decay = entry.parameter->shape.size() >= 2 ? config_.weight_decay : 0;
      adamw_update(numbers, parameters_.masters().mutable_data_ptr<T>() + entry.begin,
                   gradients.const_data_ptr<T>() + entry.begin, first_.mutable_data_ptr<T>() + entry.begin,
                   second_.mutable_data_ptr<T>() + entry.begin, entry.count);
    }
  };
  if (parameters_.master_type() == at::kDouble)
    run(double{});
  else
    run(float{});
}

}  // namespace trireme::train
