#include "models/preference.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>

#include <cmath>

#include "core/base/error.h"
#include "models/kernels/ops.h"
#include "models/weight_access.h"

namespace trireme::models {
namespace {

// What goes into the head, and its targets in one row.
struct Rows {
  at::Tensor hidden_nc, targets_n;
};

Rows rows_of(const Model& model, const at::Tensor& hidden_btc, const at::Tensor& targets_bt, const ForwardPass& pass) {
  if (!pass.documents) throw Error(ErrorCode::kBug, "preferences are documents of a pass");
  return {model.before_head(hidden_btc, pass).view({-1, hidden_btc.size(2)}), targets_bt.view({-1})};
}

std::vector<double> margins_of(const Model& model, const Rows& rows, const std::vector<Preference>& preferences,
                               const Documents& documents) {
  const at::NoGradGuard no_grad;
  const at::Tensor losses_n =
      ops::token_losses(rows.hidden_nc, model.head().value, rows.targets_n, model.config().logit_softcap);
  const auto* const losses = losses_n.const_data_ptr<double>();
  const auto of_document = [&](std::int64_t document) {
    double sum = 0;
    for (std::int64_t i = documents.begin(document); i < documents.begin(document + 1); ++i) sum += losses[i];
    return sum;
  };
  std::vector<double> margins;
  for (const Preference& preference : preferences)
    margins.push_back(of_document(preference.chosen + 1) - of_document(preference.chosen));
  return margins;
}

double log_of_sigmoid(double x) { return x > 0 ? -std::log1p(std::exp(-x)) : x - std::log1p(std::exp(x)); }
double sigmoid(double x) { return x > 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }

double loss_at(double m, const PreferenceRule& rule) {
  return -(1 - rule.label_smoothing) * log_of_sigmoid(m) - rule.label_smoothing * log_of_sigmoid(-m);
}
double slope_at(double m, const PreferenceRule& rule) {
  return -(1 - rule.label_smoothing) * sigmoid(-m) + rule.label_smoothing * sigmoid(m);
}

}  // namespace

std::vector<double> preference_margins(const Model& model, const at::Tensor& hidden_btc, const at::Tensor& targets_bt,
                                       const std::vector<Preference>& preferences, const ForwardPass& pass) {
  const Rows rows = rows_of(model, hidden_btc, targets_bt, pass);
  const ReadingWeights reading(pass.weights, "head");
  return margins_of(model, rows, preferences, *pass.documents);
}

// The gradient of a preference's loss by the losses of its tokens is one number for each of its answers, which is known
// once all of these are: so the head is gone through twice, and logits are never held.
at::Tensor preference_loss(const Model& model, const at::Tensor& hidden_btc, const at::Tensor& targets_bt,
                           const std::vector<Preference>& preferences, const PreferenceRule& rule, double scale,
                           const ForwardPass& pass) {
  const Rows rows = rows_of(model, hidden_btc, targets_bt, pass);
  const ReadingWeights reading(pass.weights, "head");
  const Documents& documents = *pass.documents;
  const std::vector<double> margins = margins_of(model, rows, preferences, documents);
  at::Tensor weights_n = at::zeros({documents.tokens()}, at::kDouble);
  auto* const weights = weights_n.mutable_data_ptr<double>();
  double sum = 0;
  for (std::size_t i = 0; i < preferences.size(); ++i) {
    const double m = rule.beta * (margins[i] - preferences[i].reference);
    sum += loss_at(m, rule);
    const double slope = rule.beta * slope_at(m, rule);  // by the rejected answer's loss; the chosen one's is opposite
    for (const std::int64_t answer : {0, 1}) {
      const std::int64_t document = preferences[i].chosen + answer;
      std::fill(weights + documents.begin(document), weights + documents.begin(document + 1),
                answer == 0 ? -slope : slope);
    }
  }
  const at::Tensor weighed = ops::next_token_loss(rows.hidden_nc, model.head().value, rows.targets_n, scale,
                                                  model.config().logit_softcap, {}, weights_n);
  return weighed + (scale * sum - weighed.item<double>());
}

Score preference_score(const Model& model, const at::Tensor& hidden_btc, const at::Tensor& targets_bt,
                       const std::vector<Preference>& preferences, const PreferenceRule& rule,
                       const ForwardPass& pass) {
  const std::vector<double> margins = preference_margins(model, hidden_btc, targets_bt, preferences, pass);
  Score score;
  for (std::size_t i = 0; i < preferences.size(); ++i) {
    const double m = rule.beta * (margins[i] - preferences[i].reference);
    score.loss += loss_at(m, rule);
    score.correct += m > 0 ? 1 : 0;
  }
  return score;
}

}  // namespace trireme::models
