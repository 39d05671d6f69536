#include "models/generate/generate.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/from_blob.h>
#include <gmock/gmock.h>

#include "core/base/error.h"
#include "models/registry.h"

namespace trireme::models {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::ThrowsMessage;
using Ids = std::vector<std::int64_t>;

constexpr SamplingOptions kLikeliest{.temperature = 0};

class Generate : public ::testing::Test {
 protected:
  Generate() {
    ModelConfig config;
    config.layers = 2;
    config.width = 32;
    config.heads = 4;
    config.context = 16;
    model_ = build_model(config, 61);
    allocate(model_->parameters(), at::kDouble);
    for (Parameter& parameter : model_->parameters().all()) {
      std::vector<double> values(static_cast<std::size_t>(parameter.elements()));
      initial_values(parameter, 1, 0, parameter.elements(), values.data());
      if (!parameter.tied_to) parameter.value.copy_(at::from_blob(values.data(), parameter.shape, at::kDouble));
    }
  }

  Continuation run(const Ids& prompt, std::int64_t max_tokens, const Ids& stops = {}) {
    drawn_.clear();
    return generate(*model_, prompt, max_tokens, kLikeliest, stops, [&](std::int64_t token) {
      drawn_.push_back(token);
      return true;
    });
  }

  std::unique_ptr<Model> model_;
  Ids drawn_;
};

TEST_F(Generate, TakesWhatTheWholeForwardFindsLikeliest) {
  const at::NoGradGuard no_grad;
  EXPECT_EQ(run({3, 1, 4}, 6).tokens, 6);
  Ids text = {3, 1, 4};
  for (const std::int64_t token : drawn_) {
    const at::Tensor hidden =
        model_->forward(at::from_blob(text.data(), {1, static_cast<std::int64_t>(text.size())}, at::kLong));
    EXPECT_EQ(at::argmax(logits(*model_, hidden.select(1, hidden.size(1) - 1))).item<std::int64_t>(), token);
    text.push_back(token);
  }
}

TEST_F(Generate, EndsAtTheLimitOrTheContextOrTheStopToken) {
  EXPECT_EQ(run({3, 1, 4}, 5).reason, "length");
  EXPECT_THAT(drawn_, SizeIs(5));
  const Ids five = drawn_;
  EXPECT_EQ(run({3, 1, 4}, 100).tokens, 13) << "a context of 16";
  const auto stopped = run({3, 1, 4}, 5, {60, five[0]});
  EXPECT_EQ(stopped.reason, "stop");
  EXPECT_EQ(stopped.stop, five[0]);
  EXPECT_EQ(stopped.tokens, 0);
  EXPECT_THAT(drawn_, SizeIs(0)) << "the stop token is not emitted";
}

TEST_F(Generate, WhoeverTakesTheTokensMayInterrupt) {
  int taken = 0;
  const auto done = generate(*model_, {3}, 10, kLikeliest, {}, [&](std::int64_t) { return ++taken < 3; });
  EXPECT_EQ(done.reason, "interrupted");
  EXPECT_EQ(done.tokens, 3);
}

TEST_F(Generate, APromptThatFillsTheContextIsRefused) {
  EXPECT_THAT([&] { run(Ids(16, 1), 1); }, ThrowsMessage<Error>(HasSubstr("has 16 tokens")));
}

}  // namespace
}  // namespace trireme::models
