#include "train/recovery/checkpoint_saver.h"

#include <memory>
#include <mutex>
#include <system_error>
#include <utility>

#include "core/base/durable.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "models/checkpoint/write_checkpoint.h"
#include "train/parallel/sites.h"

namespace trireme::train {
namespace {

namespace fs = std::filesystem;

double ms_between(std::chrono::steady_clock::time_point begin, std::chrono::steady_clock::time_point end) {
  return std::chrono::duration<double, std::milli>(end - begin).count();
}

}  // namespace

models::Retention retention_of(const CheckpointConfig& config) {
  return {config.keep, config.keep_best, config.keep_every};
}

CheckpointSaver::CheckpointSaver(const Mesh& mesh, FlatParameters& parameters, std::vector<StateRow> rows,
                                 const CheckpointConfig& config, fs::path run, const models::RunOwner* owner,
                                 fs::path folder, std::string model_json, std::string tokenizer_json,
                                 std::map<std::string, std::string> companions)
    : mesh_(mesh),
      config_(config),
      run_(std::move(run)),
      owner_(owner),
      folder_(std::move(folder)),
      model_json_(std::move(model_json)),
      tokenizer_json_(std::move(tokenizer_json)),
      companions_(std::move(companions)),
      checkpoint_bytes_(train::checkpoint_bytes(parameters, rows.size())),
      snapshot_(StatePlan(mesh, parameters, std::move(rows)), config.writers) {}

CheckpointSaver::~CheckpointSaver() {
  give_up_ = true;
  if (thread_.joinable()) thread_.join();
  if (is_under_way() && !is_first()) {
    // The run ends by an error: until the process has ended, a message to rank 0 may still be made of it.
    static std::mutex mutex;
    static auto* const kept = new std::vector<std::shared_ptr<void>>;
    const std::lock_guard lock(mutex);
    kept->push_back(std::make_shared<std::vector<Share>>(std::move(shares_)));
  }
}

void CheckpointSaver::run(std::function<void()> work) {
  if (thread_.joinable()) thread_.join();
  thread_phase_ = SavePhase::kBusy;
  error_.clear();
  const auto failed = [this](const std::exception& error) {
    error_ = error.what();
    if (error_.empty()) error_ = "an error without a message";
    thread_phase_ = SavePhase::kFailed;
  };
  try {
    thread_ = std::thread([this, failed, work = std::move(work)] {
      try {
        work();
        thread_phase_ = SavePhase::kDone;
      } catch (const std::exception& error) {
        failed(error);
      }
    });
  } catch (const std::system_error& error) {  // as many threads as there may be
    failed(error);
  }
}

SavePhase CheckpointSaver::phase() const {
  if (stage_ == Stage::kNone) return SavePhase::kDone;
  if (stage_ != Stage::kEnded) return SavePhase::kBusy;
  return outcome_.failure.empty() ? SavePhase::kDone : SavePhase::kFailed;
}

std::string CheckpointSaver::room_fault() const {
  // Beside the tensors: manifest, HDF5's own bytes, the tokenizer. A share of each.
  const auto needed = static_cast<std::uintmax_t>(static_cast<double>(checkpoint_bytes_) * 1.01) +
                      tokenizer_json_.size() + (std::uintmax_t{64} << 10);
  std::error_code error;
  const fs::space_info space = fs::space(folder_, error);
  if (error || space.available >= needed) return "";
  return "it needs about " + bytes_text(static_cast<double>(needed)) + ", " +
         bytes_text(static_cast<double>(space.available)) + " are free in " + run_.string();
}

// Each rank takes its memory, rank 0 makes the folder that all write into. Returns why not.
std::string CheckpointSaver::prepare(std::int64_t step) {
  ++saves_;
  staging_ = folder_ / ("save-" + std::to_string(saves_) + "-step-" + std::to_string(step));
  std::string fault;
  try {
    snapshot_.reserve();
    if (owner_) fault = room_fault();
    if (owner_ && fault.empty()) make_folder(staging_, "folder");
  } catch (const Error& error) {
    if (owner_) owner_->check();
    fault = error.what();
  }
  const std::vector<std::string> faults = mesh_.world().all_gather_text(fault);
  for (std::size_t rank = 0; rank < faults.size(); ++rank) {
    if (faults[rank].empty()) continue;
    if (owner_) remove_or_warn(staging_);
    return (rank > 0 ? "rank " + std::to_string(rank) + ": " : std::string()) + faults[rank];
  }
  return "";
}

std::optional<CheckpointSaver::Outcome> CheckpointSaver::start(std::int64_t step, std::string training_json,
                                                               std::function<void()> before_commit) {
  if (is_under_way()) throw Error(ErrorCode::kBug, "a save begins while another one is under way");
  const Clock::time_point begin = Clock::now();
  outcome_ = {};
  outcome_.step = step;
  if (std::string fault = prepare(step); !fault.empty()) {
    outcome_.failure = std::move(fault);
    return outcome_;
  }
  training_json_ = std::move(training_json);
  before_commit_ = std::move(before_commit);
  snapshot_.take();
  copied_ = Clock::now();
  outcome_.stall_ms = ms_between(begin, copied_);
  stage_ = Stage::kWriting;
  Communicator& world = mesh_.world();
  shares_ = std::vector<Share>(is_first() ? static_cast<std::size_t>(world.size()) : 1);
  for (std::size_t rank = 1; rank < shares_.size(); ++rank)
    shares_[rank].length_under_way = world.start_receive(&shares_[rank].length, sizeof shares_[rank].length,
                                                         static_cast<int>(rank), kCheckpointShares);
  run([this] { write(); });
  return std::nullopt;
}

void CheckpointSaver::write() {
  const auto data = [this](std::size_t i) {
    if (give_up_) throw Error(ErrorCode::kInterrupted, "the run ends before it was written");
    return snapshot_.slices()[i].data;
  };
  written_ = models::write_share(staging_, mesh_.world().rank(), snapshot_.slices(), data);
}

void CheckpointSaver::commit(const std::vector<std::string>& shares) {
  const fs::path directory = models::checkpoint_path(run_, outcome_.step);
  before_commit_();
  models::Committed committed;
  try {
    committed = models::commit_checkpoint(staging_, directory, shares,
                                          {model_json_, training_json_, tokenizer_json_, "", companions_});
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kNotFound) owner_->check();
    throw;
  }
  outcome_.write_ms = ms_between(copied_, Clock::now());
  outcome_.weights_hash = committed.weights_hash;
  outcome_.bytes = static_cast<std::int64_t>(committed.bytes);
  // It is durable: what goes wrong from here on is no fault of the save.
  try {
    if (fs::exists(staging_)) remove_or_warn(staging_);  // what had the name before
    models::prune_checkpoints(*owner_, retention_of(config_));
  } catch (const std::exception& error) {
    log_warning(std::string("older checkpoints stay: ") + error.what());
  }
}

void CheckpointSaver::send_share() {
  constexpr char kDone = '=', kFailed = '!';
  Share& mine = shares_[0];
  mine.text = thread_phase_.load() == SavePhase::kDone ? kDone + written_ : kFailed + error_;
  mine.length = mine.text.size();
  mine.is_here = true;
  written_.clear();
  stage_ = Stage::kCollecting;
  if (is_first()) return;
  Communicator& world = mesh_.world();
  mine.length_under_way = world.start_send(&mine.length, sizeof mine.length, 0, kCheckpointShares);
  mine.text_under_way = world.start_send(mine.text.data(), mine.text.size(), 0, kCheckpointShares);
}

// Of rank 0.
bool CheckpointSaver::have_all_shares() {
  bool all = true;
  for (std::size_t rank = 0; rank < shares_.size(); ++rank) {
    Share& share = shares_[rank];
    if (!share.is_here && !share.text_under_way && share.length_under_way->done()) {
      share.text.resize(share.length);
      share.text_under_way =
          mesh_.world().start_receive(share.text.data(), share.text.size(), static_cast<int>(rank), kCheckpointShares);
    }
    if (!share.is_here && share.text_under_way) share.is_here = share.text_under_way->done();
    all = all && share.is_here;
  }
  return all;
}

std::optional<CheckpointSaver::Outcome> CheckpointSaver::poll() {
  if (stage_ == Stage::kNone || stage_ == Stage::kEnded) return std::nullopt;
  if (stage_ == Stage::kWriting && is_thread_done()) send_share();
  if (!is_first()) {
    for (const auto* transfer : {&shares_[0].length_under_way, &shares_[0].text_under_way})
      if (*transfer) (void)(*transfer)->done();
    return std::nullopt;
  }
  if (stage_ == Stage::kCollecting && have_all_shares()) {
    std::vector<std::string> shares;
    for (std::size_t rank = 0; rank < shares_.size(); ++rank) {
      const bool is_done = shares_[rank].text[0] == '=';
      std::string text = std::move(shares_[rank].text).substr(1);
      if (!is_done) return ended((shares_.size() > 1 ? "rank " + std::to_string(rank) + ": " : std::string()) + text);
      shares.push_back(std::move(text));
    }
    stage_ = Stage::kCommitting;
    run([this, shares = std::move(shares)] { commit(shares); });
  }
  if (stage_ == Stage::kCommitting && is_thread_done()) return ended(error_);
  return std::nullopt;
}

// On rank 0, when nobody writes any more.
std::optional<CheckpointSaver::Outcome> CheckpointSaver::ended(std::string failure) {
  stage_ = Stage::kEnded;
  outcome_.failure = std::move(failure);
  if (!outcome_.failure.empty()) {
    owner_->check();
    remove_or_warn(staging_);
  }
  return outcome_;
}

std::optional<CheckpointSaver::Outcome> CheckpointSaver::advance(SavePhase told) {
  if (stage_ == Stage::kNone || told == SavePhase::kBusy) return std::nullopt;
  for (const Share& share : shares_)
    for (const auto* transfer : {&share.length_under_way, &share.text_under_way})
      if (*transfer) (*transfer)->wait();
  shares_.clear();
  if (told == SavePhase::kFailed) outcome_.failure = mesh_.world().all_gather_text(outcome_.failure)[0];
  stage_ = Stage::kNone;
  return outcome_;
}

std::optional<CheckpointSaver::Outcome> CheckpointSaver::finish() {
  if (stage_ == Stage::kNone) return std::nullopt;
  std::optional<Outcome> outcome;
  const Stage last = is_first() ? Stage::kEnded : Stage::kCollecting;
  while (stage_ != last) {
    mesh_.world().check();
    if (auto known = poll()) outcome = std::move(known);
    if (stage_ != last) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return outcome;
}

}  // namespace trireme::train
