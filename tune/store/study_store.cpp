#include "tune/store/study_store.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

#include "core/base/error.h"
#include "core/base/process.h"
#include "core/base/text.h"
#include "tune/store/database.h"
#include "tune/store/location.h"
#include "tune/store/postgres_database.h"
#include "tune/store/schema.h"
#include "tune/store/sqlite_database.h"
#include "tune/store/trial_rows.h"

namespace trireme::tune {
namespace {

constexpr double kLongestLease = 1e9;  // seconds: some thirty years

std::unique_ptr<Database> connect(const Location& location) {
  if (location.is_url) return std::make_unique<PostgresDatabase>(location.address, location.shown);
  return std::make_unique<SqliteDatabase>(location.address);
}

// @returns false when there is a study of this name
bool insert_study(Database& database, const Location& location, const StudyRecord& record) {
  migrate_schema(database, schema_version(database, location.shown));
  return !database
              .execute(
                  "insert into trireme_tune_study (name, sweep, origin, created, revision) values ($1, $2, $3, $4, $5)"
                  " on conflict (name) do nothing returning name",
                  {location.study, record.sweep, well_formed_utf8(record.origin), database.now(), std::int64_t{0}})
              .empty();
}

std::vector<Row> find_study(Database& database, const std::string& study) {
  return database.execute("select sweep, origin, created from trireme_tune_study where name = $1", {study});
}

bool has_live_lease(const Trial& trial, double now) {
  return trial.state == TrialState::kRunning && trial.lease_until > now;
}

bool is_open(const Trial& trial, double now) {
  if (trial.state == TrialState::kWaiting) return true;
  return trial.state == TrialState::kRunning && trial.lease_until != 0 && trial.lease_until <= now;
}

double lease_end(double now, double seconds) {
  if (!(seconds >= 0 && seconds <= kLongestLease))
    throw Error(ErrorCode::kUsage, "a lease lasts between 0 and ", kLongestLease, " seconds, got ", seconds);
  return seconds == 0 ? 0 : now + seconds;
}

std::string result_text(const Trial& trial) {
  std::string text(to_text(trial.state));
  const char* separator = " with ";
  for (const double value : trial.values) text += std::exchange(separator, ", ") + trireme::to_text(value);
  return trial.reason.empty() ? text : text + ": " + trial.reason;
}

void check_held(const Trial& trial, std::int64_t attempt) {
  if (trial.attempt == attempt && trial.state == TrialState::kRunning) return;
  const auto refuse = [&](const auto&... what) {
    throw Error(ErrorCode::kTakenOver, "attempt ", attempt, " no longer holds trial ", trial.number, ": ", what...);
  };
  if (is_ended(trial.state)) refuse("it has ended, ", result_text(trial));
  if (trial.state == TrialState::kWaiting) refuse("it was given back");
  refuse(trial.worker, " has it as attempt ", trial.attempt);
}

void check_result(const TrialResult& result) {
  if (!is_ended(result.state)) throw Error(ErrorCode::kBug, "a result cannot be ", to_text(result.state));
  if (result.values.empty() == (result.state == TrialState::kComplete))
    throw Error(ErrorCode::kBadInput, "a trial that is complete has values and no other one has, got ",
                result.values.size(), " for one that is ", to_text(result.state));
}

}  // namespace

struct StudyStore::Body {
  Location location;
  std::unique_ptr<Database> database;
  StudyRecord record;
  TrialRows rows;
  std::vector<Trial> trials{};
  std::int64_t revision = 0;  // what `trials` is up to date with

  void refresh() { revision = rows.read_changes(trials, revision); }

  struct Change {
    std::int64_t revision;
    double now;
  };
  // Draws the next revision, which keeps all others waiting until the transaction ends: so revisions become visible in
  // order, and a reader who has seen one has seen all before it.
  void change(const std::function<bool(const Change&)>& work) {
    database->transaction([&] {
      const auto drawn = database->execute(
          "update trireme_tune_study set revision = revision + 1 where name = $1 returning revision", {location.study});
      if (drawn.empty()) throw Error(ErrorCode::kNotFound, "the study ", location.shown, " was removed");
      refresh();
      return work({integer_of(drawn[0].at(0)), database->now()});
    });
  }
  // One change of one trial; `work` returns false when there is nothing to change.
  void change_trial(std::int64_t number, const std::function<bool(Trial&, const Change&)>& work) {
    change([&](const Change& change) {
      if (!(number >= 0 && number < count()))
        throw Error(ErrorCode::kBadInput, "there is no trial ", number, ": the study has ", count(),
                    ", counted from 0");
      Trial trial = trials[static_cast<std::size_t>(number)];
      if (!work(trial, change)) return false;
      rows.update(trial, change.revision);
      return true;
    });
  }
  // What is in memory follows with the next refresh(), when it is known to be there.
  Trial insert(const Proposal& proposal, const Change& change) {
    Trial trial;
    trial.number = count();
    trial.parameters = proposal.parameters;
    trial.note = proposal.note;
    trial.created = change.now;
    rows.insert(trial, change.revision);
    return trial;
  }
  std::optional<Trial> next_trial(const ClaimOptions& options, const Propose& propose, const Change& change) {
    const auto open = std::ranges::find_if(trials, [&](const Trial& trial) { return is_open(trial, change.now); });
    if (open != trials.end()) return *open;
    if (options.most_trials > 0 && count() >= options.most_trials) return std::nullopt;
    const auto proposal = propose(trials, count());
    return proposal ? std::optional(insert(*proposal, change)) : std::nullopt;
  }

  std::int64_t count() const { return static_cast<std::int64_t>(trials.size()); }

  // WAL's index is shared memory of one host, so two hosts that write to one file damage it without noticing.
  void refuse_other_host() {
    const double now = database->now();
    for (const Trial& trial : trials) {
      const std::string host = trial.worker.substr(0, trial.worker.find(':'));
      if (has_live_lease(trial, now) && !host.empty() && host != host_name())
        throw Error(ErrorCode::kBadInput, location.shown, " is in use on host ", host, " (trial ", trial.number,
                    ", leased for another ", static_cast<std::int64_t>(std::ceil(trial.lease_until - now)),
                    " s); hosts can share a study only at postgresql://host/database");
    }
  }
};

StudyStore::StudyStore(std::unique_ptr<Body> body) : body_(std::move(body)) {}
StudyStore::StudyStore(StudyStore&&) noexcept = default;
StudyStore& StudyStore::operator=(StudyStore&&) noexcept = default;
StudyStore::~StudyStore() = default;

StudyStore StudyStore::create(const std::string& text, const StudyRecord& record) {
  const Location location = Location::parse(text);
  bool is_new = true;
  const auto fill = [&](Database& database) {
    database.transaction([&] { return is_new = insert_study(database, location, record); });
  };
  if (location.is_url)
    fill(*connect(location));
  else
    SqliteDatabase::create(location.address, fill);
  if (!is_new) throw Error(ErrorCode::kUsage, "there is a study ", location.shown, " already");
  return open(text);
}

StudyStore StudyStore::open(const std::string& text) {
  const Location location = Location::parse(text);
  auto database = connect(location);
  const std::int64_t version = schema_version(*database, location.shown);
  if (version == 0) throw Error(ErrorCode::kNotFound, "there is no study ", location.shown);
  if (version < newest_schema())
    database->transaction([&] {
      migrate_schema(*database, schema_version(*database, location.shown));
      return true;
    });
  const auto found = find_study(*database, location.study);
  if (found.empty()) throw Error(ErrorCode::kNotFound, "there is no study ", location.shown);
  const StudyRecord record{text_of(found[0].at(0)), text_of(found[0].at(1)), number_of(found[0].at(2))};
  const TrialRows rows(*database, location.study);
  auto body = std::make_unique<Body>(Body{location, std::move(database), record, rows});
  body->refresh();
  if (!location.is_url) body->refuse_other_host();
  return StudyStore(std::move(body));
}

bool StudyStore::exists(const std::string& text) {
  const Location location = Location::parse(text);
  std::error_code error;
  if (!location.is_url) return std::filesystem::exists(std::filesystem::symlink_status(location.address, error));
  const auto database = connect(location);
  return schema_version(*database, location.shown) > 0 && !find_study(*database, location.study).empty();
}

const StudyRecord& StudyStore::record() const { return body_->record; }
const std::string& StudyStore::location() const { return body_->location.shown; }

void StudyStore::set_sweep(const std::string& sweep, const std::string& origin) {
  const std::string kept = well_formed_utf8(origin);
  body_->change([&](const Body::Change&) {
    body_->database->execute("update trireme_tune_study set sweep = $2, origin = $3 where name = $1",
                             {body_->location.study, sweep, kept});
    return true;
  });
  body_->record.sweep = sweep;
  body_->record.origin = kept;
}

const std::vector<Trial>& StudyStore::trials() {
  body_->refresh();
  return body_->trials;
}

std::int64_t StudyStore::enqueue(const Parameters& parameters) {
  std::int64_t number = 0;
  body_->change([&](const Body::Change& change) {
    number = body_->insert({parameters, ""}, change).number;
    return true;
  });
  return number;
}

std::optional<Trial> StudyStore::claim(const ClaimOptions& options, const Propose& propose) {
  std::optional<Trial> claimed;
  body_->change([&](const Body::Change& change) {
    claimed = body_->next_trial(options, propose, change);
    if (!claimed) return false;
    claimed->state = TrialState::kRunning;
    claimed->attempt += 1;
    claimed->worker = options.worker;
    claimed->started = change.now;
    claimed->lease_until = lease_end(change.now, options.lease_seconds);
    body_->rows.update(*claimed, change.revision);
    return true;
  });
  return claimed;
}

void StudyStore::renew(std::int64_t trial, std::int64_t attempt, double lease_seconds) {
  body_->change_trial(trial, [&](Trial& held, const Body::Change& change) {
    check_held(held, attempt);
    held.lease_until = lease_end(change.now, lease_seconds);
    return true;
  });
}

void StudyStore::release(std::int64_t trial, std::int64_t attempt, const std::string& reason) {
  body_->change_trial(trial, [&](Trial& held, const Body::Change&) {
    check_held(held, attempt);
    held.state = TrialState::kWaiting;
    held.reason = reason;
    held.lease_until = 0;
    return true;
  });
}

void StudyStore::retry(std::int64_t trial) {
  body_->change_trial(trial, [&](Trial& failed, const Body::Change&) {
    if (failed.state != TrialState::kFailed)
      throw Error(ErrorCode::kBadInput, "trial ", trial, " has not failed: it is ", result_text(failed));
    failed.state = TrialState::kWaiting;
    failed.reason = kRetried;
    failed.ended = 0;
    return true;
  });
}

void StudyStore::expire(std::int64_t trial, std::int64_t attempt) {
  body_->change_trial(trial, [&](Trial& held, const Body::Change& change) {
    if (held.attempt != attempt || held.state != TrialState::kRunning) return false;
    held.lease_until = change.now;
    return true;
  });
}

void StudyStore::finish(std::int64_t trial, std::optional<std::int64_t> attempt, const TrialResult& result) {
  check_result(result);
  body_->change_trial(trial, [&](Trial& told, const Body::Change& change) {
    if (is_ended(told.state) && attempt.value_or(told.attempt) == told.attempt)
      throw Error(ErrorCode::kBadInput, "trial ", trial, " has ended already: ", result_text(told));
    if (attempt) check_held(told, *attempt);
    told.state = result.state;
    told.values = result.values;
    told.reason = result.reason;
    told.ended = change.now;
    told.lease_until = 0;
    return true;
  });
}

}  // namespace trireme::tune
