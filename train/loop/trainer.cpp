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
#include "models/adapters/adapted_source.h"
#include "models/adapters/base_link.h"
#include "models/checkpoint/manifest.h"
#include "models/checkpoint/run_checkpoints.h"
#include "models/checkpoint/run_owner.h"
#include "models/family.h"
#include "train/loop/best_losses.h"
#include "train/loop/console.h"
#include "train/loop/deadline.h"
#include "train/loop/engine.h"
#include "train/loop/evaluation_sets.h"
#include "train/loop/one_run.h"
#include "train/loop/peak.h"
#include "train/loop/pretrained.h"
#include "train/loop/reference.h"
#include "train/loop/run_files.h"
#include "train/loop/samples.h"
#include "train/loop/saves.h"
#include "train/loop/step_trace.h"
#include "train/loop/training_data.h"
#include "train/optim/schedule.h"
#include "train/recovery/checkpoint_saver.h"
#include "train/recovery/resume.h"
#include "train/recovery/state_loading.h"
#include "train/recovery/training_state.h"

namespace trireme::train {
namespace {

using Clock = std::chrono::steady_clock;
using nlohmann::json;

constexpr const char *kReferenceFile = "reference", *kBaseFolder = "base", *kBaseFromCheckpoint = "../../base";

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

class Trainer {
 public:
  Trainer(Communicator& world, const TrainConfig& config, std::filesystem::path run, const TrainingStart& start)
      : world_(world),
        config_(config),
        run_(std::move(run)),
        starts_before_(start.starts_before),
        data_(open_training_data(config)),
        augmentation_(augmentation_of(config, data_)),
        vocabulary_(vocabulary_of(config, data_)),
        pretrained_(start.pretrained),
        label_place_{.first = models::kind_of(config.model) == models::Family::Kind::kEncoder,
                     .padding_id = config.model.padding},
        engine_(world, config, vocabulary_),
        evaluations_(config, data_, label_place_, world.rank() == 0),
        deadline_(start.time_limit, checkpoint_bytes(engine_.parameters(), engine_.state().size())) {
    state_.corpus_hash = data_.content();
    state_.fingerprint = machine_fingerprint(at::get_num_threads());
    if (pretrained_ && !config_.finetune.importance.empty()) {
      importance_data_.emplace(open_training_data(importance_config()));
      if (importance_data_->labels().of == data::Labels::Of::kPreferences)
        throw Error(ErrorCode::kBadInput, "finetune.importance ", config_.finetune.importance,
                    " holds preferences; it is measured on text or answers");
      if (importance_data_->tokenizer_hash() != data_.tokenizer_hash())
        throw Error(ErrorCode::kBadInput, "finetune.importance ", config_.finetune.importance,
                    " was encoded with another tokenizer than data.path ", config_.data.path);
    }
    if (data_.labels().any() || (importance_data_ && importance_data_->labels().any()))
      engine_.stages().expect_borders();
    if (!evaluations_.empty() && !config_.model.classifies())
      samples_.emplace(config_.eval, static_cast<std::uint64_t>(config_.seed), config_.model.context,
                       data::Tokenizer::parse(data_.tokenizer_json(), config_.data.path));
  }

  TrainingResult train(const std::string& resume) {
    expect_one_run(world_, config_, run_,
                   "--resume: " + resume + "\ncorpus: " + data_.content() + "\n" + evaluations_.contents() +
                       (importance_data_ ? "\nimportance: " + importance_data_->content() : ""));
    ResumePoint point = resume_from(resume);
    // Nothing has been changed so far: a start that cannot be ends no other one.
    std::optional<models::RunOwner> owner;
    std::string folder;
    if (is_first()) {
      owner.emplace(models::RunOwner::claim(run_, starts_before_));
      folder = owner->folder().string() + (models::checkpoint_steps(run_) == point.seen ? "=" : "!");
    }
    folder = world_.all_gather_text(folder)[0];
    // Whoever owned the run before may have saved once more meanwhile, and can no longer.
    if (folder.back() == '!') point = resume_from(resume);
    folder.pop_back();
    try {
      if (owner) {
        settle(*owner, point, retention_of(config_.checkpoint));
        if (!point.step && needs_base()) keep_base(*owner);
        TrainConfig copy = config_;
        owner->put(run_ / "config.yaml", to_yaml(fields_of(copy)));
      }
      world_.barrier();
      RunFiles files(owner ? &*owner : nullptr, state_.step, /*has_record=*/!state_.unfinished);
      // Complete: a crash right behind the last checkpoint may have left the end out of the log.
      const bool is_complete = state_.step == config_.steps && !state_.unfinished;
      const TrainingResult result = is_complete ? end(files) : go_on(owner ? &*owner : nullptr, files, folder);
      if (owner) owner->release();
      return result;
    } catch (const Error& error) {
      // A path that is gone has a reason.
      if (owner && (error.code() == ErrorCode::kIo || error.code() == ErrorCode::kNotFound)) owner->check();
      throw;
    }
  }

 private:
  // What one start has that trains, from where the run is its own.
  struct Session {
    Session(Trainer& trainer, const models::RunOwner* run_owner, RunFiles& run_files,
            const std::filesystem::path& folder, BestLosses losses)
        : owner(run_owner),
          files(run_files),
          console(trainer.is_first(), trainer.state_.step, trainer.config_.steps, trainer.peak_flops_),
          trace(trainer.engine_.mesh().world(), trainer.config_.log, trainer.run_, folder),
          saver(trainer.engine_.mesh(), trainer.engine_.parameters(), trainer.engine_.state(),
                trainer.config_.checkpoint, trainer.run_, run_owner, folder,
                models::model_json(trainer.config_.model, trainer.vocabulary_), trainer.tokenizer_json_,
                trainer.companions_),
          saves(trainer.world_, trainer.config_, saver, files, console, trainer.deadline_, std::move(losses),
                trainer.newest_, /*is_current=*/!trainer.state_.unfinished) {}

    const models::RunOwner* const owner;  // on rank 0
    RunFiles& files;
    Console console;
    StepTrace trace;
    CheckpointSaver saver;  // its thread is done with all the above before they go
    Saves saves;
  };

  bool is_first() const { return world_.rank() == 0; }

  TrainingResult go_on(const models::RunOwner* owner, RunFiles& files, const std::filesystem::path& folder) {
    BestLosses losses;
    losses.read(world_, run_);
    world_.barrier();
    peak_flops_ = measured_peak_flops(engine_.parameters().compute_type()) * world_.size();
    Session session(*this, owner, files, folder, std::move(losses));
    json details = {{"ranks", world_.size()}, {"threads", at::get_num_threads()}, {"fingerprint", state_.fingerprint}};
    if (owner) details["generation"] = owner->generation();
    if (state_.step > 0) details["restore_ms"] = restore_ms_;
    files.event(state_.step == 0 ? names::kStart : names::kResumed, state_.step, details);
    if (owner && owner->before())
      session.console.line("the start before, " + *owner->before() +
                           ", did not say that it ended: it can no longer change the run");
    if (state_.step > 0) session.console.line("resumed at step " + std::to_string(state_.step));
    std::int64_t stopped = state_.step == 0 ? measure_importance(session) : kNone;
    if (!stopped) stopped = take_reference(session);
    if (!stopped) stopped = loop(session);
    newest_ = session.saves.newest();
    if (session.trace.finish()) tell_of_trace(session);
    if (!stopped) return end(files);
    const bool by_signal = stopped & kSignal;
    files.event(names::kStopped, state_.step, {{"reason", by_signal ? "signal" : "time-limit"}});
    files.sync();
    session.console.line((by_signal ? "stopping on request" : "stopping for the time limit") + std::string(": step ") +
                         std::to_string(state_.step) + (state_.step > 0 ? " is saved" : " has nothing to save"));
    return result(false);
  }

  TrainingResult end(RunFiles& files) {
    if (!files.has_ended()) files.event(names::kEnd, state_.step, json::parse(result(true).json));
    files.sync();
    return result(true);
  }

  // Leaves state, weights and moments as after the step that the run goes on from.
  ResumePoint resume_from(const std::string& resume) {
    const auto begin = Clock::now();
    const ResumePoint point = restore_run(world_, run_, resume, config_.recovery.on_damage == "fall-back",
                                          [&](const models::Checkpoint& checkpoint) { restore(checkpoint); });
    if (point.step) {
      loading_->spread();
      loading_.reset();
      restore_ms_ = 1000 * seconds_since(begin);
      engine_.parameters().publish();
      if (needs_base())
        take_base(models::open_base(models::Checkpoint::open(models::checkpoint_path(run_, *point.step))));
    } else {
      state_ = fresh_state();
      newest_ = {};
      engine_.initialise(pretrained_);
      tell_of_labels();
      tokenizer_json_ = data_.tokenizer_json();
      if (tokenizer_json_.empty() && pretrained_)
        tokenizer_json_ = pretrained_->companion(models::kTokenizerFile).value_or("");
      if (pretrained_ && is_first() && !data_.tokenizer_json().empty() &&
          pretrained_->companion(models::kTokenizerFile) != data_.tokenizer_json())
        log_warning(pretrained_->where() +
                    " came with another tokenizer than the corpus was encoded with: its tokens "
                    "may mean something else");
      companions_ = pretrained_ ? models::companions_of(*pretrained_) : std::map<std::string, std::string>();
      companions_.erase(models::kBaseFile);
      // A conversation is written as those that were learnt.
      for (const auto& [name, text] : data_.parts()[0].corpus.companions()) companions_[name] = text;
      if (needs_base()) {
        // One rank reads all of it, for its hash.
        const std::string link = is_first() ? to_json(models::link_to(base(), kBaseFromCheckpoint)) : "";
        companions_[models::kBaseFile] = world_.all_gather_text(link)[0];
        if (Anchor* const anchor = engine_.anchor()) anchor->start_from(*pretrained_);
      }
    }
    if (state_.step > config_.steps)
      throw Error(ErrorCode::kUsage, "steps is ", config_.steps, ", but ", run_.string(), " has reached step ",
                  state_.step, "; to go back, add --resume=STEP of an earlier checkpoint");
    return point;
  }

  // Whether the model that the run began with is needed as long as it trains: adapters change it, or weights are kept
  // near it.
  bool needs_base() const { return config_.model.lora.rank > 0 || config_.finetune.penalty > 0; }

  void take_base(std::shared_ptr<const models::ModelSource> source) {
    engine_.take_frozen(source);
    if (Anchor* const anchor = engine_.anchor()) anchor->start_from(*source);
  }

  // That of a run that has yet to begin.
  const models::ModelSource& base() const {
    const auto* const adapted = dynamic_cast<const models::AdaptedSource*>(pretrained_.get());
    return adapted ? adapted->base() : *pretrained_;
  }

  void keep_base(const models::RunOwner& owner) const {
    const std::filesystem::path kept = run_ / kBaseFolder;
    const models::BaseLink link = models::base_link_from_json(companions_.at(models::kBaseFile), kept.string());
    if (std::filesystem::exists(kept)) {
      if (models::holds(kept, link)) return;  // of a start without a save
      log_warning("what lies in " + kept.string() + " is not the model that the run begins with; it is kept as " +
                  owner.set_aside(kept, "left").string());
    }
    const std::filesystem::path fresh = owner.fresh(kBaseFolder);
    models::keep_model(base(), link, fresh);
    owner.give(fresh, kept);
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
    if (!models::is_same_model(checkpoint.model_json(), models::model_json(config_.model, vocabulary_)))
      throw Error(ErrorCode::kUsage, where,
                  " holds another model than the config describes: ", checkpoint.model_json());
    data_.expect_content(state.corpus_hash, where);
    loading_.emplace(StatePlan(engine_.mesh(), engine_.parameters(), engine_.state()));
    loading_->read(checkpoint);
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
    newest_ = {state_.step, checkpoint.weights_hash()};
    companions_ = models::companions_of(checkpoint);
    tokenizer_json_ = checkpoint.tokenizer_json();
  }

  void tell_of_labels() const {
    if (!is_first() || !data_.labels().any()) return;
    if (const std::int64_t longer = data_.longer_texts(); longer > 0)
      log_warning(std::to_string(longer) + (data_.labels().of == data::Labels::Of::kPreferences ? " pairs" : " texts") +
                  " of " + config_.data.path + " are longer than data.sequence-length " +
                  std::to_string(config_.data.sequence_length) + ", and are cut there");
    if (pretrained_ && has_new_head(shape_of(*pretrained_), config_.model))
      log_warning(pretrained_->where() + " does not end in model.head " + config_.model.head + " with the labels " +
                  one_line(join(config_.model.labels, ", "), 200) + ": that head begins with random weights");
  }

  // This rank's micro-batches of steps.
  data::LoaderPlan loader_plan(std::int64_t first_step, std::int64_t last_step) const {
    const Share& share = engine_.share();
    data::LoaderPlan plan;
    plan.micro_batch = config_.data.micro_batch;
    plan.micro_batches_per_step = config_.micro_batches();
    plan.first = share.first;
    plan.last = share.last;
    plan.stride = share.stride;
    plan.first_step = first_step;
    plan.last_step = last_step;
    plan.label_place = label_place_;
    return plan;
  }

  // Before the first step: which weights matter for the corpus of finetune.importance, where there is one. Returns the
  // StopReason for which it was given up; the next start begins anew.
  std::int64_t measure_importance(Session& session) {
    if (!importance_data_) return kNone;
    const auto begin = Clock::now();
    const std::int64_t steps = config_.finetune.importance_steps;
    session.console.line("measuring which weights matter for " + config_.finetune.importance);
    std::optional<data::Loader> loader;
    const data::Augmentation plain = augmentation_of(importance_config(), *importance_data_);
    if (engine_.stages().reads()) loader.emplace(*importance_data_, loader_plan(0, steps), plain);
    for (std::int64_t step = 0; step < steps; ++step) {
      StepReport report;
      const auto source = [&](std::int64_t) { return std::make_shared<data::MicroBatch>(loader->next()); };
      const auto give_up = [&] {
        return (report.abandoned = report.abandoned ? report.abandoned : stop_reason()) != kNone;
      };
      std::vector<LeafReport> leaves = engine_.accumulate(step, source, give_up, /*drops=*/false);
      report.stop = stop_reason();
      engine_.exchange(report, std::move(leaves));
      if (const std::int64_t reason = report.abandoned | report.stop) return reason;
      engine_.measure_importance();
    }
    engine_.anchor()->end_measuring();
    session.files.event("importance", 0, {{"steps", steps}, {"seconds", seconds_since(begin)}});
    return kNone;
  }

  // Of preferences: what the model says of them before the first step. Returns the StopReason for which it was given
  // up.
  std::int64_t take_reference(Session& session) {
    if (data_.labels().of != data::Labels::Of::kPreferences) return kNone;
    const std::filesystem::path path = run_ / kReferenceFile;
    if (state_.step > 0) {
      reference_ = Reference::from_bytes(read_file(path), path.string());
    } else {
      const auto begin = Clock::now();
      session.console.line("asking the model of all preferences as it begins");
      const Stages::Size size{config_.data.micro_batch, config_.data.sequence_length};
      const auto measure = [&](const data::Corpus& corpus) {
        return reference_.measure(engine_.stages(), corpus, size, [&] { return stop_reason(); });
      };
      for (const data::TrainingStream::Part& part : data_.parts())
        if (const std::int64_t reason = measure(part.corpus)) return reason;
      for (const Evaluation& set : evaluations_.sets())
        if (const std::int64_t reason = measure(set.corpus())) return reason;
      if (session.owner) session.owner->put(path, reference_.to_bytes());
      session.files.event("reference", 0, {{"seconds", seconds_since(begin)}});
    }
    for (Evaluation& set : evaluations_.sets()) set.compare_with(reference_.of(set.corpus()));
    for (const data::TrainingStream::Part& part : data_.parts()) margins_.push_back(&reference_.of(part.corpus));
    return kNone;
  }

  // Returns the StopReason for which it ended before the last step.
  std::int64_t loop(Session& session) {
    std::optional<data::Loader> loader;
    if (engine_.stages().reads()) loader.emplace(data_, loader_plan(state_.step, config_.steps), augmentation_);

    if (state_.unfinished) {
      // The evaluation of this step was stopped, and its checkpoint says so: it is saved again.
      const StepRecord record = *std::exchange(state_.unfinished, std::nullopt);
      if (const std::int64_t reason = finish_step(record, /*save_due=*/true, kNone, session)) return reason;
    }
    double rate_seconds = 0;
    std::int64_t rate_steps = 0, session_steps = 0;
    while (state_.step < config_.steps) {
      session.trace.before(state_.step + 1);
      const auto start = Clock::now();
      const StepOutcome outcome = step(loader, session);
      if (outcome.abandoned) {
        if (state_.step > 0) session.saves.save_and_wait(state_);
        return outcome.abandoned;
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
      session.saves.advance(outcome.save_phase);
      if (const std::int64_t reason = finish_step(record, by_steps || outcome.save_due, outcome.stop, session))
        return reason;
      if (session.trace.after(state_.step)) tell_of_trace(session);
    }
    return kNone;
  }

  // Evaluates, logs and saves what is due after a step. Returns the StopReason for which the run ends here.
  std::int64_t finish_step(StepRecord record, bool save_due, std::int64_t stop, Session& session) {
    const bool is_last = state_.step == config_.steps;
    if (!evaluations_.empty() && (is_last || state_.step % config_.eval.every_steps == 0)) {
      if (const std::int64_t reason = evaluate(record, session)) {
        state_.unfinished = record;
        session.saves.save_and_wait(state_);
        return reason;
      }
      save_due = save_due || session.saves.would_keep(*state_.eval_loss);
    }
    // The record goes first: a checkpoint must never be ahead of the log that leads to it.
    if (is_last || !record.eval.empty() || state_.step % config_.log.every_steps == 0) {
      session.saves.put_times(record);
      session.files.metrics(record);
    }
    session.console.step(record);
    if (is_last || stop)
      session.saves.save_and_wait(state_);
    else if (save_due)
      session.saves.save(state_);
    return is_last ? kNone : stop;
  }

  void tell_of_trace(Session& session) const {
    session.console.line("trace: " + session.trace.folder().string() + ", for https://ui.perfetto.dev");
  }

  // This rank's StopReason. The time limit is rank 0's to see: one clock decides.
  std::int64_t stop_reason() const {
    return (stop_requested() ? kSignal : kNone) |
           (is_first() && deadline_.passed(seconds_since(process_start_)) ? kTimeLimit : kNone);
  }

  struct StepOutcome {
    std::int64_t abandoned = kNone, stop = kNone;
    bool save_due = false;
    SavePhase save_phase = SavePhase::kDone;
    StepRecord record;
  };

  StepOutcome step(std::optional<data::Loader>& loader, Session& session) {
    const auto begin = Clock::now();
    StepReport report;
    const auto source = [&](std::int64_t) {
      const TraceSpan span(kTraceData, "next micro-batch");
      const auto wait = Clock::now();
      auto batch = std::make_shared<data::MicroBatch>(loader->next());
      compare(*batch, [this](std::int64_t corpus) -> const std::vector<double>& {
        return *margins_[static_cast<std::size_t>(corpus)];
      });
      report.data_wait_ms += 1000 * seconds_since(wait);
      return batch;
    };
    const auto give_up = [&] {
      session.saves.poll();
      return (report.abandoned = report.abandoned ? report.abandoned : stop_reason()) != kNone;
    };
    std::vector<LeafReport> leaves = engine_.accumulate(state_.step, source, give_up);
    report.stop = stop_reason();
    if (is_first() && deadline_.passes_in_next_step(seconds_since(process_start_), seconds_since(begin)))
      report.stop |= kTimeLimit;
    session.saves.poll();
    report.save_phase = static_cast<std::int64_t>(session.saves.phase());
    report.save_due = session.saves.is_due();
    if (session.owner && seconds_since(owner_checked_) >= 1) {
      owner_checked_ = Clock::now();
      session.owner->check();
    }
    report.resident_bytes = resident_bytes();
    report.peak_bytes = peak_resident_bytes();
    leaves = engine_.exchange(report, std::move(leaves));

    StepOutcome outcome;
    outcome.abandoned = report.abandoned;
    outcome.stop = report.stop;
    outcome.save_due = report.save_due;
    outcome.save_phase = static_cast<SavePhase>(report.save_phase);
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
    const double penalty = engine_.add_penalty();
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
    outcome.record.penalty = penalty;
    outcome.record.grad_norm = norm;
    outcome.record.learning_rate = rate;
    outcome.record.samples_hash = state_.samples_hash;
    return outcome;
  }

  // Returns the StopReason that ended it early; then nothing of it is kept.
  std::int64_t evaluate(StepRecord& record, Session& session) {
    const TraceSpan span(kTraceCompute, "evaluation");
    EvaluationSets::Outcome outcome = evaluations_.run(engine_.stages(), engine_.optimizer(), [&] {
      session.saves.poll();
      return stop_reason();
    });
    if (outcome.stopped) return outcome.stopped;
    record.eval = std::move(outcome.sets);
    state_.eval_loss = record.eval.front().loss;
    state_.eval_bits_per_byte = record.eval.front().bits_per_byte;
    state_.eval_accuracy = record.eval.front().accuracy;
    state_.eval_step = state_.step;
    json found = {{names::kEvalLoss, *state_.eval_loss}, {names::kEval, to_json(record.eval)}};
    if (state_.eval_bits_per_byte) found[names::kEvalBitsPerByte] = *state_.eval_bits_per_byte;
    if (state_.eval_accuracy) found[names::kEvalAccuracy] = *state_.eval_accuracy;
    session.files.event(names::kEval, state_.step, std::move(found));
    for (const SetLoss& set : record.eval)
      session.console.line("step " + std::to_string(state_.step) + ": " + loss_text(set));
    if (samples_) write_samples(session);
    return kNone;
  }

  void write_samples(Session& session) {
    std::int64_t number = 0;
    // No rank's training depends on the texts, so each goes by its own clock.
    const auto stop = [&] {
      session.saves.poll();
      return stop_requested() || deadline_.passed(seconds_since(process_start_));
    };
    for (const Sample& sample : samples_->draw(engine_.stages(), stop)) {
      session.files.event(names::kSample, state_.step,
                          {{names::kNumber, ++number},
                           {names::kPrompt, sample.prompt},
                           {names::kText, sample.text},
                           {"tokens", sample.tokens},
                           {"finish_reason", sample.reason}});
      session.console.line("  > " + one_line(sample.prompt + sample.text, 110));
    }
  }

  TrainingResult result(bool complete) const {
    const auto optional = [](const std::optional<double>& value) { return value ? json(*value) : json(nullptr); };
    const json object = {{"run", run_.string()},
                         {"step", state_.step},
                         {"tokens", state_.tokens},
                         {"loss", state_.loss},
                         {"eval_loss", optional(state_.eval_loss)},
                         {"eval_bits_per_byte", optional(state_.eval_bits_per_byte)},
                         {"eval_accuracy", optional(state_.eval_accuracy)},
                         {"weights_hash", newest_.weights_hash},
                         {"samples_hash", state_.samples_hash},
                         {"tokens_per_second", state_.tokens_per_second},
                         {"seconds_to_first_step", state_.seconds_to_first_step},
                         {"peak_memory_bytes", state_.peak_memory_bytes}};
    // Paths may hold any bytes.
    return {complete, object.dump(-1, ' ', false, json::error_handler_t::replace)};
  }

  // Of the stream of finetune.importance: its texts as they are.
  TrainConfig importance_config() const {
    TrainConfig config = config_;
    config.data.path = config.finetune.importance;
    config.data.token_dropout = config.data.fim_rate = 0;
    return config;
  }

  Communicator& world_;
  const TrainConfig config_;
  const std::filesystem::path run_;
  const std::int64_t starts_before_;  // when this one began
  data::TrainingStream data_;
  data::Augmentation augmentation_;
  std::optional<data::TrainingStream> importance_data_;  // of a run that has yet to begin
  Reference reference_;                                  // of preferences
  std::vector<const std::vector<double>*> margins_;      // of each part of data_
  const std::int64_t vocabulary_;
  const std::shared_ptr<const models::ModelSource> pretrained_;
  std::map<std::string, std::string> companions_;  // of a model from elsewhere: they leave with what is made of it
  const data::LabelPlace label_place_;
  Engine engine_;
  EvaluationSets evaluations_;
  std::optional<Samples> samples_;  // of runs that are evaluated
  std::string tokenizer_json_;      // of the corpus, or where that has none, the one that the model came with
  TrainingState state_;
  Deadline deadline_;
  const Clock::time_point process_start_ =
      Clock::now() - std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(process_seconds()));
  std::optional<StateLoading> loading_;  // while the run is restored
  DurableStep newest_;
  Clock::time_point owner_checked_ = Clock::now();
  double peak_flops_ = 1, restore_ms_ = 0;
};

}  // namespace

TrainingResult train(Communicator& world, const TrainConfig& config, const std::filesystem::path& run,
                     const TrainingStart& start) {
  return Trainer(world, config, run, start).train(start.resume);
}

}  // namespace trireme::train
