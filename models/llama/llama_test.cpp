#include "models/llama/llama.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <gtest/gtest.h>

#include "models/family_testing.h"
#include "models/generate/kv_cache.h"

namespace trireme::models {
namespace {

using namespace models::testing;

TEST(Llama, GroupedKeysAreCachedOnceAGroup) {
  const at::NoGradGuard no_grad;
  ModelConfig config = small_config("llama");
  config.kv_heads = 2;
  const auto model = made(config);
  EXPECT_EQ(model->parameters().elements(),
            made(small_config("llama"))->parameters().elements() - 2 * 2 * config.width * config.width / 2);
  const auto tokens = at::arange(12).view({1, 12});
  const auto whole = model->forward(tokens);
  KvCache cache(model->config(), model->part(), 1, 16, at::kDouble);
  for (const std::int64_t begin : {0, 6}) {
    const auto piece = model->forward(tokens.narrow(1, begin, 6), {.cache = &cache});
    EXPECT_TRUE(at::allclose(piece, whole.narrow(1, begin, 6), 1e-9, 1e-12)) << "tokens from " << begin;
  }
}

}  // namespace
}  // namespace trireme::models
