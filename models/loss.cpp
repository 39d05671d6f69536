#include "models/loss.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <optional>

#include "models/kernels/ops.h"
#include "models/weight_access.h"

namespace trireme::models {
namespace {

// What goes into the head, and its targets in one row.
struct Scored {
  at::Tensor hidden_nc, targets_n;
};

Scored scored(const Model& model, const at::Tensor& hidden_btc, const at::Tensor& targets_bt, const ForwardPass& pass) {
  const std::int64_t texts = hidden_btc.size(0), tokens = hidden_btc.size(1), width = hidden_btc.size(2);
  const auto rows = [&](const at::Tensor& x) { return model.before_head(x, pass).view({-1, width}); };
  if (model.config().head != "classes") return {rows(hidden_btc), targets_bt.view({-1})};
  // One token stands for each text; all others go no further.
  const at::Tensor places = at::empty({texts}, at::kLong), targets = at::empty({texts}, at::kLong);
  const auto* const given = targets_bt.const_data_ptr<std::int64_t>();
  for (std::int64_t text = 0; text < texts; ++text) {
    std::int64_t token = 0;
    while (token + 1 < tokens && given[text * tokens + token] < 0) ++token;
    places.mutable_data_ptr<std::int64_t>()[text] = text * tokens + token;
    targets.mutable_data_ptr<std::int64_t>()[text] = given[text * tokens + token];
  }
  return {rows(hidden_btc.reshape({-1, width}).index_select(0, places).view({texts, 1, width})), targets};
}

std::optional<at::Tensor> bias_of(const Model& model) {
  const Parameter* const bias = model.head_bias();
  return bias ? std::optional(bias->value) : std::nullopt;
}

at::Tensor loss_of(const Model& model, const Scored& it, double scale) {
  const double softcap = model.config().classifies() ? 0 : model.config().logit_softcap;
  return ops::next_token_loss(it.hidden_nc, model.head().value, it.targets_n, scale, softcap, bias_of(model));
}

}  // namespace

at::Tensor loss(const Model& model, const at::Tensor& hidden_btc, const at::Tensor& targets_bt, double scale,
                const ForwardPass& pass) {
  const Scored it = scored(model, hidden_btc, targets_bt, pass);
  const ReadingWeights reading(pass.weights, "head");
  return loss_of(model, it, scale);
}

Score score(const Model& model, const at::Tensor& hidden_btc, const at::Tensor& targets_bt, const ForwardPass& pass) {
  const Scored it = scored(model, hidden_btc, targets_bt, pass);
  const ReadingWeights reading(pass.weights, "head");
  Score found{.loss = loss_of(model, it, 1).item<double>()};
  if (!model.config().classifies()) return found;
  const at::Tensor& head = model.head().value;
  const std::int64_t rows = it.hidden_nc.size(0),
                     step = ops::rows_of_logits(head.size(0), static_cast<std::int64_t>(head.element_size()));
  for (std::int64_t begin = 0; begin < rows; begin += step) {
    const auto some = [&](const at::Tensor& x) { return x.narrow(0, begin, std::min(step, rows - begin)); };
    const at::Tensor best = ops::linear(some(it.hidden_nc), head, bias_of(model)).argmax(-1);
    found.correct += best.eq(some(it.targets_n)).sum().item<std::int64_t>();  // -1 is the place of no score
  }
  return found;
}

}  // namespace trireme::models
