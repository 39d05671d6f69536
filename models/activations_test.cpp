#include "models/activations.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/randint.h>
#include <gtest/gtest.h>

#include "models/family_testing.h"
#include "models/kernels/block_cache_testing.h"
#include "models/kernels/ops.h"

namespace trireme::models {
namespace {

// Counted where tensors' memory comes from.
using Activations = CachedMemory;

TEST_F(Activations, AreWhatAPassHolds) {
  constexpr std::int64_t kSequences = 1, kLength = 256;
  for (const std::string& family : decoder_names())
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16})
      for (const double dropout : {0.0, 0.1})
        for (const Recompute recompute : {Recompute::kNone, Recompute::kSelective, Recompute::kFull}) {
          ModelConfig config = testing::small_config(family);
          config.layers = 3;
          config.experts.layers = "all";
          config.width = 512;
          config.heads = 8;
          config.kv_heads = family == "gpt2" || family == "gpt_neox" ? 0 : 2;
          config.ffn = 1280;
          config.context = kLength;
          config.dropout = dropout;
          const auto model = testing::made(config, type);
          const ActivationBytes planned = activation_bytes(
              *model, {kSequences, kLength, static_cast<std::int64_t>(at::elementSize(type)), recompute, dropout > 0});
          const at::Tensor tokens = at::randint(97, {kSequences, kLength}, at::kLong);
          for (Parameter& parameter : model->parameters().all()) parameter.value.requires_grad_(true);
          ForwardPass pass{.recompute = recompute};
          if (dropout > 0) pass.dropout = DropoutKey{};
          {
            const at::NoGradGuard no_grad;
            model->forward(tokens);  // tables of angles are made once
          }
          const std::int64_t before = block_cache_counts().bytes;
          at::Tensor loss;
          {
            const at::Tensor hidden = model->forward(tokens, pass).flatten(0, 1);
            loss = ops::next_token_loss(hidden, model->head().value, tokens.view({-1}), 1);
          }
          const auto held = static_cast<double>(block_cache_counts().bytes - before);
          const double due = 3 * planned.block + planned.end;
          EXPECT_NEAR(held / due, 1, 0.03) << family << " " << type << ", dropout " << dropout << ", recompute "
                                           << static_cast<int>(recompute) << ": " << held << " of " << due;
          // One layer after the other: what is held goes as gradients come, which stay here.
          restart_most_bytes();
          const std::int64_t now = block_cache_counts().bytes;
          loss.backward();
          loss.reset();
          const auto most = static_cast<double>(block_cache_counts().most_bytes - now);
          const double weights =
              static_cast<double>(model->parameters().elements()) * static_cast<double>(at::elementSize(type));
          // Kernels' scratch, which differs by the machine, is no part of the plan.
          EXPECT_LE(most, 1.02 * (planned.replayed + planned.backward + weights))
              << family << " " << type << ", dropout " << dropout << ", recompute " << static_cast<int>(recompute);
        }
}

}  // namespace
}  // namespace trireme::models
