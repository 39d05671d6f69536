#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include <map>

#include "core/base/error.h"
#include "models/family_testing.h"
#include "models/loss.h"

namespace trireme::models {
namespace {

using Gradients = std::map<std::string, at::Tensor>;

void learn(Model& model) {
  for (Parameter& parameter : model.parameters().all()) {
    parameter.value.requires_grad_(true);
    parameter.value.mutable_grad() = at::zeros_like(parameter.value);
  }
}

Gradients taken(Model& model) {
  Gradients gradients;
  for (Parameter& parameter : model.parameters().all()) {
    gradients[parameter.name] = parameter.value.grad().clone();
    parameter.value.mutable_grad().zero_();
  }
  return gradients;
}

// Targets of each document: what follows, -1 behind its end and for every third token.
at::Tensor targets_of(const at::Tensor& tokens_t, const std::vector<std::int64_t>& lengths) {
  at::Tensor targets = at::full_like(tokens_t, -1);
  std::int64_t begin = 0;
  for (const std::int64_t length : lengths) {
    for (std::int64_t i = 0; i + 1 < length; ++i)
      if (i % 3 != 1) targets[begin + i] = tokens_t[begin + i + 1];
    begin += length;
  }
  return targets;
}

struct Case {
  std::vector<std::int64_t> lengths;
  std::int64_t row;
};

// Documents of one token, as long as a row, longer than windows and panels of kernels.
const std::vector<Case> kCases = {{{5, 1, 10, 16, 3, 13, 8, 8}, 16}, {{40, 129, 7, 16, 192}, 192}};

struct Passed {
  at::Tensor hidden_nc;
  double loss = 0;
  Gradients gradients;
};

Passed together(Model& model, const at::Tensor& tokens_n, const Case& of, Recompute recompute) {
  ForwardPass pass{.recompute = recompute, .documents = std::make_shared<Documents>(of.lengths, of.row)};
  const at::Tensor hidden = model.forward(tokens_n.view({-1, of.row}), pass);
  const at::Tensor sum = loss(model, hidden, targets_of(tokens_n, of.lengths).view({-1, of.row}), 1, pass);
  sum.backward();
  return {hidden.detach().flatten(0, 1), sum.item<double>(), taken(model)};
}

Passed alone(Model& model, const at::Tensor& tokens_n, const Case& of) {
  std::vector<at::Tensor> hidden;
  double losses = 0;
  const at::Tensor targets = targets_of(tokens_n, of.lengths);
  std::int64_t begin = 0;
  for (const std::int64_t length : of.lengths) {
    hidden.push_back(model.forward(tokens_n.narrow(0, begin, length).unsqueeze(0)));
    const at::Tensor sum = loss(model, hidden.back(), targets.narrow(0, begin, length).unsqueeze(0), 1);
    sum.backward();
    losses += sum.item<double>();
    hidden.back() = hidden.back().detach()[0];
    begin += length;
  }
  return {at::cat(hidden), losses, taken(model)};
}

double difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).norm().item<double>() / std::max(1e-30, b.norm().item<double>());
}

ModelConfig config_of(const std::string& family, std::int64_t context) {
  ModelConfig config = testing::small_config(family);
  config.context = context;
  return config;
}

TEST(DocumentsTest, TogetherAreWhatEachIsAlone) {
  for (const std::string& family : decoder_names())
    for (const Case& of : kCases)
      for (const Recompute recompute : {Recompute::kNone, Recompute::kSelective, Recompute::kFull}) {
        const auto model = testing::made(config_of(family, of.row));
        learn(*model);
        const std::int64_t count = Documents(of.lengths, of.row).tokens();
        const at::Tensor tokens = at::randint(testing::kVocabulary, {count}, at::kLong);
        const Passed here = together(*model, tokens, of, recompute), due = alone(*model, tokens, of);
        EXPECT_LT(difference(here.hidden_nc, due.hidden_nc), 1e-12) << family;
        EXPECT_NEAR(here.loss / due.loss, 1, 1e-12) << family;
        for (const auto& [name, gradient] : due.gradients) {
          if (name.ends_with("key.bias")) continue;  // adds the same to all scores of a query: 0 but for rounding
          EXPECT_LT(difference(here.gradients.at(name), gradient), 1e-10) << family << " " << name;
        }
      }
}

// A matrix product's rows and plain attention know nothing of what lies beside them.
TEST(DocumentsTest, HaveTheSameBitsAlone) {
  for (const std::string family : {"llama", "gpt2", "qwen3"})
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16})
      for (const Case& of : kCases) {
        const auto model = testing::made(config_of(family, of.row), type);
        learn(*model);
        const std::int64_t count = Documents(of.lengths, of.row).tokens();
        const at::Tensor tokens = at::randint(testing::kVocabulary, {count}, at::kLong);
        EXPECT_TRUE(together(*model, tokens, of, Recompute::kNone).hidden_nc.equal(alone(*model, tokens, of).hidden_nc))
            << family << " " << type;
      }
}

TEST(DocumentsTest, LongOnesTurnByTheirOwnAngles) {
  ModelConfig config = config_of("phi3", 192);
  config.rope_share = 1;
  config.rope_scaling.type = "longrope";
  config.rope_scaling.original_context = 64;
  config.rope_scaling.short_factors = "1,1.1,1.2,1.3";
  config.rope_scaling.long_factors = "2,3,4,5";
  const auto model = testing::made(config);
  learn(*model);
  const Case& of = kCases[1];
  const at::Tensor tokens = at::randint(testing::kVocabulary, {Documents(of.lengths, of.row).tokens()}, at::kLong);
  EXPECT_LT(difference(together(*model, tokens, of, Recompute::kNone).hidden_nc, alone(*model, tokens, of).hidden_nc),
            1e-12);
}

TEST(DocumentsTest, MayShareARowLongerThanTheContext) {
  for (const std::string family : {"llama", "gpt2"}) {
    const auto model = testing::made(config_of(family, 16));
    const auto pass = [](std::vector<std::int64_t> lengths) {
      return ForwardPass{.documents = std::make_shared<Documents>(lengths, 32)};
    };
    const at::Tensor tokens = at::randint(testing::kVocabulary, {1, 32}, at::kLong);
    EXPECT_NO_THROW(model->forward(tokens, pass({16, 16})));
    EXPECT_THROW(model->forward(tokens, pass({15, 17})), Error);
  }
}

TEST(DocumentsTest, FillRowsOrAreRefused) {
  EXPECT_NO_THROW(Documents({3, 5, 8}, 8));
  EXPECT_THROW(Documents({3, 6, 7}, 8), Error);  // across rows
  EXPECT_THROW(Documents({3, 4}, 8), Error);     // a row that is not full
  EXPECT_THROW(Documents({8, 0}, 8), Error);
  EXPECT_THROW(Documents({}, 8), Error);
  EXPECT_EQ(Documents({2, 1}, 3).positions()[1].item<std::int64_t>(), 1);
  EXPECT_EQ(Documents({2, 1}, 3).positions()[2].item<std::int64_t>(), 0);
}

}  // namespace
}  // namespace trireme::models
