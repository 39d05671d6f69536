#include "train/recovery/training_state.h"

#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "core/base/error.h"
#include "core/comm/thread_communicator.h"
#include "models/load.h"
#include "models/registry.h"
#include "train/recovery/checkpoint_saver.h"
#include "train/recovery/state_loading.h"
#include "train/recovery/state_snapshot.h"

namespace trireme::train {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TrainingState sample() {
  TrainingState state;
  state.step = 200;
  state.tokens = 819200;
  state.samples_hash = std::string(32, 'a');
  state.loss = 1.0 / 3;
  state.eval_loss = 2.0 / 3;
  state.eval_step = 150;
  state.tokens_per_second = 1234.5;
  state.seconds_to_first_step = 0.5;
  state.peak_memory_bytes = std::int64_t{1} << 40;
  state.corpus_hash = "c0ffee";
  state.fingerprint = "threads=1";
  return state;
}

TEST(TrainingState, JsonGivesEveryMemberBackToTheLastBit) {
  const TrainingState state = sample();
  const TrainingState read = state_from_json(to_json(state, TrainConfig{}), "here");
  EXPECT_EQ(read.step, state.step);
  EXPECT_EQ(read.tokens, state.tokens);
  EXPECT_EQ(read.samples_hash, state.samples_hash);
  EXPECT_EQ(read.loss, state.loss);
  EXPECT_EQ(read.eval_loss, state.eval_loss);
  EXPECT_EQ(read.eval_bits_per_byte, std::nullopt);
  EXPECT_EQ(read.eval_step, 150);
  EXPECT_FALSE(read.unfinished);
  EXPECT_EQ(read.tokens_per_second, state.tokens_per_second);
  EXPECT_EQ(read.seconds_to_first_step, state.seconds_to_first_step);
  EXPECT_EQ(read.peak_memory_bytes, state.peak_memory_bytes);
  EXPECT_EQ(read.planned_steps, TrainConfig{}.steps);
  EXPECT_EQ(read.corpus_hash, state.corpus_hash);
  EXPECT_EQ(read.fingerprint, state.fingerprint);
}

TEST(TrainingState, TheRecordOfAStepWhoseEvaluationIsStillToComeIsGivenBackToTheLastBit) {
  TrainingState state = sample();
  StepRecord record;
  record.step = 200;
  record.tokens = 819200;
  record.loss = 1.0 / 3;
  record.grad_norm = 1.0 / 7;
  record.learning_rate = 1e-3 / 3;
  record.tokens_per_second = 1 / 0.3;
  record.mfu = 0.4;
  record.step_ms = 12.5;
  record.data_wait_ms = 0.1;
  record.checkpoint_stall_ms = 3;
  record.memory_bytes = std::int64_t{1} << 40;
  record.samples_hash = std::string(32, 'b');
  state.unfinished = record;
  const TrainingState read = state_from_json(to_json(state, TrainConfig{}), "here");
  ASSERT_TRUE(read.unfinished);
  EXPECT_EQ(to_json(*read.unfinished), to_json(record));
}

TEST(TrainingState, JsonHoldsTheConfig) {
  TrainConfig config;
  config.optimizer.learning_rate = 1e-3;
  EXPECT_EQ(json::parse(to_json(sample(), config)).at("config").at("optimizer.learning-rate"), 1e-3);
}

TEST(TrainingState, WhatIsMissingOrOfAnotherTypeIsCorruptAndNamesTheCheckpoint) {
  const json whole = json::parse(to_json(sample(), TrainConfig{}));
  const std::set<std::string> optional{"planned-steps", "eval-step",
                                       "eval-accuracy"};  // checkpoints of earlier versions lack them
  for (const auto& [key, value] : whole.items()) {
    if (key == "config") continue;  // for people: what counts is in config.yaml
    json damaged = whole;
    damaged.erase(key);
    if (optional.contains(key))
      EXPECT_NO_THROW(state_from_json(damaged.dump(), "step-00000200")) << key;
    else
      EXPECT_THAT([&] { state_from_json(damaged.dump(), "step-00000200"); },
                  ThrowsMessage<Error>(AllOf(HasSubstr("step-00000200"), HasSubstr(key))));
    damaged[key] = json::array();
    EXPECT_THROW(state_from_json(damaged.dump(), "step-00000200"), Error) << key;
  }
  EXPECT_THROW(state_from_json("{", "step-00000200"), Error);
}

// A model with its rows of weights and moments, as a trainer has it.
struct Rows {
  explicit Rows(const models::ModelConfig& config, at::ScalarType type = at::kFloat, const OptimizerConfig& more = {},
                const Sharing& sharing = {})
      : model(models::build_model(config, 40)),
        parameters(model->parameters(), type, sharing),
        optimizer(more, parameters) {}
  std::unique_ptr<models::Model> model;
  FlatParameters parameters;
  AdamW optimizer;
};

// As a trainer reads it: `world` is all that share the rows out.
void load(const models::Checkpoint& checkpoint, Rows& rows, Communicator& world) {
  const Mesh mesh(world, mesh_shape(ParallelConfig{}, world.size()));
  StateLoading loading(StatePlan(mesh, rows.parameters, state_rows(rows.parameters, rows.optimizer)));
  loading.read(checkpoint);
  world.barrier();
  loading.spread();
}
void load(const models::Checkpoint& checkpoint, Rows& rows) {
  const auto alone = make_self_communicator();
  load(checkpoint, rows, *alone);
}

models::ModelConfig small() {
  models::ModelConfig config;
  config.layers = 2;
  config.width = 16;
  config.heads = 2;
  config.context = 8;
  return config;
}

class SavedTraining : public ::testing::Test {
 protected:
  SavedTraining() : run_(std::filesystem::temp_directory_path() / ("trireme-state-" + std::to_string(::getpid()))) {}
  ~SavedTraining() override { std::filesystem::remove_all(run_); }

  // Saves step 200 from this many ranks; all hold the same numbers, as in training, or share them out.
  std::string save(int ranks, const models::ModelConfig& config, const OptimizerConfig& optimizer = {},
                   at::ScalarType type = at::kFloat, bool shared_out = false) {
    std::string hash;
    const models::RunOwner owner = models::RunOwner::claim(run_);
    run_on_threads(ranks, [&](Communicator& world) {
      Rows rows(config, type, optimizer, shared_out ? Sharing{&world, world.size()} : Sharing{});
      rows.parameters.initialise(1);
      if (rows.optimizer.average().defined()) rows.optimizer.average().copy_(rows.parameters.masters() * 2);
      rows.optimizer.first_moment().fill_(0.25);
      rows.optimizer.second_moment().fill_(0.5);
      const bool is_first = world.rank() == 0;
      const Mesh mesh(world, mesh_shape(ParallelConfig{}, world.size()));
      CheckpointConfig checkpoint;
      checkpoint.writers = world.size();
      CheckpointSaver saver(mesh, rows.parameters, state_rows(rows.parameters, rows.optimizer), checkpoint, run_,
                            is_first ? &owner : nullptr, owner.folder(), models::model_json(config, 40), "{}");
      EXPECT_FALSE(saver.start(200, to_json(sample(), TrainConfig{}), [] {}));
      // Training goes on.
      rows.parameters.initialise(2);
      rows.optimizer.first_moment().fill_(7);
      const auto outcome = saver.finish();
      ASSERT_EQ(outcome.has_value(), is_first);
      if (is_first) {
        EXPECT_EQ(outcome->failure, "");
        hash = outcome->weights_hash;
      }
      EXPECT_TRUE(saver.advance(SavePhase::kDone));
      EXPECT_FALSE(saver.is_under_way());
    });
    return hash;
  }
  models::Checkpoint open() const { return models::Checkpoint::open(models::checkpoint_path(run_, 200)); }

  const std::filesystem::path run_;
};

TEST_F(SavedTraining, AnyNumberOfRanksSavesTheSameWeights) {
  const std::string one = save(1, small());
  std::filesystem::remove_all(run_);
  EXPECT_EQ(save(5, small()), one);
  const models::Checkpoint checkpoint = open();
  EXPECT_EQ(checkpoint.weights_hash(), one);
  EXPECT_TRUE(checkpoint.verify().empty());
  EXPECT_FALSE(checkpoint.has("weights/head.weight")) << "tied to the embedding";

  Rows rows(small());
  load(checkpoint, rows);
  Rows fresh(small());
  fresh.parameters.initialise(1);
  EXPECT_TRUE(rows.parameters.masters().equal(fresh.parameters.masters()));
  const auto& entry = rows.parameters.entries()[0];
  EXPECT_EQ(rows.optimizer.first_moment()[entry.begin].item<float>(), 0.25F);
  EXPECT_EQ(rows.optimizer.second_moment()[entry.begin].item<float>(), 0.5F);
}

TEST_F(SavedTraining, RanksThatShareStateOutSaveAndLoadWhatOneDoes) {
  models::ModelConfig config = small();
  config.width = 512;  // several units, and matrices of several slices
  config.ffn = 3000;
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const std::string one = save(1, config, {}, type);
    std::filesystem::remove_all(run_);
    EXPECT_EQ(save(3, config, {}, type, /*shared_out=*/true), one);
    const models::Checkpoint checkpoint = open();
    EXPECT_TRUE(checkpoint.verify().empty());
    Rows expected(config, type);
    load(checkpoint, expected);
    expected.parameters.publish();
    for (const int group : {4, 2})
      run_on_threads(4, [&](Communicator& world) {
        Rows rows(config, type, {}, {&world, group});
        EXPECT_LT(rows.optimizer.second_moment().numel(), expected.optimizer.second_moment().numel() * 3 / 2 / group);
        load(checkpoint, rows, world);
        rows.parameters.publish();
        for (std::size_t i = 0; i < rows.parameters.entries().size(); ++i)
          EXPECT_TRUE(
              rows.parameters.entries()[i].parameter->value.equal(expected.parameters.entries()[i].parameter->value));
        for (const Stretch& stretch : rows.parameters.own())
          EXPECT_TRUE(rows.optimizer.second_moment()
                          .narrow(0, stretch.at, stretch.count)
                          .equal(expected.optimizer.second_moment().narrow(0, stretch.begin, stretch.count)));
      });
    std::filesystem::remove_all(run_);
  }
}

// Together the ranks write everything once, each about as much, whether all of them have it or each a part.
TEST(StateSnapshot, TheRanksOfAStageShareTheWork) {
  models::ModelConfig config = small();
  config.width = 512;
  config.ffn = 3000;
  for (const bool shared_out : {false, true})
    for (const std::int64_t writers : {1, 3, 4}) {
      constexpr int kRanks = 4;
      std::vector<std::int64_t> written(kRanks), copied(kRanks);
      std::int64_t whole = 0;
      run_on_threads(kRanks, [&](Communicator& world) {
        Rows rows(config, at::kFloat, {}, shared_out ? Sharing{&world, kRanks} : Sharing{});
        rows.parameters.initialise(1);
        const Mesh mesh(world, mesh_shape(ParallelConfig{}, kRanks));
        StateSnapshot snapshot(StatePlan(mesh, rows.parameters, state_rows(rows.parameters, rows.optimizer)), writers);
        const auto rank = static_cast<std::size_t>(world.rank());
        for (const models::TensorSlice& slice : snapshot.slices()) {
          std::int64_t elements = 1;
          for (const std::int64_t extent : slice.size) elements *= extent;
          written[rank] += 4 * elements;
          EXPECT_LE(4 * elements, models::kSliceBytes);
        }
        copied[rank] = snapshot.bytes();
        if (rank == 0)
          for (const auto& entry : rows.parameters.entries()) whole += entry.tied_begin < 0 ? 3 * 4 * entry.count : 0;
      });
      EXPECT_EQ(std::accumulate(written.begin(), written.end(), std::int64_t{0}), whole);
      int with_work = 0;
      for (std::size_t rank = 0; rank < kRanks; ++rank) {
        with_work += written[rank] > 0;
        EXPECT_LE(std::abs(written[rank] * writers - (written[rank] > 0 ? whole : 0)),
                  3 * writers * models::kSliceBytes)
            << "as near as slices allow, in each of three rows";
        EXPECT_LE(copied[rank] - written[rank], models::kSliceBytes + (64 << 10)) << "what it only hashes, and pages";
      }
      EXPECT_EQ(with_work, writers);
    }
}

TEST(StateSnapshot, FewRanksWriteWhatIsSmallAndAllWhatIsLarge) {
  MeshShape shape;
  shape.sizes[static_cast<std::size_t>(Axis::kData)] = 8;
  EXPECT_EQ(writers_of_stage(0, 1000, shape), 1);
  EXPECT_EQ(writers_of_stage(0, 3 * kFewestFileBytes, shape), 3);
  EXPECT_EQ(writers_of_stage(0, 100 * kFewestFileBytes, shape), 8);
  EXPECT_EQ(writers_of_stage(5, 1000, shape), 5);
  EXPECT_EQ(writers_of_stage(99, 1000, shape), 8);
}

TEST_F(SavedTraining, TheAverageOfTheWeightsIsKeptAndCanBeUsedForInference) {
  const std::string without = save(1, small());
  const auto source = [&](models::Weights weights) {
    return std::make_shared<const models::CheckpointSource>(open(), weights);
  };
  EXPECT_THAT([&] { source(models::Weights::kAverage); },
              ThrowsMessage<Error>(HasSubstr("holds no average of its weights")));
  OptimizerConfig config;
  config.ema_decay = 0.99;
  EXPECT_EQ(save(3, small(), config), without) << "it is no part of the weights' hash";
  const models::Checkpoint checkpoint = open();
  EXPECT_TRUE(checkpoint.verify().empty());
  Rows rows(small(), at::kFloat, config), none(small());
  load(checkpoint, rows);
  EXPECT_TRUE(rows.optimizer.average().equal(rows.parameters.masters() * 2));
  EXPECT_THAT([&] { load(checkpoint, none); }, ThrowsMessage<Error>(HasSubstr("tensors")));

  const auto current_source = source(models::Weights::kCurrent), average_source = source(models::Weights::kAverage);
  const auto weights = models::load_model(current_source), average = models::load_model(average_source);
  EXPECT_TRUE(average->head().value.equal(weights->head().value * 2));
  EXPECT_EQ(models::weights_hash(*current_source), checkpoint.weights_hash());
  EXPECT_NE(models::weights_hash(*average_source), checkpoint.weights_hash());
}

TEST_F(SavedTraining, AnotherModelsCheckpointIsRefused) {
  save(2, small());
  const models::Checkpoint checkpoint = open();
  const auto refused = [&](const models::ModelConfig& config, at::ScalarType type, const char* message) {
    Rows rows(config, type);
    EXPECT_THAT([&] { load(checkpoint, rows); }, ThrowsMessage<Error>(HasSubstr(message)));
  };
  models::ModelConfig other = small();
  other.layers = 1;
  refused(other, at::kFloat, "holds another model");
  other.layers = 3;
  refused(other, at::kFloat, "blocks.2");
  other = small();
  other.ffn = 128;
  refused(other, at::kFloat, "has another shape or type");
  refused(small(), at::kDouble, "has another shape or type");
}

}  // namespace
}  // namespace trireme::train
