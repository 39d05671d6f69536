#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <limits>
#include <string_view>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/comm/job.h"
#include "core/config/command.h"
#include "models/checkpoint/run_checkpoints.h"
#include "models/checkpoint/run_owner.h"
#include "models/family.h"
#include "models/kernels/block_cache.h"
#include "train/check/self_check.h"
#include "train/config/train_config.h"
#include "train/loop/pretrained.h"
#include "train/loop/trainer.h"
#include "train/loop/training_data.h"
#include "train/plan/plan.h"
#include "train/report/report.h"

namespace trireme::train {
namespace {

struct TrainOptions {
  std::string run;
  std::string config;
  std::string resume = "auto";
  std::string time_limit = "none";
  bool json = false;
  std::string dry_run = "no";
  std::int64_t ranks = 0;
  double peak_flops = 0, bandwidth = 0, memory = 0;
  bool print_config = false;

  static constexpr auto fields() {
    using C = TrainOptions;
    return std::tuple{
        Field{"run", &C::run, "directory of the run; resumed if it has checkpoints"},
        Field{"config", &C::config, "YAML file of config keys"},
        Field{"resume", &C::resume,
              "auto, never, or the step of the checkpoint to go on from; later ones are then removed"},
        Field{"time-limit", &C::time_limit,
              "save and stop in time to end within this, from the start of the process: 90, 90s, 45m, "
              "1h30m, 2d, or none; the exit status is then 75"},
        Field{"json", &C::json, "the result as one JSON object on stdout"},
        Field{"dry-run", &C::dry_run,
              "train nothing; plan: print what the run would be, its memory, traffic and time; search: "
              "rank all layouts of so many ranks",
              MayBeBare("no", "plan", "search")},
        Field{"ranks", &C::ranks, "of --dry-run: how many; 0: those that it is started on", Range(0, 1 << 20)},
        Field{"peak-flops", &C::peak_flops,
              "of --dry-run: operations a second that a rank reaches, for the time of a step; 0: not known",
              Range(0, 1e18)},
        Field{"bandwidth", &C::bandwidth, "of --dry-run: bytes a second that a rank sends, likewise; 0: not known",
              Range(0, 1e15)},
        Field{"memory", &C::memory, "of --dry-run=search: bytes that a rank has; 0: any", Range(0, 1e18)},
        Field{"print-config", &C::print_config, "print the merged config as YAML and train nothing"}};
  }
};

// Defaults < the run's config.yaml < file < environment < flags. A key that decides what is learnt may not change once
// the run has a checkpoint.
struct Merged {
  TrainConfig config;
  bool new_head = false;                                  // it begins with random weights
  std::shared_ptr<const models::ModelSource> pretrained;  // that the run begins with, where it has yet to begin
};

Merged merged_config(Communicator& world, const TrainOptions& options, const Assignments& flags) {
  TrainConfig config;
  std::shared_ptr<const models::ModelSource> pretrained;
  bool new_head = false;
  const FieldList fields = fields_of(config);
  Assignments given;
  const auto append = [&](Assignments more) {
    given.insert(given.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  };
  if (!options.config.empty()) append(read_yaml(options.config, fields));
  append(read_environment(fields));
  append(flags);

  const std::filesystem::path run = options.run;
  // Rank 0 decides for all which of the two it is: the second one is gone through together.
  const std::string mine = options.run.empty() || models::checkpoint_steps(run).empty() ? "new" : "known";
  if (world.all_gather_text(mine)[0] == "known") {
    apply_assignments(read_yaml(run / "config.yaml", fields), fields);
    TrainConfig old = config;
    apply_assignments(given, fields);
    const FieldList old_fields = fields_of(old);
    for (std::size_t i = 0; i < fields.size(); ++i)
      if (field_text(fields[i]) != field_text(old_fields[i]) && !may_change_on_resume(fields[i].key))
        throw Error(ErrorCode::kUsage, fields[i].key, " of run ", options.run, " is ", field_text(old_fields[i]),
                    " and cannot become ", field_text(fields[i]), " on resume; choose another --run");
  } else {
    apply_assignments(given, fields);
    new_head = true;
    if (!config.finetune.from.empty()) {
      // Its shape is the default then.
      pretrained = open_pretrained(world, config.finetune);
      TrainConfig shaped;
      const models::ModelConfig theirs = shaped.model = shape_of(*pretrained);
      apply_assignments(given, fields_of(shaped));
      // Another head has labels of its own.
      const auto are_given = [&](std::string_view key) {
        return std::ranges::any_of(given, [&](const Assignment& one) { return one.key == key; });
      };
      if (shaped.model.head != theirs.head) {
        if (!are_given("model.labels")) shaped.model.labels.clear();
        if (!are_given("model.padding")) shaped.model.padding = -1;
      }
      if (shaped.model.vocabulary == 0) shaped.model.vocabulary = theirs.vocabulary;  // whatever the tokenizer has
      expect_shape_of(theirs, pretrained->where(), shaped.model);
      new_head = has_new_head(theirs, shaped.model);
      if (new_head && shaped.finetune.penalty > 0)
        throw Error(ErrorCode::kUsage,
                    "finetune.penalty must be 0 where model.head is a new one, which starts nowhere; "
                    "got ",
                    shaped.finetune.penalty);
      config = shaped;
    }
  }
  return {config, new_head, pretrained};
}

std::int64_t threads_of(const TrainConfig& config) {
  if (config.threads > 0) return config.threads;
  const char* text = std::getenv("OMP_NUM_THREADS");
  if (!text || !*text) return 1;
  char* end = nullptr;
  const long threads = std::strtol(text, &end, 10);
  if (*end != '\0' || threads < 1 || threads > 4096)
    throw Error(ErrorCode::kUsage, "OMP_NUM_THREADS must be an integer in [1, 4096], got '", text, "'");
  return threads;
}

// What only a plan reads is refused where there is none.
void expect_plan(const TrainOptions& options) {
  const std::pair<const char*, double> given[] = {{"--ranks", static_cast<double>(options.ranks)},
                                                  {"--peak-flops", options.peak_flops},
                                                  {"--bandwidth", options.bandwidth},
                                                  {"--memory", options.memory}};
  for (const auto& [flag, value] : given)
    if (value != 0 && options.dry_run == "no")
      throw Error(ErrorCode::kUsage, flag, " is of a plan, got ", to_text(value), " without --dry-run");
  if (options.memory != 0 && options.dry_run != "search")
    throw Error(ErrorCode::kUsage, "--memory is of --dry-run=search, got ", to_text(options.memory),
                " with --dry-run=", options.dry_run);
  if (options.bandwidth > 0 && options.peak_flops == 0)
    throw Error(ErrorCode::kUsage, "the time of a step needs --peak-flops beside --bandwidth, got --bandwidth ",
                to_text(options.bandwidth), " alone");
}

bool is_step(const std::string& text) {
  return !text.empty() && text.size() < 16 && text.find_first_not_of("0123456789") == std::string::npos;
}

// On stdout of rank 0; a result that nobody could read is a failure.
void print(const Communicator& world, const std::string& text) {
  if (world.rank() != 0) return;
  std::cout << text << std::flush;
  if (!std::cout) throw Error(ErrorCode::kIo, "cannot write to stdout");
}

int run(Communicator& world, const TrainOptions& options, const Assignments& flags) {
  if (options.resume != "auto" && options.resume != "never" && !is_step(options.resume))
    throw Error(ErrorCode::kUsage, "--resume must be auto, never or a step, got '", options.resume, "'");
  TrainingStart start{options.resume, parse_duration(options.time_limit), models::RunOwner::newest(options.run)};
  if (options.time_limit != "none" && !(start.time_limit > 0))
    throw Error(ErrorCode::kUsage,
                "--time-limit must be none or a duration above 0 such as 90, 90s, 45m or 1h30m, got '",
                options.time_limit, "'");
  auto [config, new_head, pretrained] = merged_config(world, options, flags);
  start.pretrained = pretrained;
  config.threads = threads_of(config);
  expect_plan(options);
  if (options.print_config) {
    print(world, to_yaml(fields_of(config)));
    return kExitDone;
  }
  if (new_head) complete_head(config.model, config.data);
  validate(config);
  const models::Family::Kind kind = models::kind_of(config.model);
  if (kind == models::Family::Kind::kEncoderDecoder)
    throw Error(ErrorCode::kUsage, "model.family ", config.model.family,
                " is not trained here yet; its models can be opened, imported, exported and asked");
  if (kind == models::Family::Kind::kEncoder && !config.model.classifies())
    throw Error(ErrorCode::kUsage, "model.head must be classes or labels to train a model of family ",
                config.model.family, ", got ", config.model.head, ": guessing masked tokens is not learnt here yet");
  if (!config.model.classifies() && config.model.head != "language")
    throw Error(ErrorCode::kUsage, "model.head ", config.model.head, " learns nothing");
  if (kind == models::Family::Kind::kEncoder && options.dry_run != "no")
    throw Error(ErrorCode::kUsage, "--dry-run knows no encoders yet, got model.family ", config.model.family);
  at::set_num_threads(static_cast<int>(config.threads));
  if (options.dry_run != "no") {
    const PlanOptions plan{options.ranks > 0 ? static_cast<int>(options.ranks) : world.size(),
                           {options.peak_flops, options.bandwidth},
                           options.memory};
    if (plan.target.peak_flops > 0 && plan.target.bandwidth == 0 && plan.ranks > 1)
      throw Error(ErrorCode::kUsage, "the time of a step of ", plan.ranks,
                  " ranks needs --bandwidth beside --peak-flops");
    print(world, options.dry_run == "search" ? layout_search(config, plan, options.json)
                                             : training_plan(config, plan, options.json));
    return kExitDone;
  }
  if (options.run.empty()) throw Error(ErrorCode::kUsage, "--run is required: the directory of the run");
  const TrainingResult result = train(world, config, options.run, start);
  if (options.json) print(world, result.json + "\n");
  return result.complete ? kExitDone : kExitResumable;
}

}  // namespace
}  // namespace trireme::train

int main(int argc, char** argv) {
  using namespace trireme;
  models::cache_tensor_memory();
  train::TrainOptions options;
  train::TrainConfig defaults;
  train::ReportOptions report;
  train::SelfCheckOptions self_check;
  Communicator* world = nullptr;
  const Program program{
      "trireme-train",
      "trains a language model",
      {{.name = "",
        .summary = "Trains a language model on a corpus, on one process or on the ranks that mpirun started.",
        .options = fields_of(options),
        .config = fields_of(defaults),
        .run = [&](const Assignments& flags) { return train::run(*world, options, flags); }},
       {.name = "self-check",
        .summary = "Trains a tiny model in every layout of the ranks that it is started on, and on one rank, and "
                   "compares every "
                   "bit: to be run on a new cluster before it is trusted. Exit status 1 when a layout differs.",
        .options = fields_of(self_check),
        .run =
            [&](const Assignments&) {
              at::set_num_threads(static_cast<int>(train::threads_of(defaults)));
              return train::run_self_check(*world, self_check);
            }},
       {.name = "report",
        .summary =
            "Shows runs, also while they train: a page with curves, figures and samples, or a live terminal view.",
        .options = fields_of(report),
        .positional = {"run"},
        .run = [&](const Assignments&) { return train::report(report); }}},
      "Exit status: 0 done, 1 failed, 2 wrong flag or config, 75 stopped with its state saved: start again to go "
      "on.\n"
      "Examples:\n"
      "  scripts/launch/mpi -n 2 trireme-train --run runs/first --data.path corpora/mine --steps 2000\n"
      "  trireme-train --dry-run=search --ranks 64 --memory 80e9 --peak-flops 4e14 --bandwidth 5e10 --config "
      "train.yaml\n"
      "  scripts/launch/mpi -n 4 trireme-train self-check\n"
      "  trireme-train report runs/first --watch"};
  // Only reads files: no rank of a job, wherever it is started.
  if (argc > 1 && std::string_view(argv[1]) == "report") return run_program(program, argc, argv);
  // Parsing happens inside the job: a wrong flag is then one line and one exit status, however many ranks read it.
  return run_job([&](Communicator& job) {
    world = &job;
    return run_command(program, argc, argv, job.rank() == 0);
  });
}
