// What holds for every family of the registry.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <gmock/gmock.h>

#include "core/base/error.h"
#include "models/family_testing.h"
#include "models/generate/kv_cache.h"

namespace trireme::models {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using namespace models::testing;

class Family : public ::testing::TestWithParam<std::string> {
 protected:
  const ModelConfig small = small_config(GetParam());
};
INSTANTIATE_TEST_SUITE_P(Registry, Family, ::testing::ValuesIn(decoder_names()),
                         [](const auto& info) { return info.param; });

TEST_P(Family, CachedDecodingEqualsTheWholeForward) {
  const at::NoGradGuard no_grad;
  const auto model = made(small);
  const auto tokens = at::randint(kVocabulary, {3, 12}, at::kLong);
  const auto whole = model->forward(tokens);
  KvCache cache(model->config(), model->part(), 3, 16, at::kDouble);
  std::int64_t begin = 0;
  for (const std::int64_t size : {5, 1, 4, 1, 1}) {
    const auto piece = model->forward(tokens.narrow(1, begin, size), {.cache = &cache});
    EXPECT_TRUE(at::allclose(piece, whole.narrow(1, begin, size), 1e-9, 1e-12)) << "tokens from " << begin;
    begin += size;
  }
  EXPECT_THAT([&] { model->forward(tokens.narrow(1, 0, 5), {.cache = &cache}); },
              ThrowsMessage<Error>(HasSubstr("context")));
}

TEST_P(Family, ATokenSeesNothingOfTheFuture) {
  const at::NoGradGuard no_grad;
  const auto model = made(small);
  auto tokens = at::randint(kVocabulary, {1, 8}, at::kLong);
  const auto before = model->forward(tokens);
  tokens[0][5] = (tokens[0][5].item<std::int64_t>() + 1) % kVocabulary;
  const auto after = model->forward(tokens);
  // To the bit, but for experts: what tokens share one with them decides how its products are cut.
  const double limit = small.experts.count > 0 ? 1e-12 : 0;
  EXPECT_TRUE(at::allclose(before.narrow(1, 0, 5), after.narrow(1, 0, 5), limit, limit));
  EXPECT_FALSE(at::allclose(before.narrow(1, 5, 3), after.narrow(1, 5, 3)));
}

TEST_P(Family, PartsInTurnComputeWhatTheWholeDoes) {
  const at::NoGradGuard no_grad;
  ModelConfig config = small;
  config.layers = 5;
  const auto tokens = at::randint(kVocabulary, {3, 12}, at::kLong);
  for (const bool tied : {true, false}) {
    config.tie_embeddings = tied;
    const auto whole = made(config);
    at::Tensor x = tokens;
    std::int64_t elements = 0;
    for (const Part part : {Part{0, 2}, Part{2, 3}, Part{3, 5}}) {
      const auto model = made(config, at::kDouble, part);
      EXPECT_EQ(model->begins(), part.first == 0);
      EXPECT_EQ(model->ends(), part.last == 5);
      x = model->forward(x);
      elements += model->parameters().elements();
      if (model->ends()) {
        EXPECT_TRUE(logits(*model, x).equal(logits(*whole, whole->forward(tokens))));
      }
    }
    EXPECT_EQ(elements, whole->parameters().elements() + (tied ? kVocabulary * config.width : 0))
        << "a tied head needs the embedding at both ends";
  }
}

TEST_P(Family, TiedHeadSharesStorageAndCountsOnce) {
  const auto tied = made(small);
  EXPECT_EQ(tied->head().value.const_data_ptr(), tied->parameters().all().front().value.const_data_ptr());
  ModelConfig config = small;
  config.tie_embeddings = false;
  EXPECT_EQ(made(config)->parameters().elements(), tied->parameters().elements() + kVocabulary * config.width);
}

TEST_P(Family, RefusesSizesThatDoNotFitAndNamesTheKey) {
  const auto refused = [&](auto change, const char* message) {
    ModelConfig config = small;
    change(config);
    EXPECT_THAT([&] { build_model(config, kVocabulary); }, ThrowsMessage<Error>(HasSubstr(message)));
  };
  refused([](ModelConfig& c) { c.heads = 5, c.head_width = 0; }, "model.heads must divide model.width");
  refused([](ModelConfig& c) { c.kv_heads = 3; }, "model.kv-heads");
  EXPECT_THROW(made(small)->forward(at::randint(kVocabulary, {1, small.context + 1}, at::kLong)), Error);
}

TEST_P(Family, TrainingOperationsCountEveryMatrixAndNoTable) {
  const ModelConfig& c = small;
  const std::int64_t tokens = 10;
  std::int64_t feed_forward = 0;
  const auto model = made(c);
  for (const Parameter& parameter : model->parameters().all())
    if (parameter.name.find(".feed-forward.") != std::string::npos && parameter.shape.size() == 2)
      feed_forward += parameter.name.find(".experts.") == std::string::npos
                          ? parameter.elements()
                          : parameter.elements() * c.experts.per_token / c.experts.count;
  const std::int64_t weights =
      c.layers * (2 * c.width * c.query_width() + 2 * c.width * c.key_width()) + feed_forward + kVocabulary * c.width;
  EXPECT_EQ(model->training_flops_per_token(tokens),
            6.0 * static_cast<double>(weights + c.layers * c.query_width() * tokens));
}

TEST_P(Family, DropsActivationsOfTrainingAlone) {
  ModelConfig config = small;
  config.dropout = 0.2;
  const auto model = made(config), plain = made(small);
  const auto tokens = at::randint(kVocabulary, {3, 12}, at::kLong);
  const auto whole = model->forward(tokens, {.dropout = DropoutKey{.seed = 1, .step = 5, .first_sample = 6}});
  EXPECT_FALSE(at::allclose(whole, plain->forward(tokens)));
  EXPECT_TRUE(model->forward(tokens).equal(plain->forward(tokens))) << "no key, no dropout";
  EXPECT_FALSE(
      at::allclose(whole, model->forward(tokens, {.dropout = DropoutKey{.seed = 1, .step = 6, .first_sample = 6}})));
  for (const std::int64_t sample : {0, 1, 2})
    EXPECT_TRUE(at::allclose(model->forward(tokens.narrow(0, sample, 1),
                                            {.dropout = DropoutKey{.seed = 1, .step = 5, .first_sample = 6 + sample}}),
                             whole.narrow(0, sample, 1), 1e-9, 1e-12))
        << "sample " << sample << " in a micro-batch of its own";
}

// Few rows included: products of those have a way of their own when text is decoded.
TEST_P(Family, RecomputeChangesNoBit) {
  for (const std::int64_t length : {1, 5, 12})
    for (const double dropout : {0.0, 0.2})
      for (const auto type : {at::kFloat, at::kBFloat16}) {
        ModelConfig config = small;
        config.dropout = dropout;
        const auto model = made(config, type);
        const auto tokens = at::randint(kVocabulary, {3, length}, at::kLong),
                   outer = at::randn({3, length, config.width}).to(type);
        const auto results = [&](Recompute recompute) {
          std::vector<at::Tensor> all;
          for (Parameter& parameter : model->parameters().all()) {
            parameter.value.set_requires_grad(true);
            parameter.value.mutable_grad().reset();
          }
          all.push_back(model->forward(tokens, {.dropout = DropoutKey{}, .recompute = recompute}));
          all.back().backward(outer);
          for (Parameter& parameter : model->parameters().all())
            if (parameter.value.grad().defined()) all.push_back(parameter.value.grad().clone());
          return all;
        };
        const auto plain = results(Recompute::kNone);
        EXPECT_GE(plain.size(), model->parameters().all().size()) << "all but the head have a gradient";
        for (const auto recompute : {Recompute::kSelective, Recompute::kFull}) {
          const auto again = results(recompute);
          ASSERT_EQ(again.size(), plain.size());
          for (std::size_t i = 0; i < plain.size(); ++i)
            EXPECT_TRUE(again[i].equal(plain[i]))
                << "result " << i << " of " << 3 * length << " rows, dropout " << dropout << ", " << type
                << ", recompute " << static_cast<int>(recompute);
        }
      }
}

TEST_P(Family, JsonGivesTheSameModelBack) {
  ModelConfig config = small;
  config.tie_embeddings = false;
  const auto copy = model_from_json(model_json(config, kVocabulary), "test");
  EXPECT_EQ(model_json(copy->config(), copy->vocabulary()), model_json(config, kVocabulary));
}

TEST(Registry, NamesTheNearestFamilyOfOneThatIsUnknown) {
  ModelConfig config;
  for (const std::string& family : family_names()) {
    config.family = family + "x";
    EXPECT_THAT([&] { build_model(config, kVocabulary); },
                ThrowsMessage<Error>(HasSubstr("did you mean " + family + "?")));
  }
  EXPECT_THROW(model_from_json("{}", "test"), Error);
}

TEST(Parameters, InitialValuesDependOnNameAndSeedAlone) {
  const auto model = made(small_config(decoder_names().front()));
  const Parameter& parameter = model->parameters().all()[2];
  std::vector<float> whole(1000), part(10);
  initial_values(parameter, 3, 0, 1000, whole.data());
  initial_values(parameter, 3, 500, 10, part.data());
  EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + 500));
}

}  // namespace
}  // namespace trireme::models
