#include "train/parallel/pipeline.h"

#include <ATen/Parallel.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <string>

#include "core/comm/thread_communicator.h"
#include "models/registry.h"
#include "train/loop/stages.h"
#include "train/parallel/flat_parameters.h"

namespace trireme::train {
namespace {

constexpr std::int64_t kVocabulary = 61;

struct Case {
  std::string family = "llama", order = "1f1b", recompute = "none", precision = "fp32";
  int pipeline = 1, chunks = 1, data = 1;
  std::int64_t micro_batches = 8, shard = 0, group = 0;
};

TrainConfig config_of(const Case& c) {
  TrainConfig config;
  config.model.family = c.family;
  config.model.layers = 5;
  config.model.width = 32;
  config.model.heads = 4;
  config.model.context = 8;
  config.model.dropout = 0.1;
  config.recompute = c.recompute;
  config.data.sequence_length = 8;
  config.data.micro_batch = 2;
  config.data.global_batch = 2 * c.micro_batches;
  config.precision.compute = c.precision;
  config.parallel.pipeline = c.pipeline;
  config.parallel.pipeline_chunks = c.chunks;
  config.parallel.pipeline_order = c.order;
  config.parallel.shard = c.shard;
  config.parallel.shard_group = c.group;
  return config;
}

MicroBatch batch_of(std::int64_t index) {
  const auto batch = std::make_shared<data::MicroBatch>();
  batch->sequences = 2;
  batch->length = 8;
  batch->step_targets = 100;
  for (std::int64_t i = 0; i < 16; ++i) {
    batch->tokens.push_back((i * 7 + index * 5 + i * i * index) % kVocabulary);
    batch->targets.push_back((i * 3 + index * 11) % kVocabulary);
  }
  return batch;
}

struct Found {
  std::map<std::int64_t, double> losses;                  // of micro-batches
  std::map<std::string, at::Tensor> sums;                 // of gradients, by parameter: what ranks have, whole
  std::map<std::string, at::Tensor> read;                 // weights, as each rank reads them
  std::map<std::int64_t, std::vector<double>> evaluated;  // by data rank
};

// One step of every rank. @param quitter  a rank that gives its first step up behind so many actions, or -1
Found step_of(const Case& c, int quitter = -1, int behind = 0) {
  Found found;
  std::mutex mutex;
  run_on_threads(c.pipeline * c.data, [&](Communicator& world) {
    at::set_num_threads(1);
    const TrainConfig config = config_of(c);
    const Mesh mesh(world, mesh_shape(config, world.size()));
    Stages stages(mesh, config, kVocabulary);
    Communicator& data = mesh.along(Axis::kData);
    FlatParameters parameters(stages.layout(), stages.parameters(), stages.placement(), mesh.along(Axis::kPipeline),
                              compute_type(c.precision),
                              {&data, shard_group(config.parallel, mesh.shape()), c.shard >= 3});
    if (parameters.shares_weights()) stages.tell(parameters);
    parameters.initialise(1);
    parameters.publish();
    const Deal deal = deal_of(c.shard, c.micro_batches, data.size());
    GradientReducer reducer(data, parameters, c.micro_batches, parameters.groups().size, deal);
    const Share share = reducer.share();
    const auto index_of = [&](std::int64_t turn) { return share.first + turn * share.stride; };
    const auto schedule =
        pipeline_schedule(
            {c.pipeline, c.chunks,
             parameters.shares_weights() ? share_of(c.micro_batches, 0, data.size(), deal).count() : share.count(),
             pipeline_order(config)})
            .actions[static_cast<std::size_t>(stages.axis().rank())];
    const auto step = [&](const std::function<bool()>& give_up) {
      reducer.begin_step();
      const std::vector<double> losses = stages.train(
          schedule, share.count(), {2, 8}, [&](std::int64_t turn) { return batch_of(index_of(turn)); },
          [&](std::int64_t turn) { return training_pass(config, 3, index_of(turn)); }, give_up, reducer);
      reducer.finish();
      return losses;
    };
    if (quitter >= 0) {
      int asked = 0;
      step([&] { return world.rank() == quitter && asked++ >= behind; });
    }
    const std::vector<double> losses = step([] { return false; });
    std::vector<MicroBatch> batches;
    for (std::int64_t i = 0; i < 3; ++i) batches.push_back(batch_of(100 + 10 * data.rank() + i));
    std::vector<double> evaluated;
    for (const models::Score& score : stages.losses(batches, 3, {2, 8}, [] { return false; }))
      evaluated.push_back(score.loss);

    const std::lock_guard lock(mutex);
    for (std::size_t i = 0; i < losses.size(); ++i) found.losses[index_of(static_cast<std::int64_t>(i))] = losses[i];
    if (!evaluated.empty()) found.evaluated[data.rank()] = evaluated;
    for (const auto& entry : parameters.entries()) {
      const std::string& name = entry.parameter->name;
      if (entry.parameter->value.defined() && !parameters.shares_weights()) {
        const at::Tensor value = entry.parameter->value.detach().clone();
        const auto [known, is_new] = found.read.try_emplace(name, value);
        EXPECT_TRUE(is_new || known->second.equal(value)) << name << " differs on rank " << world.rank();
      }
      if (entry.tied_begin >= 0 || !parameters.is_here(parameters.layout().segment_at(entry.begin))) continue;
      at::Tensor& whole =
          found.sums.try_emplace(name, at::zeros({entry.count}, parameters.master_type())).first->second;
      for (const Stretch& stretch : parameters.own()) {
        const std::int64_t begin = std::max(entry.begin, stretch.begin),
                           end = std::min(entry.begin + entry.count, stretch.begin + stretch.count);
        for (std::int64_t at = begin; at < end;) {
          const std::int64_t next = std::min(end, (at / kBlockElements + 1) * kBlockElements);
          const at::Tensor part = at::from_blob(const_cast<void*>(reducer.sum(at)), {next - at}, whole.options());
          whole.narrow(0, at - entry.begin, next - at).copy_(part);
          at = next;
        }
      }
    }
  });
  return found;
}

void expect_equal(const Found& one, const Found& other, const std::string& what) {
  EXPECT_EQ(one.losses, other.losses) << what;
  ASSERT_EQ(one.sums.size(), other.sums.size()) << what;
  for (const auto& [name, sum] : one.sums) EXPECT_TRUE(sum.equal(other.sums.at(name))) << name << ", " << what;
  for (const auto& [name, value] : other.read) EXPECT_TRUE(value.equal(one.read.at(name))) << name << ", " << what;
  EXPECT_EQ(one.evaluated.at(0), other.evaluated.at(0)) << what;
}

std::string text_of(const Case& c) {
  return c.family + " " + c.order + " " + c.recompute + " " + c.precision + " pipeline " + std::to_string(c.pipeline) +
         " x " + std::to_string(c.chunks) + ", data " + std::to_string(c.data) + ", " +
         std::to_string(c.micro_batches) + " micro-batches, shard " + std::to_string(c.shard) + " in groups of " +
         std::to_string(c.group);
}

const std::vector<Case>& cases() {
  static const std::vector<Case> cases = {
      {.pipeline = 2},
      {.order = "zero-bubble", .pipeline = 2},
      {.pipeline = 5},
      {.order = "zero-bubble", .pipeline = 3, .data = 2, .shard = 1},
      {.pipeline = 2, .chunks = 2, .shard = 1},
      {.order = "zero-bubble", .pipeline = 2, .chunks = 2, .data = 2, .shard = 2},
      {.pipeline = 2, .data = 3, .shard = 2},
      {.pipeline = 2, .data = 3, .shard = 0},
      {.family = "gpt2", .order = "zero-bubble", .recompute = "full", .precision = "bf16", .pipeline = 2, .data = 2},
      {.family = "gpt2", .recompute = "selective", .pipeline = 4, .data = 2, .shard = 2},
      {.order = "zero-bubble", .recompute = "selective", .precision = "bf16", .pipeline = 4, .shard = 1},
      {.data = 4, .shard = 3},
      {.family = "gpt2", .recompute = "full", .precision = "bf16", .data = 3, .shard = 3},
      {.order = "zero-bubble", .pipeline = 2, .data = 3, .shard = 3},
      {.family = "gpt2", .pipeline = 2, .chunks = 2, .data = 2, .shard = 3},
      {.precision = "bf16", .pipeline = 2, .data = 4, .micro_batches = 9, .shard = 3, .group = 2},
      {.data = 6, .shard = 2, .group = 3},
      {.data = 4, .shard = 1, .group = 2},
      {.precision = "fp64", .pipeline = 2, .data = 2, .micro_batches = 5, .shard = 1},
  };
  return cases;
}

TEST(Pipeline, EveryLayoutGivesTheBitsOfOneRank) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(text_of(c));
    const Case one{.family = c.family, .precision = c.precision, .micro_batches = c.micro_batches};
    expect_equal(step_of(one), step_of(c), text_of(c));
  }
}

// A stop may reach any rank at any moment: all come through the step, and the next one is whole.
TEST(Pipeline, AStepThatSomeRankGivesUpHoldsNobody) {
  for (const Case& c : cases()) {
    const Case one{.family = c.family, .precision = c.precision, .micro_batches = c.micro_batches};
    const Found expected = step_of(one);
    const int last = c.pipeline * c.data - 1;
    for (const auto& [quitter, behind] : {std::pair{0, 0}, {0, 3}, {last, 0}, {last, 2}, {last / 2, 4}})
      expect_equal(expected, step_of(c, quitter, behind),
                   text_of(c) + ", given up by rank " + std::to_string(quitter) + " behind " + std::to_string(behind));
  }
}

}  // namespace
}  // namespace trireme::train
