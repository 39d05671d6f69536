#include "models/checkpoint/run_owner.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/base/durable.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "core/base/process.h"
#include "models/checkpoint/run_checkpoints.h"
#include "models/checkpoint/write_checkpoint.h"

namespace trireme::models {
namespace {

using nlohmann::json;

constexpr const char *kOwner = "owner", *kMark = "owner.json", *kReleased = "released", *kAside = ".aside-";

fs::path folder_of(const fs::path& run, std::int64_t generation) {
  char name[32];
  std::snprintf(name, sizeof name, "%08lld", static_cast<long long>(generation));
  return run / kOwner / name;
}

// The numbers of the folders that are there, ascending.
std::vector<std::int64_t> generations(const fs::path& run) {
  std::vector<std::int64_t> found;
  std::error_code error;
  for (fs::directory_iterator entry(run / kOwner, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    constexpr std::size_t kMostDigits = 18;
    if (name.empty() || name.size() > kMostDigits || name.find_first_not_of("0123456789") != std::string::npos)
      continue;
    found.push_back(std::stoll(name));
  }
  if (error && error != std::errc::no_such_file_or_directory)
    throw Error(ErrorCode::kIo, "cannot list ", (run / kOwner).string(), ": ", error.message());
  std::sort(found.begin(), found.end());
  return found;
}

std::string mark_of_this_process(std::int64_t generation) {
  return json{{"generation", generation},
              {"token", unique_token()},
              {"host", host_name()},
              {"process", ::getpid()},
              {"since", std::time(nullptr)}}
             .dump(-1, ' ', false, json::error_handler_t::replace) +
         "\n";
}

// "process 123 on host a since 2026-01-31 12:00:00 UTC"
std::string who(const fs::path& folder) {
  try {
    const json mark = json::parse(read_file(folder / kMark, 1 << 16));
    const std::time_t since = mark.at("since").get<std::time_t>();
    char text[40];
    std::tm parts{};
    std::strftime(text, sizeof text, "%F %T UTC", ::gmtime_r(&since, &parts));
    return "process " + mark.at("process").dump() + " on host " + mark.at("host").get<std::string>() + " since " + text;
  } catch (const std::exception&) {
    return "a process that is not known";
  }
}

Descriptor open_log(const fs::path& path) {
  Descriptor log(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  if (log.get() < 0) throw Error(path_error_code(errno), "cannot open ", path.string(), ": ", system_reason(errno));
  return log;
}

// Makes a folder and those above it. Returns those that have a new name in them.
std::vector<fs::path> make_all(const fs::path& path) {
  fs::path missing = fs::absolute(path).lexically_normal();
  if (!missing.has_filename()) missing = missing.parent_path();
  std::vector<fs::path> changed;
  for (; !fs::exists(missing); missing = missing.parent_path()) changed.push_back(missing.parent_path());
  fs::create_directories(path);
  return changed;
}

// What a start before was about to give a name back to, or to keep under another one.
void rescue(const fs::path& run, const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;  // of a folder that has just been taken away in turn
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    entries.push_back(entry->path());
  for (const fs::path& path : entries) {
    const std::string name = path.filename().string();
    for (const char* mark : {kReplaced, kAside})
      if (const auto at = name.find(mark); at != std::string::npos) {
        const fs::path home = run / "checkpoints" / name.substr(at + std::string_view(mark).size());
        if (move_new(path, home, kOwner)) log_warning("found again: " + home.string());
      }
    if (name.starts_with("taken-")) rescue(run, path);
  }
}

}  // namespace

std::int64_t RunOwner::newest(const fs::path& run) {
  const std::vector<std::int64_t> all = generations(run);
  return all.empty() ? 0 : all.back();
}

RunOwner RunOwner::claim(const fs::path& run, std::int64_t seen) {
  const std::vector<fs::path> parents = make_all(run);
  for (const char* folder : {kOwner, "checkpoints"}) make_new_folder(run / folder, kOwner);  // or it is there
  RunOwner owner(run, folder_of(run, seen + 1), seen + 1);
  const auto refuse = [&](std::int64_t now) {
    throw Error(ErrorCode::kTakenOver, "another start of ", run.string(), " has begun meanwhile, ",
                who(folder_of(run, now)), "; this one ends");
  };
  if (const std::int64_t now = newest(run); now != seen) refuse(now);
  if (!make_new_folder(owner.folder_, "owner-folder")) refuse(newest(run));
  // The number may have been free since its owner had been replaced in turn: then this start hung for long.
  if (const std::int64_t now = newest(run); now != owner.generation_) {
    remove_or_warn(owner.folder_);
    refuse(now);
  }
  owner.mark_ = mark_of_this_process(owner.generation_);
  owner.change([&] {
    write_new_file(owner.folder_ / kMark, owner.mark_, kOwner);
    sync_folder(owner.folder_, kOwner);
    sync_folder(run / kOwner, kOwner);
    sync_folder(run, kOwner);
    for (const fs::path& parent : parents) sync_folder(parent, kOwner);
  });
  const fs::path before = folder_of(run, seen);
  if (seen > 0 && !fs::exists(before / kReleased)) owner.before_ = who(before);
  for (const std::int64_t older : generations(run))
    if (older <= seen) owner.take(folder_of(run, older));
  owner.check();
  return owner;
}

void RunOwner::take(const fs::path& folder) const {
  const fs::path taken = fresh("taken");
  try {
    move_over(folder, taken, kOwner);
    sync_folder(run_ / kOwner, kOwner);
    rescue(run_, taken);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound) throw;
    check();
  }
  std::error_code error;  // what cannot go is in nobody's way
  fs::remove_all(taken, error);
}

void RunOwner::check() const {
  std::string found;
  try {
    found = read_file(folder_ / kMark, 1 << 16);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound) return;  // a disk that does not answer is no other owner
  }
  if (found == mark_) return;
  const std::vector<std::int64_t> now = generations(run_);
  throw Error(ErrorCode::kTakenOver, "start ", generation_, " of ", run_.string(), " is over: ",
              now.empty() ? "its folder was removed" : "it was taken over by " + who(folder_of(run_, now.back())),
              "; nothing more is written");
}

void RunOwner::release() const {
  try {
    change([&] { write_new_file(folder_ / kReleased, "", kOwner); });
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kTakenOver) throw;
    log_warning(std::string("the next start will say that this one did not end: ") + error.what());
  }
}

// A path that is gone is the mark of another owner: says so where it is.
template <class Change>
void RunOwner::change(Change make) const {
  try {
    make();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound) throw;
    check();
    throw Error(ErrorCode::kIo, error.what());
  }
}

fs::path RunOwner::fresh(const std::string& what) const { return folder_ / (what + "-" + std::to_string(++names_)); }

void RunOwner::put(const fs::path& path, std::string_view content) const { put(path, content, nullptr); }

Descriptor RunOwner::put_log(const fs::path& path, std::string_view content) const {
  Descriptor log(-1);
  put(path, content, &log);
  return log;
}

void RunOwner::put(const fs::path& path, std::string_view content, Descriptor* log) const {
  const fs::path fresh = this->fresh("file");
  change([&] {
    try {
      write_new_file(fresh, content, kOwner);
      if (log) *log = open_log(fresh);
      move_over(fresh, path, kOwner);
    } catch (...) {
      std::error_code ignored;
      fs::remove(fresh, ignored);
      throw;
    }
    sync_folder(path.parent_path(), kOwner);
  });
}

void RunOwner::give(const fs::path& from, const fs::path& to) const {
  change([&] {
    if (!move_new(from, to, kOwner)) throw Error(ErrorCode::kIo, to.string(), " exists");
    sync_folder(to.parent_path(), kOwner);
  });
}

void RunOwner::remove(const fs::path& path) const {
  const fs::path gone = fresh("gone");
  change([&] { move_over(path, gone, kOwner); });
  std::error_code error;
  fs::remove_all(gone, error);
  if (error) log_warning("cannot remove " + gone.string() + ", which was " + path.string() + ": " + error.message());
}

fs::path RunOwner::set_aside(const fs::path& path, const char* mark) const {
  fs::path aside = path;
  aside += std::string(".") + mark + "-" + std::to_string(std::time(nullptr));
  fs::path between = fresh("moved");
  between += kAside + aside.filename().string();
  change([&] {
    move_over(path, between, kOwner);
    if (!move_new(between, aside, kOwner)) throw Error(ErrorCode::kIo, aside.string(), " exists");
  });
  return aside;
}

}  // namespace trireme::models
