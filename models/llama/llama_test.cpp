#include "models/llama/llama.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/randint.h>
#include <gmock/gmock.h>

#include "core/base/error.h"
#include "models/generate/kv_cache.h"
#include "models/registry.h"

namespace trireme::models {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

ModelConfig small() {
  ModelConfig config;
  config.layers = 2;
  config.width = 32;
  config.heads = 4;
  config.kv_heads = 2;
  config.context = 16;
  return config;
}

std::unique_ptr<Model> made(const ModelConfig& config, at::ScalarType type = at::kDouble) {
  auto model = build_model(config, 97);
  allocate(model->parameters(), type);
  for (Parameter& parameter : model->parameters().all()) {
    std::vector<double> values(static_cast<std::size_t>(parameter.elements()));
    initial_values(parameter, 1, 0, parameter.elements(), values.data());
    // Larger than a real start, so that attention is far from uniform.
    for (double& value : values) value *= parameter.init.kind == Init::kNormal ? 10 : 1;
    if (!parameter.tied_to) parameter.value.copy_(at::from_blob(values.data(), parameter.shape, at::kDouble));
  }
  return model;
}

TEST(Llama, CachedDecodingEqualsTheWholeForward) {
  const at::NoGradGuard no_grad;
  const auto model = made(small());
  const auto tokens = at::randint(97, {3, 12}, at::kLong);
  const auto whole = model->forward(tokens);
  KvCache cache(model->config(), 3, 16, at::kDouble);
  std::int64_t begin = 0;
  for (const std::int64_t size : {5, 1, 4, 1, 1}) {
    const auto piece = model->forward(tokens.narrow(1, begin, size), {.cache = &cache});
    EXPECT_TRUE(at::allclose(piece, whole.narrow(1, begin, size), 1e-9, 1e-12)) << "tokens from " << begin;
    begin += size;
  }
}

TEST(Llama, ATokenSeesNothingOfTheFuture) {
  const at::NoGradGuard no_grad;
  const auto model = made(small());
  auto tokens = at::randint(97, {1, 8}, at::kLong);
  const auto before = model->forward(tokens);
  tokens[0][5] = (tokens[0][5].item<std::int64_t>() + 1) % 97;
  const auto after = model->forward(tokens);
  EXPECT_TRUE(at::allclose(before.narrow(1, 0, 5), after.narrow(1, 0, 5), 0, 0));
  EXPECT_FALSE(at::allclose(before.narrow(1, 5, 3), after.narrow(1, 5, 3)));
}

TEST(Llama, TiedHeadSharesStorageAndCountsOnce) {
  const auto tied = made(small());
  EXPECT_EQ(tied->head().value.const_data_ptr(), tied->parameters().all().front().value.const_data_ptr());
  ModelConfig config = small();
  config.tie_embeddings = false;
  EXPECT_EQ(made(config)->parameters().elements(), tied->parameters().elements() + 97 * 32);
}

TEST(Llama, RefusesSizesThatDoNotFitAndNamesTheKey) {
  ModelConfig config = small();
  config.heads = 5;
  EXPECT_THAT([&] { build_model(config, 97); }, ThrowsMessage<Error>(HasSubstr("model.heads must divide model.width")));
  config = small();
  config.kv_heads = 3;
  EXPECT_THAT([&] { build_model(config, 97); }, ThrowsMessage<Error>(HasSubstr("model.kv-heads")));
  config = small();
  config.dropout = 0.1;
  EXPECT_THAT([&] { build_model(config, 97); }, ThrowsMessage<Error>(HasSubstr("model.dropout")));
  config = small();
  config.family = "lama";
  EXPECT_THAT([&] { build_model(config, 97); }, ThrowsMessage<Error>(HasSubstr("did you mean llama?")));
  EXPECT_THROW(made(small())->forward(at::randint(97, {1, 17}, at::kLong)), Error);
}

TEST(Model, JsonGivesTheSameModelBack) {
  ModelConfig config = small();
  config.tie_embeddings = false;
  const auto copy = model_from_json(model_json(config, 97), "test");
  EXPECT_EQ(model_json(copy->config(), copy->vocabulary()), model_json(config, 97));
  EXPECT_THROW(model_from_json("{}", "test"), Error);
}

TEST(Parameters, InitialValuesDependOnNameAndSeedAlone) {
  const auto model = made(small());
  const Parameter& parameter = model->parameters().all()[2];
  std::vector<float> whole(1000), part(10);
  initial_values(parameter, 3, 0, 1000, whole.data());
  initial_values(parameter, 3, 500, 10, part.data());
  EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + 500));
}

}  // namespace
}  // namespace trireme::models
