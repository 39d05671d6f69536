#include "models/loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/zeros_like.h>
#include <gmock/gmock.h>

#include <cmath>
#include <map>

#include "core/base/error.h"
#include "models/family_testing.h"

namespace trireme::models {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using namespace models::testing;

constexpr std::int64_t kLabels = 3, kTokens = 9;

ModelConfig headed(const std::string& family, const std::string& head) {
  ModelConfig config = small_config(family);
  config.head = head;
  config.labels = {"a", "b", "c"};
  return config;
}

// Texts of several lengths, filled up with anything, and what is asked for of them.
struct Texts {
  at::Tensor tokens = at::randint(kVocabulary, {4, kTokens}, at::kLong);
  std::vector<std::int64_t> lengths = {9, 1, 4, 7};
  at::Tensor targets = at::full({4, kTokens}, -1, at::kLong);

  Texts(const Model& model) {
    for (std::int64_t text = 0; text < 4; ++text) {
      const std::int64_t length = lengths[static_cast<std::size_t>(text)];
      if (model.config().head == "classes")
        targets[text][model.class_place({tokens[text].data_ptr<std::int64_t>(), static_cast<std::size_t>(length)})] =
            text % kLabels;
      else
        for (std::int64_t token = 0; token < length; token += 2) targets[text][token] = (text + token) % kLabels;
    }
  }
  at::Tensor lengths_b() { return at::from_blob(lengths.data(), {4}, at::kLong); }
};

using Gradients = std::map<std::string, at::Tensor>;

Gradients taken(Model& model) {
  Gradients gradients;
  for (Parameter& parameter : model.parameters().all()) {
    const at::Tensor& gradient = parameter.value.grad();
    gradients[parameter.name] = gradient.defined() ? gradient.clone() : at::zeros_like(parameter.value);
    parameter.value.mutable_grad().reset();
  }
  return gradients;
}

class Heads : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {
 protected:
  const ModelConfig config_ = headed(std::get<0>(GetParam()), std::get<1>(GetParam()));
};
INSTANTIATE_TEST_SUITE_P(Families, Heads,
                         ::testing::Combine(::testing::Values("bert", "llama", "gemma2", "gpt2", "mixtral"),
                                            ::testing::Values("classes", "labels")),
                         [](const auto& info) { return std::get<0>(info.param) + "_" + std::get<1>(info.param); });

TEST_P(Heads, LearnFromFilledUpTextsWhatTheyLearnFromEachAlone) {
  const auto model = made(config_);
  for (Parameter& parameter : model->parameters().all()) parameter.value.requires_grad_(true);
  Texts texts(*model);
  const double scale = 0.3;
  const ForwardPass pass{.lengths = texts.lengths_b()};
  const at::Tensor together = loss(*model, model->forward(texts.tokens, pass), texts.targets, scale, pass);
  together.backward();
  const Gradients of_all = taken(*model);
  const Score found = score(*model, model->forward(texts.tokens, pass).detach(), texts.targets, pass);

  double alone = 0, defined = 0;
  std::int64_t hits = 0;
  for (std::int64_t text = 0; text < 4; ++text) {
    const std::int64_t length = texts.lengths[static_cast<std::size_t>(text)];
    const auto cut = [&](const at::Tensor& x) { return x.narrow(0, text, 1).narrow(1, 0, length).contiguous(); };
    const at::Tensor hidden = model->forward(cut(texts.tokens)), targets = cut(texts.targets);
    const at::Tensor one = loss(*model, hidden, targets, scale);
    one.backward();
    alone += one.item<double>();
    // By the definition, from the scores of each token.
    const at::Tensor likely = at::log_softmax(logits(*model, hidden), -1);
    ASSERT_EQ(likely.size(2), kLabels);
    for (std::int64_t token = 0; token < length; ++token) {
      const auto target = targets[0][token].item<std::int64_t>();
      if (target < 0) continue;
      defined -= scale * likely[0][token][target].item<double>();
      hits += likely[0][token].argmax().item<std::int64_t>() == target ? 1 : 0;
    }
  }
  EXPECT_NEAR(together.item<double>(), alone, 1e-12);
  EXPECT_NEAR(together.item<double>(), defined, 1e-12);
  EXPECT_EQ(found.correct, hits);
  EXPECT_NEAR(found.loss * scale, alone, 1e-12);
  double largest = 0;
  for (const auto& [name, gradient] : taken(*model)) {
    EXPECT_LT((gradient - of_all.at(name)).abs().max().item<double>(), 1e-12) << name;
    if (name == "head.weight") largest = gradient.abs().max().item<double>();
  }
  EXPECT_GT(largest, 1e-3) << "the head learns";
}

TEST_P(Heads, HaveTheSlopesOfTheirLoss) {
  const auto model = made(config_);
  for (Parameter& parameter : model->parameters().all()) parameter.value.requires_grad_(true);
  Texts texts(*model);
  const ForwardPass pass{.lengths = texts.lengths_b()};
  const auto now = [&] { return loss(*model, model->forward(texts.tokens, pass), texts.targets, 1, pass); };
  now().backward();
  const Gradients gradients = taken(*model);
  double square = 0;
  for (const auto& [name, gradient] : gradients) square += gradient.pow(2).sum().item<double>();
  // Along the gradient the slope is its length.
  const double step = 1e-6;
  const auto moved = [&](double by) {
    for (Parameter& parameter : model->parameters().all())
      parameter.value = (parameter.value.detach() + by / std::sqrt(square) * gradients.at(parameter.name));
    return now().item<double>();
  };
  const double ahead = moved(step), behind = moved(-2 * step);
  EXPECT_NEAR((ahead - behind) / (2 * step) / std::sqrt(square), 1, 1e-5);
}

TEST(Heads, NeedLabelsAndAFamilyThatHasThem) {
  const auto refused = [](const ModelConfig& config, const char* why) {
    EXPECT_THAT([&] { build_model(config, kVocabulary); }, ThrowsMessage<Error>(HasSubstr(why)));
  };
  ModelConfig config = headed("llama", "classes");
  config.labels = {"a"};
  refused(config, "model.labels must name 2 to 65536 for model.head classes, got 1");
  config = small_config("llama");
  config.labels = {"a", "b"};
  refused(config, "model.labels has no meaning without model.head classes or labels");
  refused(headed("t5", "classes"), "model.head must be language for family t5, got classes");
  config = headed("llama", "classes");
  config.head = "none";
  config.labels.clear();
  refused(config, "model.head must be language or classes or labels for family llama, got none");
  config = headed("llama", "labels");
  config.lora.rank = 2;
  refused(config, "model.lora.rank must be 0 for model.head labels");
}

}  // namespace
}  // namespace trireme::models
