#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/field.h"
#include "models/config.h"

namespace trireme::train {

/// One of the corpora of data.path.
struct CorpusShare {
  std::string path;
  double weight = 1;
};

struct DataConfig {
  std::string path;
  std::int64_t sequence_length = 256;
  std::int64_t micro_batch = 4;
  std::int64_t global_batch = 16;
  double token_dropout = 0;
  double fim_rate = 0;
  double fim_spm_rate = 0.5;

  static constexpr auto fields() {
    using C = DataConfig;
    return std::tuple{
        Field{"path", &C::path, "corpus directory made by trireme-data encode, or several as DIR=WEIGHT,DIR=WEIGHT,...",
              kCommaList},
        Field{"sequence-length", &C::sequence_length, "tokens a sequence", Range(1, 1 << 24)},
        Field{"micro-batch", &C::micro_batch, "sequences a forward and backward pass", Range(1, 1 << 20)},
        Field{"global-batch", &C::global_batch, "sequences a step, over all ranks; a multiple of micro-batch",
              Range(1, 1 << 24)},
        Field{"token-dropout", &C::token_dropout, "share of the tokens read that become random ones; targets stay",
              Range(0, 0.9)},
        Field{"fim-rate", &C::fim_rate, "share of documents rearranged to fill in the middle", Range(0, 1)},
        Field{"fim-spm-rate", &C::fim_spm_rate, "of those, the share that has the suffix first", Range(0, 1)}};
  }

  /// data.path taken apart: a text without a comma is one directory, whatever else it holds.
  /// @throws Error kUsage naming what is wrong, the value, what is allowed
  std::vector<CorpusShare> corpora() const;
};

struct OptimizerConfig {
  std::string name = "adamw";
  double learning_rate = 3e-4;
  double weight_decay = 0.1;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double epsilon = 1e-8;
  double clip_norm = 1;
  double ema_decay = 0;

  static constexpr auto fields() {
    using C = OptimizerConfig;
    return std::tuple{
        Field{"name", &C::name, "algorithm", OneOf("adamw")},
        Field{"learning-rate", &C::learning_rate, "peak step size, reached after warm-up", Range(0, 10)},
        Field{"weight-decay", &C::weight_decay,
              "decoupled decay, per step, times the learning rate; of matrices, not of norms, biases and embeddings",
              Range(0, 10)},
        Field{"beta1", &C::beta1, "decay of the first moment", Range(0, 0.999999)},
        Field{"beta2", &C::beta2, "decay of the second moment", Range(0, 0.999999)},
        Field{"epsilon", &C::epsilon, "added to the root of the second moment", Range(1e-30, 1)},
        Field{"clip-norm", &C::clip_norm, "gradients of a larger norm are scaled down to it; 0: never", Range(0, 1e12)},
        Field{"ema-decay", &C::ema_decay,
              "share of the weights' moving average that a step leaves in it; 0: no average is kept",
              Range(0, 0.9999999)}};
  }
};

struct ScheduleConfig {
  std::string name = "cosine";
  std::int64_t warmup_steps = 100;
  double final_ratio = 0.1;
  std::int64_t decay_steps = 0;
  std::string decay_shape = "1-sqrt";

  static constexpr auto fields() {
    using C = ScheduleConfig;
    return std::tuple{
        Field{"name", &C::name, "how the learning rate moves after warm-up: see docs/guides/schedules.md",
              OneOf("constant", "linear", "cosine", "wsd")},
        Field{"warmup-steps", &C::warmup_steps, "steps over which the learning rate rises from 0", Range(0, 1e12)},
        Field{"final-ratio", &C::final_ratio, "last learning rate over the peak, for linear, cosine and wsd",
              Range(0, 1)},
        Field{"decay-steps", &C::decay_steps, "last steps, over which wsd falls; 0: a tenth of all", Range(0, 1e12)},
        Field{"decay-shape", &C::decay_shape, "how wsd falls", OneOf("linear", "cosine", "1-sqrt")}};
  }

  /// Of a run of this many steps.
  std::int64_t decay_steps_or_default(std::int64_t steps) const { return decay_steps == 0 ? steps / 10 : decay_steps; }
};

struct PrecisionConfig {
  std::string compute = "fp32";

  static constexpr auto fields() {
    using C = PrecisionConfig;
    return std::tuple{Field{"compute", &C::compute,
                            "type of forward and backward; weights and moments are fp32, or fp64 for fp64",
                            OneOf("fp32", "bf16", "fp64", "fp16")}};
  }
};

/// Stages of a rank of a pipeline.
inline constexpr int kMostChunks = 1 << 10;

struct ParallelConfig {
  std::int64_t tensor = 1;
  std::int64_t pipeline = 1;
  std::int64_t context = 1;
  std::int64_t expert = 1;
  std::int64_t shard = 1;
  std::int64_t shard_group = 0;
  std::int64_t pipeline_chunks = 1;
  std::string pipeline_order = "1f1b";

  static constexpr auto fields() {
    using C = ParallelConfig;
    return std::tuple{
        Field{"tensor", &C::tensor, "ranks that share each matrix; only 1 so far", Range(1, 1 << 20)},
        Field{"pipeline", &C::pipeline, "ranks that share the layers", Range(1, 1 << 20)},
        Field{"context", &C::context, "ranks that share each sequence; only 1 so far", Range(1, 1 << 20)},
        Field{"expert", &C::expert, "ranks that share the experts; only 1 so far", Range(1, 1 << 20)},
        Field{"shard", &C::shard,
              "what ranks share out instead of each holding all of it (ZeRO stage): 0 nothing, 1 the "
              "optimizer's state, 2 gradients as well, 3 weights too; see docs/guides/layouts.md",
              Range(0, 3)},
        Field{"shard-group", &C::shard_group,
              "so many neighbours share out, and each such group has all of it; 0: all that share the "
              "batch",
              Range(0, 1 << 20)},
        Field{"pipeline-chunks", &C::pipeline_chunks,
              "stages of each rank of a pipeline, which wait less the more they are", Range(1, kMostChunks)},
        Field{"pipeline-order", &C::pipeline_order,
              "how stages take turns: 1f1b, or zero-bubble, which puts gradients of weights off",
              OneOf("1f1b", "zero-bubble")}};
  }
};

struct CheckpointConfig {
  std::int64_t every_steps = 1000;
  double every_seconds = 0;
  bool auto_interval = false;
  double stall_budget = 0.01;
  double failure_hours = 0;
  std::int64_t keep = 3;
  std::int64_t keep_best = 0;
  std::int64_t keep_every = 0;
  std::int64_t writers = 0;

  static constexpr auto fields() {
    using C = CheckpointConfig;
    return std::tuple{
        Field{"every-steps", &C::every_steps, "steps between checkpoints; 0: only the last step", Range(0, 1e15)},
        Field{"every-seconds", &C::every_seconds, "seconds between checkpoints, beside every-steps; 0: off",
              Range(0, 1e9)},
        Field{"auto", &C::auto_interval,
              "saves, beside the above, as often as is best for what a save costs and how often starts are lost"},
        Field{"stall-budget", &C::stall_budget, "of auto: the most that saves may take from training, as a share of it",
              Range(1e-6, 1)},
        Field{"failure-hours", &C::failure_hours,
              "of auto: mean hours between losses of the job, until the run has seen some; 0: 50,000 for each rank",
              Range(0, 1e9)},
        Field{"keep", &C::keep, "newest checkpoints that stay; 0: all", Range(0, 1e9)},
        Field{"keep-best", &C::keep_best,
              "checkpoints of lowest validation loss that stay beside them; steps that become one are saved",
              Range(0, 1e9)},
        Field{"keep-every", &C::keep_every, "checkpoints of steps that are multiples of this stay for ever; 0: none",
              Range(0, 1e15)},
        Field{"writers", &C::writers, "ranks that write a checkpoint; 0: as many as have 64 MiB to write, at least one",
              Range(0, 1 << 20)}};
  }
};

struct RecoveryConfig {
  std::string on_damage = "fall-back";

  static constexpr auto fields() {
    using C = RecoveryConfig;
    return std::tuple{Field{"on-damage", &C::on_damage,
                            "when the newest checkpoint is damaged or not complete: fall-back takes the newest good "
                            "one and says so, fail ends the start",
                            OneOf("fall-back", "fail")}};
  }
};

/// What the validation split of the corpus itself is called among the sets of an evaluation.
inline constexpr const char* kValidationSet = "validation";

/// One of eval.sets.
struct NamedCorpus {
  std::string name, path;
};

struct EvaluationConfig {
  std::int64_t every_steps = 250;
  std::int64_t batches = 0;
  std::string sets;
  std::int64_t sample_tokens = 64;
  double sample_temperature = 0.8;
  std::vector<std::string> prompts;

  static constexpr auto fields() {
    using C = EvaluationConfig;
    return std::tuple{
        Field{"every-steps", &C::every_steps,
              "steps between evaluations on the validation split and eval.sets, which also end a run; 0: off",
              Range(0, 1e15)},
        Field{"batches", &C::batches, "micro-batches of each set that an evaluation reads, spread over it; 0: all",
              Range(0, 1e15)},
        Field{"sets", &C::sets, "further corpora to evaluate on: NAME=DIRECTORY,NAME=DIRECTORY,...", kCommaList},
        Field{"sample-tokens", &C::sample_tokens,
              "tokens of text that the model writes at each evaluation, for each prompt; 0: none", Range(0, 1 << 24)},
        Field{"sample-temperature", &C::sample_temperature,
              "of these texts: lower is surer; 0: always the likeliest token", Range(0, 100)},
        Field{"prompts", &C::prompts,
              "text that the model goes on from, once a prompt; without any it begins one text anew", kOneEach}};
  }

  /// `sets` taken apart. @throws Error kUsage naming what is wrong, the value, what is allowed
  std::vector<NamedCorpus> named_sets() const;
};

/// Steps, counted from 1.
struct StepRange {
  std::int64_t first = 1, last = 1;
};

struct LogConfig {
  std::int64_t every_steps = 1;
  std::string trace = "none";

  static constexpr auto fields() {
    using C = LogConfig;
    return std::tuple{Field{"every-steps", &C::every_steps, "steps between records in metrics.jsonl", Range(1, 1e15)},
                      Field{"trace", &C::trace,
                            "steps of which each rank writes down what it did when, a file for Perfetto each: 20, "
                            "20-22, or none"}};
  }

  /// Nothing where no step is traced. @throws Error kUsage
  std::optional<StepRange> traced_steps() const;
};

/// What a run begins with instead of random weights.
struct FinetuneConfig {
  std::string from;
  std::string step = "newest";
  std::string weights = "current";
  std::string base;
  double penalty = 0;
  std::string importance;
  std::int64_t importance_steps = 64;

  static constexpr auto fields() {
    using C = FinetuneConfig;
    return std::tuple{
        Field{"from", &C::from,
              "the model to begin with: a run, a checkpoint or a Hugging Face directory, which also decides model.*; "
              "empty: random weights"},
        Field{"step", &C::step, "of a run: newest, best (lowest validation loss) or a step"},
        Field{"weights", &C::weights, "of a run or checkpoint: current ones, or their moving average",
              OneOf("current", "ema")},
        Field{
            "base", &C::base,
            "of finetune.from, where it holds adapters: the model that they change; empty: where they say that it is"},
        Field{"penalty", &C::penalty,
              "against forgetting: weights are kept near those that the run begins with, by penalty / 2 * the sum of "
              "squares of the distance in the loss (L2-SP); 0: they are not",
              Range(0, 1e12)},
        Field{"importance", &C::importance,
              "of the penalty: a corpus of what is not to be forgotten; squares then count by how much the loss on it "
              "depends on each weight (EWC); empty: all alike"},
        Field{"importance-steps", &C::importance_steps, "of training's size that it is measured with, before the first",
              Range(1, 1e9)}};
  }
};

struct PreferenceConfig {
  double beta = 0.1;
  double label_smoothing = 0;

  static constexpr auto fields() {
    using C = PreferenceConfig;
    return std::tuple{Field{"beta", &C::beta,
                            "of a corpus of preferences, which are learnt by DPO: how much they weigh against staying "
                            "with the model that the run begins with",
                            Range(1e-6, 1e6)},
                      Field{"label-smoothing", &C::label_smoothing,
                            "share of preferences that are taken to be the wrong way round", Range(0, 0.5)}};
  }
};

/// All that a training run is: the one field list that flags, files, the run's config.yaml and the tuner's dimensions
/// walk.
struct TrainConfig {
  std::int64_t steps = 1000;
  std::int64_t seed = 1;
  std::string device = "cpu";
  std::int64_t threads = 0;
  std::string recompute = "none";
  models::ModelConfig model;
  FinetuneConfig finetune;
  PreferenceConfig preference;
  DataConfig data;
  OptimizerConfig optimizer;
  ScheduleConfig schedule;
  PrecisionConfig precision;
  ParallelConfig parallel;
  CheckpointConfig checkpoint;
  RecoveryConfig recovery;
  EvaluationConfig eval;
  LogConfig log;

  static constexpr auto fields() {
    using C = TrainConfig;
    return std::tuple{Field{"steps", &C::steps, "optimizer steps of the whole run", Range(1, 1e15)},
                      Field{"seed", &C::seed, "of initial weights, the order of samples and dropout", Range(0, 9e15)},
                      Field{"device", &C::device, "where it computes", OneOf("cpu", "cuda")},
                      Field{"threads", &C::threads,
                            "a rank; 0: what the run was started with, else OMP_NUM_THREADS, else 1", Range(0, 4096)},
                      Field{"recompute", &C::recompute,
                            "what backward computes a second time instead of keeping it: selective: all but matrix "
                            "products and attention; full: every block. No bit differs",
                            OneOf("none", "selective", "full")},
                      Field{"model", &C::model, "shape"},
                      Field{"finetune", &C::finetune, "weights to begin with"},
                      Field{"preference", &C::preference, "loss of preferences"},
                      Field{"data", &C::data, "samples"},
                      Field{"optimizer", &C::optimizer, "update"},
                      Field{"schedule", &C::schedule, "learning rate"},
                      Field{"precision", &C::precision, "number types"},
                      Field{"parallel", &C::parallel, "layout"},
                      Field{"checkpoint", &C::checkpoint, "when to save"},
                      Field{"recovery", &C::recovery, "what a start does about damage"},
                      Field{"eval", &C::eval, "when to evaluate"},
                      Field{"log", &C::log, "what to record"}};
  }

  std::int64_t micro_batches() const { return data.global_batch / data.micro_batch; }
  std::int64_t tokens_per_step() const { return data.global_batch * data.sequence_length; }
};

/// What one field alone cannot tell: relations between keys, and what is not available yet, each refused by name.
/// @throws Error kUsage
void validate(const TrainConfig& config);

/// Whether a run may be resumed with another value of this key. The rest decides what is learnt and stays as it was.
bool may_change_on_resume(std::string_view key);

}  // namespace trireme::train
