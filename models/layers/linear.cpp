#include "models/layers/linear.h"

#include "models/kernels/ops.h"

namespace trireme::models {

Linear::Linear(ParameterList& parameters, const std::string& prefix, const ModelConfig& config, std::int64_t outputs,
               std::int64_t inputs, Init init, Bias bias, double share)
    : weight_(&parameters.add(prefix + "weight", {outputs, inputs}, init, Role::kMatrix, share)) {
  if (bias == Bias::kZeros) bias_ = &parameters.add(prefix + "bias", {outputs}, Init::zeros(), Role::kBias);
  adapter_ = Adapter::of(parameters, prefix, outputs, inputs, config);
}

at::Tensor Linear::forward(const at::Tensor& x, const ForwardPass& pass) const {
  return adapted(ops::linear(x, weight_->value, bias()), x, pass);
}

at::Tensor Linear::products(const at::Tensor& x, const ForwardPass& pass) const {
  return adapted(ops::linear(x, weight_->value), x, pass);
}

std::optional<at::Tensor> Linear::bias() const { return bias_ ? std::optional(bias_->value) : std::nullopt; }

std::vector<at::Tensor> Linear::forward_each(const std::vector<const Linear*>& layers, const at::Tensor& x,
                                             const ForwardPass& pass) {
  std::vector<at::Tensor> weights, biases;
  for (const Linear* layer : layers) {
    weights.push_back(layer->weight_->value);
    if (layer->bias_) biases.push_back(layer->bias_->value);
  }
  std::vector<at::Tensor> results = ops::linear_each(x, weights, biases);
  for (std::size_t i = 0; i < layers.size(); ++i) results[i] = layers[i]->adapted(results[i], x, pass);
  return results;
}

}  // namespace trireme::models
