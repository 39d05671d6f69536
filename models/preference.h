#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "models/loss.h"
#include "models/model.h"

namespace trireme::models {

/// A chosen and a rejected answer to one prompt.
struct Preference {
  std::int64_t chosen = 0;  ///< its document in the pass; the next one is the rejected answer
  double reference = 0;     ///< log probability of the chosen answer less that of the rejected one, of the reference
};

/// Direct preference optimisation. With m = beta * (the model's difference of log probabilities - the reference's) the
/// loss of a preference is -log sigmoid(m), nats. Source: Rafailov et al. 2023, arXiv:2305.18290, equation 7.
struct PreferenceRule {
  double beta = 0.1;
  double label_smoothing = 0;  ///< share of preferences that are taken for the opposite: section 3.2 of its "cDPO" note
};

/// log p(chosen) - log p(rejected) of each preference: of the targets that are not negative, summed over each answer.
/// Without gradients. @param pass  with documents
std::vector<double> preference_margins(const Model& model, const at::Tensor& hidden_btc, const at::Tensor& targets_bt,
                                       const std::vector<Preference>& preferences, const ForwardPass& pass);

/// scale * the sum of the losses of the preferences; @returns a float64 scalar
at::Tensor preference_loss(const Model& model, const at::Tensor& hidden_btc, const at::Tensor& targets_bt,
                           const std::vector<Preference>& preferences, const PreferenceRule& rule, double scale,
                           const ForwardPass& pass);

/// The sum of the losses, and how many are preferred more than the reference prefers them.
Score preference_score(const Model& model, const at::Tensor& hidden_btc, const at::Tensor& targets_bt,
                       const std::vector<Preference>& preferences, const PreferenceRule& rule, const ForwardPass& pass);

}  // namespace trireme::models
