#include "train/loop/trainer.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numbers>

#include "core/base/build_info.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/stop.h"
#include "core/base/text.h"
#include "core/config/sources.h"
#include "data/corpus/corpus.h"
#include "data/loader/loader.h"
#include "models/checkpoint/checkpoint.h"
#include "models/kernels/ops.h"
#include "models/registry.h"
#include "train/loop/console.h"
#include "train/loop/peak.h"
#include "train/loop/run_files.h"
#include "train/optim/adamw.h"
#include "train/optim/gradient_norm.h"
#include "train/optim/schedule.h"
#include "train/parallel/flat_parameters.h"
#include "train/parallel/gradient_reducer.h"
#include "train/recovery/training_state.h"

namespace trireme::train {
namespace {

using Clock = std::chrono::steady_clock;
using nlohmann::json;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::int64_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

std::int64_t peak_resident_bytes() {
  struct rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * 1024;
}

// Seconds since the process was started by exec, to the kernel's 10 ms.
double process_seconds() {
  std::string stat;
  std::getline(std::ifstream("/proc/self/stat"), stat);
  std::istringstream fields(stat.substr(stat.rfind(')') + 2));  // the name before may hold spaces
  std::string skip;
  for (int field = 3; field < 22; ++field) fields >> skip;
  double started = 0, uptime = 0;
  fields >> started;
  std::ifstream("/proc/uptime") >> uptime;
  return uptime - started / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

at::Tensor as_tensor(std::vector<std::int64_t>& values, std::int64_t sequences, std::int64_t length) {
  return at::from_blob(values.data(), {sequences, length}, at::kLong);
}

class Trainer {
 public:
  Trainer(Communicator& world, const TrainConfig& config, std::filesystem::path run)
      : world_(world),
        config_(config),
        run_(std::move(run)),
        corpus_(data::Corpus::open(config.data.path, data::Split::kTraining)),
        model_(models::build_model(config.model, corpus_.vocabulary_size())),
        order_(static_cast<std::uint64_t>(config.seed), corpus_.tokens(), config.data.sequence_length),
        parameters_(model_->parameters(), compute_type(config.precision.compute)),
        reducer_(world, parameters_, config.micro_batches()),
        optimizer_(config.optimizer, parameters_) {
    state_.corpus_hash = corpus_.content_hash();
    state_.fingerprint = machine_fingerprint(at::get_num_threads());
    open_validation();
  }

  TrainingResult train(const std::string& resume) {
    expect_one_run(resume);
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
    RunFiles files(run_, state_.step, is_first());
    if (state_.step == config_.steps) {
      // Complete. A crash right behind the last checkpoint may have left the end out of the log.
      end(files);
      return result(true);
    }
    world_.barrier();
    peak_flops_ = measured_peak_flops(parameters_.compute_type()) * world_.size();
    Console console(is_first(), state_.step, config_.steps, peak_flops_);
    files.event(state_.step == 0 ? "start" : "resumed", state_.step,
                {{"ranks", world_.size()}, {"threads", at::get_num_threads()}, {"fingerprint", state_.fingerprint}});
    if (state_.step > 0) console.line("resumed at step " + std::to_string(state_.step));
    return loop(files, console);
  }

 private:
  bool is_first() const { return world_.rank() == 0; }

  void end(RunFiles& files) {
    if (!files.has_ended()) files.event("end", state_.step, json::parse(result(true).json));
    files.sync();
  }

  // Ranks that differ would train apart without a word, or wait for each other for ever. Each reads its own files and
  // environment, and over several nodes those need not be the same.
  void expect_one_run(const std::string& resume) {
    TrainConfig copy = config_;
    copy.data.path.clear();  // the same tokens may be mounted elsewhere
    std::ostringstream mine;
    mine << to_yaml(fields_of(copy)) << "--resume: " << resume << "\ncorpus: " << corpus_.content_hash()
         << "\nvalidation split: " << (evaluation_ ? validation_->content_hash() : "none")
         << "\ncheckpoints of the run:";
    for (const std::int64_t step : models::checkpoint_steps(run_)) mine << " " << step;
    mine << "\nprogram: " << version_text() << "\n";
    const std::vector<std::string> all = world_.all_gather_text(mine.str());
    for (std::size_t rank = 1; rank < all.size(); ++rank) {
      std::istringstream first(all[0]), other(all[rank]);
      for (std::string a, b; std::getline(first, a) && std::getline(other, b);)
        if (a != b)
          throw Error(ErrorCode::kUsage, "ranks 0 and ", rank, " differ: '", a, "' and '", b,
                      "'; all ranks need the same config, data, program and run directory");
    }
  }

  void open_validation() {
    if (config_.eval.every_steps == 0) return;
    try {
      validation_.emplace(data::Corpus::open(config_.data.path, data::Split::kValidation));
      evaluation_.emplace(*validation_, config_.data.sequence_length, config_.data.micro_batch);
    } catch (const Error& error) {
      // A corpus without a validation split (or one shorter than a sequence) can be trained on; a damaged one cannot.
      if (error.code() != ErrorCode::kNotFound && error.code() != ErrorCode::kBadInput) throw;
      if (is_first()) log_warning(std::string("no evaluation: ") + error.what());
      evaluation_.reset();
    }
  }

  // Leaves state, weights and moments as after the step that the run goes on from.
  void resume_from(const std::string& resume) {
    std::vector<std::int64_t> steps = models::checkpoint_steps(run_);
    if (resume == "never" && !steps.empty())
      throw Error(ErrorCode::kUsage, "--resume=never, but ", run_.string(), " has checkpoints up to step ",
                  steps.back(), "; choose another --run or remove it");
    if (resume != "auto" && resume != "never") {
      const std::int64_t wanted = std::stoll(resume);
      if (std::find(steps.begin(), steps.end(), wanted) == steps.end())
        throw Error(ErrorCode::kUsage, "--resume=", resume, ": ", run_.string(), " has no checkpoint of that step");
      restore(models::Checkpoint::open(models::checkpoint_path(run_, wanted)));
      world_.barrier();  // every rank has it: the later ones are of a timeline that the run leaves here
      if (is_first()) models::remove_checkpoints_after(run_, wanted);
      return;
    }
    for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
      const auto path = models::checkpoint_path(run_, *step);
      std::string damage;
      // Every byte, once: what is read below leaves out the bytes between tensors, and a checkpoint with any damage in
      // it comes from a disk that is not to be trusted.
      if (is_first())
        if (const auto faults = models::check_files(path); !faults.empty()) damage = faults.front();
      try {
        if (damage.empty()) restore(models::Checkpoint::open(path));
      } catch (const Error& error) {
        if (error.code() != ErrorCode::kCorrupt && error.code() != ErrorCode::kNotFound &&
            error.code() != ErrorCode::kIo)
          throw;
        damage = error.what();
      }
      // A rank whose disk shows damage that the others do not see takes them all back with it.
      const std::vector<std::string> all = world_.all_gather_text(damage);
      const auto first = std::find_if(all.begin(), all.end(), [](const std::string& text) { return !text.empty(); });
      if (first == all.end()) {
        if (is_first() && *step != steps.back()) models::set_aside_checkpoints_after(run_, *step);
        return;
      }
      if (is_first())
        log_warning("checkpoint of step " + std::to_string(*step) + " is damaged and passed over: " + *first);
    }
    if (!steps.empty())
      throw Error(ErrorCode::kCorrupt, "every checkpoint of ", run_.string(),
                  " is damaged; remove its checkpoints to start anew");
    state_ = fresh_state();
    parameters_.initialise(static_cast<std::uint64_t>(config_.seed));
    parameters_.publish();
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
    if (checkpoint.model_json() != models::model_json(config_.model, corpus_.vocabulary_size()) &&
        json::parse(checkpoint.model_json()) !=
            json::parse(models::model_json(config_.model, corpus_.vocabulary_size())))
      throw Error(ErrorCode::kUsage, where,
                  " holds another model than the config describes: ", checkpoint.model_json());
    if (state.corpus_hash != state_.corpus_hash)
      throw Error(ErrorCode::kBadInput, "data.path ", config_.data.path, " holds other tokens than ", where,
                  " was trained on");
    load_tensors(checkpoint, parameters_, optimizer_);
    if (state.fingerprint != state_.fingerprint && is_first())
      log_warning("losses and weights may differ in their last bits from here on: the run was saved with " +
                  state.fingerprint + ", this is " + state_.fingerprint);
    const std::string fingerprint = state_.fingerprint;
    state_ = std::move(state);
    state_.fingerprint = fingerprint;
    weights_hash_ = checkpoint.weights_hash();
    saved_step_ = state_.step;
  }

  TrainingResult loop(RunFiles& files, Console& console) {
    const auto [first, last] = reducer_.share();
    data::LoaderPlan plan;
    plan.micro_batch = config_.data.micro_batch;
    plan.micro_batches_per_step = config_.micro_batches();
    plan.first = first;
    plan.last = last;
    plan.first_step = state_.step;
    plan.last_step = config_.steps;
    data::Loader loader(corpus_, order_, config_.data.sequence_length, plan);

    auto last_save = Clock::now();
    double rate_seconds = 0;
    std::int64_t rate_steps = 0, session_steps = 0;
    while (state_.step < config_.steps) {
      const auto start = Clock::now();
      const StepOutcome outcome = step(loader, seconds_since(last_save));
      if (outcome.abandoned) {
        console.line("stopping on request, in the middle of step " + std::to_string(state_.step + 1));
        if (state_.step > 0) save(files, console);
        files.sync();
        return result(false);
      }
      const double seconds = seconds_since(start);
      if (++session_steps == 1) state_.seconds_to_first_step = process_seconds();
      if (session_steps > 3) rate_seconds += seconds, ++rate_steps;
      // A run too short to leave three steps out states the rate of its last one.
      state_.tokens_per_second = static_cast<double>(config_.tokens_per_step()) *
                                 (rate_steps > 0 ? static_cast<double>(rate_steps) / rate_seconds : 1 / seconds);

      StepRecord record = outcome.record;
      record.tokens_per_second = static_cast<double>(config_.tokens_per_step()) / seconds;
      record.step_ms = 1000 * seconds;
      record.mfu =
          record.tokens_per_second * model_->training_flops_per_token(config_.data.sequence_length) / peak_flops_;
      const bool is_last = state_.step == config_.steps;
      if (evaluation_ && (is_last || state_.step % config_.eval.every_steps == 0)) {
        evaluate(files, console);
        record.has_eval = true;
        record.eval_loss = *state_.eval_loss;
      }
      const bool by_steps = config_.checkpoint.every_steps > 0 && state_.step % config_.checkpoint.every_steps == 0;
      // The record goes first: a checkpoint must never be ahead of the log that leads to it.
      if (is_last || record.has_eval || state_.step % config_.log.every_steps == 0) {
        record.checkpoint_stall_ms = std::exchange(stall_ms_, 0);
        files.metrics(record);
      }
      console.step(record);
      if (is_last || by_steps || outcome.save_due || outcome.stop) {
        save(files, console);
        last_save = Clock::now();
      }
      if (outcome.stop && !is_last) {
        console.line("stopping on request after step " + std::to_string(state_.step));
        files.sync();
        return result(false);
      }
    }
    end(files);
    return result(true);
  }

  struct StepOutcome {
    bool abandoned = false, stop = false, save_due = false;
    StepRecord record;
  };

  // What ranks tell each other at the end of a step, once.
  struct Word {
    std::int64_t abandoned = 0, stop = 0, save_due = 0, resident = 0, peak = 0;
    double data_wait_ms = 0;
  };
  struct Leaf {
    double loss = 0;
    std::uint64_t samples = 0;
  };

  StepOutcome step(data::Loader& loader, double seconds_since_save) {
    const auto [first, last] = reducer_.share();
    const std::int64_t most = share_of(config_.micro_batches(), 0, world_.size()).second;  // rank 0 has the most
    const std::size_t size = sizeof(Word) + static_cast<std::size_t>(most) * sizeof(Leaf);
    std::vector<std::byte> mine(size), all(size * static_cast<std::size_t>(world_.size()));
    Word word;
    reducer_.begin_step();
    for (std::int64_t index = first; index < last; ++index) {
      if (stop_requested()) {
        word.abandoned = 1;
        break;
      }
      world_.check();
      const auto wait = Clock::now();
      data::MicroBatch batch = loader.next();
      word.data_wait_ms += 1000 * seconds_since(wait);
      reducer_.begin(index);
      const Leaf leaf{forward_backward(batch), batch.samples_hash};
      reducer_.end();
      std::memcpy(mine.data() + sizeof(Word) + static_cast<std::size_t>(index - first) * sizeof(Leaf), &leaf,
                  sizeof leaf);
    }
    at::Tensor& gradients = reducer_.finish();
    word.stop = stop_requested();
    word.save_due = config_.checkpoint.every_seconds > 0 && seconds_since_save >= config_.checkpoint.every_seconds;
    word.resident = resident_bytes();
    word.peak = peak_resident_bytes();
    std::memcpy(mine.data(), &word, sizeof word);
    world_.all_gather(mine.data(), size, all.data());

    StepOutcome outcome;
    std::int64_t peak = 0;
    double loss = 0;
    std::string samples = state_.samples_hash;
    for (int rank = 0; rank < world_.size(); ++rank) {
      const std::byte* theirs = all.data() + static_cast<std::size_t>(rank) * size;
      std::memcpy(&word, theirs, sizeof word);
      outcome.abandoned = outcome.abandoned || word.abandoned;
      outcome.stop = outcome.stop || word.stop;
      if (rank == 0) outcome.save_due = word.save_due;  // one clock decides
      outcome.record.memory_bytes += word.resident;
      outcome.record.data_wait_ms = std::max(outcome.record.data_wait_ms, word.data_wait_ms);
      peak += word.peak;
      const auto [begin, end] = share_of(config_.micro_batches(), rank, world_.size());
      for (std::int64_t index = 0; index < end - begin; ++index) {
        Leaf leaf;
        std::memcpy(&leaf, theirs + sizeof(Word) + static_cast<std::size_t>(index) * sizeof(Leaf), sizeof leaf);
        loss += leaf.loss;  // in the order of micro-batches, whoever computed them
        samples.append(reinterpret_cast<const char*>(&leaf.samples), sizeof leaf.samples);
      }
    }
    if (outcome.abandoned) return outcome;
    state_.peak_memory_bytes = std::max(state_.peak_memory_bytes, peak);

    const double norm = gradient_norm(world_, gradients, parameters_.size());
    if (!std::isfinite(loss) || !std::isfinite(norm))
      throw Error(ErrorCode::kNumeric, "step ", state_.step + 1, ": loss ", loss, ", gradient norm ", norm,
                  "; lower optimizer.learning-rate, lengthen schedule.warmup-steps or set optimizer.clip-norm");
    const double clip = config_.optimizer.clip_norm;
    const double scale = clip > 0 ? std::min(1.0, clip / (norm + 1e-6)) : 1;
    const double rate = learning_rate(config_, state_.step + 1);
    optimizer_.update(state_.step + 1, rate, scale, gradients);
    parameters_.publish();

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

  // The micro-batch's part of the step's loss: its sum of losses over all of the step's tokens.
  double forward_backward(data::MicroBatch& batch) {
    const at::Tensor hidden = model_->forward(as_tensor(batch.tokens, batch.sequences, batch.length));
    const at::Tensor targets = as_tensor(batch.targets, batch.sequences, batch.length);
    const at::Tensor loss =
        models::ops::next_token_loss(hidden.view({-1, hidden.size(-1)}), model_->head().value, targets.view({-1}),
                                     1.0 / static_cast<double>(config_.tokens_per_step()));
    loss.backward();
    return loss.item<double>();
  }

  void evaluate(RunFiles& files, Console& console) {
    const at::NoGradGuard no_grad;
    const std::int64_t batches = evaluation_->count();
    const std::int64_t each = (batches + world_.size() - 1) / world_.size();
    std::vector<double> mine(static_cast<std::size_t>(each), 0.0);
    std::vector<double> all(static_cast<std::size_t>(each * world_.size()));
    for (std::int64_t i = 0; i < each && world_.rank() * each + i < batches; ++i) {
      world_.check();
      data::MicroBatch batch = evaluation_->batch(world_.rank() * each + i);
      const at::Tensor hidden = model_->forward(as_tensor(batch.tokens, batch.sequences, batch.length));
      mine[static_cast<std::size_t>(i)] =
          models::ops::next_token_loss(hidden.view({-1, hidden.size(-1)}), model_->head().value,
                                       as_tensor(batch.targets, batch.sequences, batch.length).view({-1}), 1.0)
              .item<double>();
    }
    world_.all_gather(mine.data(), mine.size() * sizeof(double), all.data());
    double sum = 0;
    for (const double loss : all) sum += loss;
    state_.eval_loss = sum / static_cast<double>(evaluation_->targets());
    state_.eval_bits_per_byte =
        sum / std::numbers::ln2 / static_cast<double>(std::max<std::int64_t>(1, validation_->text_bytes()));
    files.event("eval", state_.step,
                {{"eval_loss", *state_.eval_loss}, {"eval_bits_per_byte", *state_.eval_bits_per_byte}});
    char text[160];
    std::snprintf(text, sizeof text, "step %lld: validation loss %.4f nats a token, %.4f bits a byte",
                  static_cast<long long>(state_.step), *state_.eval_loss, *state_.eval_bits_per_byte);
    console.line(text);
  }

  void save(RunFiles& files, Console& console) {
    if (saved_step_ == state_.step) return;
    const auto start = Clock::now();
    files.event("checkpoint-requested", state_.step);
    files.sync();
    weights_hash_ =
        save_checkpoint(world_, run_, state_, config_, models::model_json(config_.model, corpus_.vocabulary_size()),
                        corpus_.tokenizer_json(), parameters_, optimizer_);
    saved_step_ = state_.step;
    if (is_first()) models::prune_checkpoints(run_, config_.checkpoint.keep);
    stall_ms_ += 1000 * seconds_since(start);
    files.event("checkpoint-durable", state_.step, {{"weights_hash", weights_hash_}});
    if (state_.step == config_.steps || stop_requested())
      console.line("checkpoint of step " + std::to_string(state_.step) + " is durable");
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
  data::Corpus corpus_;
  std::optional<data::Corpus> validation_;
  std::optional<data::EvaluationBatches> evaluation_;
  std::unique_ptr<models::Model> model_;
  data::SampleOrder order_;
  FlatParameters parameters_;
  GradientReducer reducer_;
  AdamW optimizer_;
  TrainingState state_;
  std::string weights_hash_;
  std::int64_t saved_step_ = -1;
  double peak_flops_ = 1, stall_ms_ = 0;
};

}  // namespace

TrainingResult train(Communicator& world, const TrainConfig& config, const std::filesystem::path& run,
                     const std::string& resume) {
  return Trainer(world, config, run).train(resume);
}

std::string training_plan(Communicator& world, const TrainConfig& config) {
  const data::Corpus corpus = data::Corpus::open(config.data.path, data::Split::kTraining);
  const auto model = models::build_model(config.model, corpus.vocabulary_size());
  const data::SampleOrder order(static_cast<std::uint64_t>(config.seed), corpus.tokens(), config.data.sequence_length);
  const double size = static_cast<double>(model->parameters().elements());
  const double master = config.precision.compute == "fp64" ? 8 : 4,
               rounded = config.precision.compute == "bf16" ? 2 : 0;
  const auto [first, last] = share_of(config.micro_batches(), 0, world.size());
  const int buffers = fold_locally(config.micro_batches(), first, last).buffer_count + (world.size() > 1 ? 1 : 0);
  const double tokens = static_cast<double>(config.tokens_per_step()) * static_cast<double>(config.steps);
  std::ostringstream out;
  out << "model        " << config.model.family << ", " << count_text(size) << " parameters, vocabulary "
      << model->vocabulary() << "\n"
      << "data         " << count_text(static_cast<double>(corpus.tokens())) << " tokens, " << corpus.documents()
      << " documents, " << order.windows_per_epoch() << " sequences an epoch\n"
      << "step         " << config.tokens_per_step() << " tokens in " << config.micro_batches() << " micro-batches of "
      << config.data.micro_batch << " x " << config.data.sequence_length << "\n"
      << "run          " << config.steps << " steps, " << count_text(tokens) << " tokens, "
      << to_text(std::round(100 * tokens / static_cast<double>(corpus.tokens())) / 100) << " epochs, "
      << count_text(tokens * model->training_flops_per_token(config.data.sequence_length)) << " operations\n"
      << "ranks        " << world.size() << " x " << at::get_num_threads() << " threads; micro-batches a rank:";
  for (int rank = 0; rank < world.size(); ++rank) {
    const auto [begin, end] = share_of(config.micro_batches(), rank, world.size());
    out << " " << end - begin;
  }
  out << "\n"
      << "memory       a rank, activations apart: weights " << bytes_text(size * (master + rounded)) << ", moments "
      << bytes_text(2 * size * master) << ", gradients " << bytes_text(buffers * size * master) << "\n";
  return out.str();
}

}  // namespace trireme::train
