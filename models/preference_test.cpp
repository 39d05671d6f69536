#include "models/preference.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include "models/family_testing.h"

namespace trireme::models {
namespace {

// Rows of 16 that pairs of documents share, each with room behind.
const std::vector<std::int64_t> kLengths = {3, 4, 5, 2, 2, 7, 6, 3};
const std::vector<std::int64_t> kChosen = {0, 2, 5};
constexpr PreferenceRule kRule{.beta = 0.7, .label_smoothing = 0.15};

struct Batch {
  at::Tensor tokens, targets;
  std::vector<Preference> preferences;
  ForwardPass pass;
};

Batch batch() {
  Batch made;
  made.pass.documents = std::make_shared<Documents>(kLengths, 16);
  made.tokens = at::randint(testing::kVocabulary, {2, 16}, at::kLong);
  made.targets = at::randint(testing::kVocabulary, {2, 16}, at::kLong);
  auto* const targets = made.targets.mutable_data_ptr<std::int64_t>();
  const Documents& documents = *made.pass.documents;
  for (std::int64_t i = 0; i < documents.count(); ++i) targets[documents.begin(i)] = -1;  // of the prompt
  for (const std::int64_t rest : {4, 7})
    for (std::int64_t t = documents.begin(rest); t < documents.begin(rest + 1); ++t) targets[t] = -1;
  for (std::size_t i = 0; i < kChosen.size(); ++i)
    made.preferences.push_back({kChosen[i], 3.0 * static_cast<double>(i) - 2});
  return made;
}

// As its definition says, with logits and gradients of ATen's.
at::Tensor defined(const Model& model, const at::Tensor& hidden, const Batch& of, double scale) {
  const Documents& documents = *of.pass.documents;
  const at::Tensor log_probabilities = at::log_softmax(logits(model, hidden), -1).view({-1, testing::kVocabulary});
  const at::Tensor targets = of.targets.view({-1});
  const at::Tensor each = log_probabilities.gather(1, targets.clamp_min(0).unsqueeze(1)).squeeze(1) * targets.ge(0);
  const auto of_document = [&](std::int64_t i) {
    return each.narrow(0, documents.begin(i), documents.length(i)).sum();
  };
  at::Tensor sum = at::zeros_like(each[0]);
  for (const Preference& one : of.preferences) {
    const at::Tensor m = kRule.beta * (of_document(one.chosen) - of_document(one.chosen + 1) - one.reference);
    sum = sum - (1 - kRule.label_smoothing) * at::log_sigmoid(m) - kRule.label_smoothing * at::log_sigmoid(-m);
  }
  return scale * sum;
}

void learn(Model& model) {
  for (Parameter& parameter : model.parameters().all()) parameter.value.requires_grad_(true);
}

std::vector<at::Tensor> gradients(Model& model, const at::Tensor& loss) {
  for (Parameter& parameter : model.parameters().all())
    parameter.value.mutable_grad() = at::zeros_like(parameter.value);
  loss.backward();
  std::vector<at::Tensor> all;
  for (Parameter& parameter : model.parameters().all())
    if (!parameter.name.ends_with("key.bias")) all.push_back(parameter.value.grad().clone());
  return all;
}

TEST(Preference, LossAndGradientsAreThoseOfTheDefinition) {
  for (const std::string family : {"llama", "gpt2", "gemma2"}) {
    const auto model = testing::made(testing::small_config(family));
    learn(*model);
    const Batch of = batch();
    const at::Tensor loss =
        preference_loss(*model, model->forward(of.tokens, of.pass), of.targets, of.preferences, kRule, 0.25, of.pass);
    const auto got = gradients(*model, loss);
    const at::Tensor due = defined(*model, model->forward(of.tokens, of.pass), of, 0.25);
    EXPECT_NEAR(loss.item<double>(), due.item<double>(), 1e-12) << family;
    const auto expected = gradients(*model, due);
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_TRUE(got[i].allclose(expected[i], 1e-9, 1e-12)) << family << " " << i;
  }
}

TEST(Preference, ScoreCountsWhatIsPreferredMoreThanByTheReference) {
  const auto model = testing::made(testing::small_config("llama"));
  Batch of = batch();
  const at::Tensor hidden = model->forward(of.tokens, of.pass);
  const std::vector<double> margins = preference_margins(*model, hidden, of.targets, of.preferences, of.pass);
  ASSERT_EQ(margins.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) of.preferences[i].reference = margins[i] + (i == 1 ? 1 : -1);
  const Score score = preference_score(*model, hidden, of.targets, of.preferences, {.beta = 2}, of.pass);
  EXPECT_EQ(score.correct, 2);
  EXPECT_NEAR(score.loss, 2 * std::log1p(std::exp(-2.0)) + std::log1p(std::exp(2.0)), 1e-9);
}

TEST(Preference, AModelThatIsItsReferenceLosesTheLogarithmOfTwo) {
  const auto model = testing::made(testing::small_config("gpt2"), at::kFloat);
  Batch of = batch();
  const at::Tensor hidden = model->forward(of.tokens, of.pass);
  const std::vector<double> margins = preference_margins(*model, hidden, of.targets, of.preferences, of.pass);
  for (std::size_t i = 0; i < 3; ++i) of.preferences[i].reference = margins[i];
  EXPECT_DOUBLE_EQ(preference_score(*model, hidden, of.targets, of.preferences, {}, of.pass).loss, 3 * std::log(2.0));
  // However far apart the two are, numbers stay finite.
  of.preferences[0].reference = 1e6;
  of.preferences[1].reference = -1e6;
  const Score far = preference_score(*model, hidden, of.targets, of.preferences, {.beta = 10}, of.pass);
  EXPECT_TRUE(std::isfinite(far.loss));
}

}  // namespace
}  // namespace trireme::models
