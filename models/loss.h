#pragma once
#include <ATen/core/Tensor.h>

#include "models/model.h"

namespace trireme::models {

/// scale * the sum of the losses of all targets that are not negative: -log of the probability that the model gives a
/// token, or one of its labels. Of a part that ends the model.
/// @param hidden_btc  what its forward pass gave
/// @param targets_bt  int64, where hidden_btc is; with model.head classes each text has one at most, at class_place()
/// @returns a float64 scalar
at::Tensor loss(const Model& model, const at::Tensor& hidden_btc, const at::Tensor& targets_bt, double scale,
                const ForwardPass& pass = {});

/// Of an evaluation.
struct Score {
  double loss = 0;           ///< the sum
  std::int64_t correct = 0;  ///< with model.head classes or labels: targets that have the highest score
};
Score score(const Model& model, const at::Tensor& hidden_btc, const at::Tensor& targets_bt,
            const ForwardPass& pass = {});

}  // namespace trireme::models
