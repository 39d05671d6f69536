#include "models/gpt2/gpt2.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include "core/base/error.h"
#include "models/family_testing.h"

namespace trireme::models {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using namespace models::testing;

TEST(Gpt2, HoldsAsManyParametersAsThePublishedModels) {
  const auto count = [](std::int64_t layers, std::int64_t width, std::int64_t heads) {
    ModelConfig config;
    config.family = "gpt2";
    config.layers = layers;
    config.width = width;
    config.heads = heads;
    return build_model(config, 50257)->parameters().elements();
  };
  EXPECT_EQ(count(12, 768, 12), 124439808);
  EXPECT_EQ(count(24, 1024, 16), 354823168);
}

TEST(Gpt2, TheSameTokenDiffersByItsPosition) {
  const at::NoGradGuard no_grad;
  const auto model = made(small_config("gpt2"));
  const auto hidden = model->forward(at::zeros({1, 2}, at::kLong));
  EXPECT_FALSE(hidden.select(1, 0).equal(hidden.select(1, 1)));
}

TEST(Gpt2, RefusesWhatItCannotHonourAndNamesTheKey) {
  ModelConfig config = small_config("gpt2");
  config.kv_heads = 2;
  EXPECT_THAT([&] { build_model(config, kVocabulary); }, ThrowsMessage<Error>(HasSubstr("model.kv-heads")));
  config.kv_heads = config.heads;
  EXPECT_NO_THROW(build_model(config, kVocabulary));
  config.rope_base = 500;
  EXPECT_THAT([&] { build_model(config, kVocabulary); }, ThrowsMessage<Error>(HasSubstr("model.rope-base")));
}

}  // namespace
}  // namespace trireme::models
