#include "train/loop/trainer.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/process.h"
#include "core/base/stop.h"
#include "core/base/text.h"
#include "core/config/sources.h"
#include "data/loader/loader.h"
#include "models/checkpoint/checkpoint.h"
#include "train/loop/best_losses.h"
#include "train/loop/console.h"
#include "train/loop/deadline.h"
#include "train/loop/engine.h"
#include "train/loop/evaluation_sets.h"
#include "train/loop/one_run.h"
#include "train/loop/peak.h"
#include "train/loop/run_files.h"
#include "train/loop/samples.h"
#include "train/loop/step_trace.h"
#include "train/loop/training_data.h"
#include "train/optim/schedule.h"
#include "train/recovery/resume.h"
#include "train/recovery/training_state.h"

namespace trireme::train {
namespace {

using Clock = std::chrono::steady_clock;
using nlohmann::json;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

class Trainer {
 public:
  Trainer(Communicator& world, const TrainConfig& config, std::filesystem::path run, std::optional<double> time_limit)
      : world_(world),
        config_(config),
        run_(std::move(run)),
        data_(open_training_data(config)),
        augmentation_(augmentation_of(config, data_)),
        evaluations_(config, data_.tokenizer_hash(), world.rank() == 0),
        engine_(world, config, data_.vocabulary_size()),
        deadline_(time_limit, checkpoint_bytes(engine_.parameters(), engine_.optimizer())) {
    state_.corpus_hash = data_.content();
    state_.fingerprint = machine_fingerprint(at::get_num_threads());
    if (!evaluations_.empty())
      samples_.emplace(config_.eval, static_cast<std::uint64_t>(config_.seed), config_.model.context,
                       data::Tokenizer::parse(data_.tokenizer_json(), config_.data.path));
  }

  TrainingResult train(const std::string& resume) {
    expect_one_run(world_, config_, run_,
                   "--resume: " + resume + "\ncorpus: " + data_.content() + "\n" + evaluations_.contents());
    resume_from(resume);
    if (state_.step > config_.steps)
      throw Error(ErrorCode::kUsage, "steps is ", config_.steps, ", but ", run_.string(), " has reached step ",
                  state_.step, "; to go back, add --resume=STEP of an earlier checkpoint");
    world_.barrier();  // all have read what is there before rank 0 writes
    if (is_first()) {
      std::filesystem::create_directories(run_ / "checkpoints");
      TrainConfig copy = config_;
      write_file_atomically(run_ / "config.yaml", to_yaml(fields_of(copy)));
    }
    best_losses_.read(world_, run_);
    RunFiles files(run_, state_.step, is_first(), /*has_record=*/!state_.unfinished);
    if (state_.step == config_.steps && !state_.unfinished) {
      // Complete. A crash right behind the last checkpoint may have left the end out of the log.
      end(files);
      return result(true);
    }
    world_.barrier();
    peak_flops_ = measured_peak_flops(engine_.parameters().compute_type()) * world_.size();
    Console console(is_first(), state_.step, config_.steps, peak_flops_);
    files.event(state_.step == 0 ? names::kStart : names::kResumed, state_.step,
                {{"ranks", world_.size()}, {"threads", at::get_num_threads()}, {"fingerprint", state_.fingerprint}});
    if (state_.step > 0) console.line("resumed at step " + std::to_string(state_.step));
    return loop(files, console);
  }

 private:
  bool is_first() const { return world_.rank() == 0; }

  void end(RunFiles& files) {
    if (!files.has_ended()) files.event(names::kEnd, state_.step, json::parse(result(true).json));
    files.sync();
  }

  // Leaves state, weights and moments as after the step that the run goes on from.
  void resume_from(const std::string& resume) {
    if (restore_run(world_, run_, resume, config_.checkpoint.keep_best,
                    [&](const models::Checkpoint& checkpoint) { restore(checkpoint); })) {
      engine_.parameters().publish();
      return;
    }
    state_ = fresh_state();
    engine_.initialise();
  }

  TrainingState fresh_state() const {
    TrainingState state;
    state.corpus_hash = state_.corpus_hash;
    state.fingerprint = state_.fingerprint;
    return state;
  }

  void restore(const models::Checkpoint& checkpoint) {
    const std::string where = checkpoint.directory().string();
    TrainingState state = state_from_json(checkpoint.training_json(), where);
    if (checkpoint.model_json() != models::model_json(config_.model, data_.vocabulary_size()) &&
        json::parse(checkpoint.model_json()) != json::parse(models::model_json(config_.model, data_.vocabulary_size())))
      throw Error(ErrorCode::kUsage, where,
                  " holds another model than the config describes: ", checkpoint.model_json());
    data_.expect_content(state.corpus_hash, where);
    load_tensors(checkpoint, engine_.parameters(), engine_.optimizer());
    if (state.fingerprint != state_.fingerprint && is_first())
      log_warning("losses and weights may differ in their last bits from here on: the run was saved with " +
                  state.fingerprint + ", this is " + state_.fingerprint);
    if (state.planned_steps && !same_learning_rates(config_, *state.planned_steps, state.step) && is_first())
      log_warning("steps was " + std::to_string(*state.planned_steps) + " and is " + std::to_string(config_.steps) +
                  ": with it the learning rate of steps up to " + std::to_string(state.step) +
                  " would have been another; see docs/guides/schedules.md");
    const std::string fingerprint = state_.fingerprint;
    state_ = std::move(state);
    state_.fingerprint = fingerprint;
    weights_hash_ = checkpoint.weights_hash();
    saved_step_ = state_.step;
  }

  TrainingResult loop(RunFiles& files, Console& console) {
    const Share& share = engine_.share();
    data::LoaderPlan plan;
    plan.micro_batch = config_.data.micro_batch;
    plan.micro_batches_per_step = config_.micro_batches();
    plan.first = share.first;
    plan.last = share.last;
    plan.stride = share.stride;
    plan.first_step = state_.step;
    plan.last_step = config_.steps;
    std::optional<data::Loader> loader;
    if (engine_.stages().reads()) loader.emplace(data_, plan, augmentation_);

    last_save_ = Clock::now();
    if (state_.unfinished) {
      // The evaluation of this step was stopped, and its checkpoint says so: it is saved again.
      const StepRecord record = *std::exchange(state_.unfinished, std::nullopt);
      saved_step_ = -1;
      if (const std::int64_t reason = finish_step(record, /*save_due=*/true, kNone, files, console))
        return stopped(reason, files, console);
    }
    double rate_seconds = 0;
    std::int64_t rate_steps = 0, session_steps = 0;
    while (state_.step < config_.steps) {
      trace_.before(state_.step + 1);
      const auto start = Clock::now();
      const StepOutcome outcome = step(loader);
      if (outcome.abandoned) {
        if (state_.step > 0) save(files);
        return stopped(outcome.abandoned, files, console);
      }
      const double seconds = seconds_since(start);
      deadline_.step_took(seconds);
      if (++session_steps == 1) state_.seconds_to_first_step = seconds_since(process_start_);
      if (session_steps > 3) rate_seconds += seconds, ++rate_steps;
      // A run too short to leave three steps out states the rate of its last one.
      state_.tokens_per_second = static_cast<double>(config_.tokens_per_step()) *
                                 (rate_steps > 0 ? static_cast<double>(rate_steps) / rate_seconds : 1 / seconds);

      StepRecord record = outcome.record;
      record.tokens_per_second = static_cast<double>(config_.tokens_per_step()) / seconds;
      record.step_ms = 1000 * seconds;
      record.mfu = record.tokens_per_second *
                   engine_.stages().whole().training_flops_per_token(config_.data.sequence_length) / peak_flops_;
      const bool by_steps = config_.checkpoint.every_steps > 0 && state_.step % config_.checkpoint.every_steps == 0;
      if (const std::int64_t reason = finish_step(record, by_steps || outcome.save_due, outcome.stop, files, console))
        return stopped(reason, files, console);
      if (trace_.after(state_.step)) tell_of_trace(console);
    }
    if (trace_.finish()) tell_of_trace(console);
    end(files);
    console.line("checkpoint of step " + std::to_string(state_.step) + " is durable");
    return result(true);
  }

  // Evaluates, logs and saves what is due after a step. Returns the StopReason for which the run ends here.
  std::int64_t finish_step(StepRecord record, bool save_due, std::int64_t stop, RunFiles& files, Console& console) {
    const bool is_last = state_.step == config_.steps;
    if (!evaluations_.empty() && (is_last || state_.step % config_.eval.every_steps == 0)) {
      if (const std::int64_t reason = evaluate(record, files, console)) {
        state_.unfinished = record;
        saved_step_ = -1;
        save(files);
        return reason;
      }
      save_due = save_due || best_losses_.would_keep(*state_.eval_loss, config_.checkpoint.keep_best);
    }
    // The record goes first: a checkpoint must never be ahead of the log that leads to it.
    if (is_last || !record.eval.empty() || state_.step % config_.log.every_steps == 0) {
      record.checkpoint_stall_ms = std::exchange(stall_ms_, 0);
      files.metrics(record);
    }
    console.step(record);
    if (is_last || save_due || stop) save(files);
    return is_last ? kNone : stop;
  }

  void tell_of_trace(Console& console) const {
    console.line("trace: " + trace_.folder().string() + ", for https://ui.perfetto.dev");
  }

  TrainingResult stopped(std::int64_t reason, RunFiles& files, Console& console) {
    if (trace_.finish()) tell_of_trace(console);
    const bool by_signal = reason & kSignal;
    files.event(names::kStopped, state_.step, {{"reason", by_signal ? "signal" : "time-limit"}});
    files.sync();
    console.line((by_signal ? "stopping on request" : "stopping for the time limit") + std::string(": step ") +
                 std::to_string(state_.step) + (state_.step > 0 ? " is saved" : " has nothing to save"));
    return result(false);
  }

  // This rank's StopReason. The time limit is rank 0's to see: one clock decides.
  std::int64_t stop_reason() const {
    return (stop_requested() ? kSignal : kNone) |
           (is_first() && deadline_.passed(seconds_since(process_start_)) ? kTimeLimit : kNone);
  }

  struct StepOutcome {
    std::int64_t abandoned = kNone, stop = kNone;
    bool save_due = false;
    StepRecord record;
  };

  StepOutcome step(std::optional<data::Loader>& loader) {
    const auto begin = Clock::now();
    StepReport report;
    const auto source = [&](std::int64_t) {
      const TraceSpan span(kTraceData, "next micro-batch");
      const auto wait = Clock::now();
      auto batch = std::make_shared<data::MicroBatch>(loader->next());
      report.data_wait_ms += 1000 * seconds_since(wait);
      return batch;
    };
    const auto give_up = [&] {
      return (report.abandoned = report.abandoned ? report.abandoned : stop_reason()) != kNone;
    };
    std::vector<LeafReport> leaves = engine_.accumulate(state_.step, source, give_up);
    report.stop = stop_reason();
    if (is_first() && deadline_.passes_in_next_step(seconds_since(process_start_), seconds_since(begin)))
      report.stop |= kTimeLimit;
    report.save_due =
        config_.checkpoint.every_seconds > 0 && seconds_since(last_save_) >= config_.checkpoint.every_seconds;
    report.resident_bytes = resident_bytes();
    report.peak_bytes = peak_resident_bytes();
    leaves = engine_.exchange(report, std::move(leaves));

    StepOutcome outcome;
    outcome.abandoned = report.abandoned;
    outcome.stop = report.stop;
    outcome.save_due = report.save_due;
    outcome.record.memory_bytes = report.resident_bytes;
    outcome.record.data_wait_ms = report.data_wait_ms;
    if (outcome.abandoned) return outcome;
    state_.peak_memory_bytes = std::max(state_.peak_memory_bytes, report.peak_bytes);

    double loss = 0;
    std::string samples = state_.samples_hash;
    for (const LeafReport& leaf : leaves) {
      loss += leaf.loss;
      samples.append(reinterpret_cast<const char*>(&leaf.samples), sizeof leaf.samples);
    }
    const double norm = engine_.gradient_norm();
    if (!std::isfinite(loss) || !std::isfinite(norm))
      throw Error(ErrorCode::kNumeric, "step ", state_.step + 1, ": loss ", loss, ", gradient norm ", norm,
                  "; lower optimizer.learning-rate, lengthen schedule.warmup-steps or set optimizer.clip-norm");
    const double rate = learning_rate(config_, state_.step + 1);
    engine_.update(state_.step + 1, rate, norm);

    state_.step += 1;
    state_.tokens += config_.tokens_per_step();
    state_.loss = loss;
    state_.samples_hash = xxh3_128_hex(samples);
    outcome.record.step = state_.step;
    outcome.record.tokens = state_.tokens;
    outcome.record.loss = loss;
    outcome.record.grad_norm = norm;
    outcome.record.learning_rate = rate;
    outcome.record.samples_hash = state_.samples_hash;
    return outcome;
  }

  // Returns the StopReason that ended it early; then nothing of it is kept.
  std::int64_t evaluate(StepRecord& record, RunFiles& files, Console& console) {
    const TraceSpan span(kTraceCompute, "evaluation");
    EvaluationSets::Outcome outcome =
        evaluations_.run(engine_.stages(), engine_.optimizer(), [this] { return stop_reason(); });
    if (outcome.stopped) return outcome.stopped;
    record.eval = std::move(outcome.sets);
    state_.eval_loss = record.eval.front().loss;
    state_.eval_bits_per_byte = record.eval.front().bits_per_byte;
    state_.eval_step = state_.step;
    files.event(names::kEval, state_.step,
                {{names::kEvalLoss, *state_.eval_loss},
                 {names::kEvalBitsPerByte, *state_.eval_bits_per_byte},
                 {names::kEval, to_json(record.eval)}});
    for (const SetLoss& set : record.eval) console.line("step " + std::to_string(state_.step) + ": " + loss_text(set));
    write_samples(files, console);
    return kNone;
  }

  void write_samples(RunFiles& files, Console& console) {
    std::int64_t number = 0;
    // No rank's training depends on the texts, so each goes by its own clock.
    const auto stop = [this] { return stop_requested() || deadline_.passed(seconds_since(process_start_)); };
    for (const Sample& sample : samples_->draw(engine_.stages(), stop)) {
      files.event(names::kSample, state_.step,
                  {{names::kNumber, ++number},
                   {names::kPrompt, sample.prompt},
                   {names::kText, sample.text},
                   {"tokens", sample.tokens},
                   {"finish_reason", sample.reason}});
      console.line("  > " + one_line(sample.prompt + sample.text, 110));
    }
  }

  void save(RunFiles& files) {
    last_save_ = Clock::now();
    if (saved_step_ == state_.step) return;
    const TraceSpan span(kTraceCheckpoint, "save");
    files.event(names::kCheckpointRequested, state_.step);
    files.sync();
    weights_hash_ = save_checkpoint(engine_.mesh(), run_, state_, config_,
                                    models::model_json(config_.model, data_.vocabulary_size()), data_.tokenizer_json(),
                                    engine_.parameters(), engine_.optimizer());
    saved_step_ = state_.step;
    if (is_first()) models::prune_checkpoints(run_, config_.checkpoint.keep, config_.checkpoint.keep_best);
    const double seconds = seconds_since(last_save_);
    stall_ms_ += 1000 * seconds;
    deadline_.save_took(seconds);
    json details = {{"weights_hash", weights_hash_}};
    if (state_.eval_step == state_.step && std::isfinite(*state_.eval_loss)) {
      details[names::kEvalLoss] = *state_.eval_loss;
      details["best"] = best_losses_.add(*state_.eval_loss);
    }
    files.event(names::kCheckpointDurable, state_.step, details);
  }

  TrainingResult result(bool complete) const {
    const auto optional = [](const std::optional<double>& value) { return value ? json(*value) : json(nullptr); };
    const json object = {{"run", run_.string()},
                         {"step", state_.step},
                         {"tokens", state_.tokens},
                         {"loss", state_.loss},
                         {"eval_loss", optional(state_.eval_loss)},
                         {"eval_bits_per_byte", optional(state_.eval_bits_per_byte)},
                         {"weights_hash", weights_hash_},
                         {"samples_hash", state_.samples_hash},
                         {"tokens_per_second", state_.tokens_per_second},
                         {"seconds_to_first_step", state_.seconds_to_first_step},
                         {"peak_memory_bytes", state_.peak_memory_bytes}};
    // Paths may hold any bytes.
    return {complete, object.dump(-1, ' ', false, json::error_handler_t::replace)};
  }

  Communicator& world_;
  const TrainConfig config_;
  const std::filesystem::path run_;
  data::TrainingStream data_;
  data::Augmentation augmentation_;
  const EvaluationSets evaluations_;
  std::optional<Samples> samples_;  // of runs that are evaluated
  Engine engine_;
  TrainingState state_;
  StepTrace trace_{engine_.mesh().world(), config_.log, run_};
  Deadline deadline_;
  const Clock::time_point process_start_ =
      Clock::now() - std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(process_seconds()));
  BestLosses best_losses_;
  std::string weights_hash_;
  Clock::time_point last_save_ = Clock::now();
  std::int64_t saved_step_ = -1;
  double peak_flops_ = 1, stall_ms_ = 0;
};

}  // namespace

TrainingResult train(Communicator& world, const TrainConfig& config, const std::filesystem::path& run,
                     const TrainingStart& start) {
  return Trainer(world, config, run, start.time_limit).train(start.resume);
}

}  // namespace trireme::train
