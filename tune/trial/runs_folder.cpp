#include "tune/trial/runs_folder.h"

#include <nlohmann/json.hpp>

#include "core/base/durable.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/hash.h"
#include "core/base/text.h"

namespace trireme::tune {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{64} << 20;
constexpr const char* kClaim = "study.json";

struct Claim {
  double created = 0;     // of the study
  std::string folder;     // that commands run in; empty where JSON cannot name it: wherever a runner is started
  std::string base;       // text of the training config, for people
  std::string base_hash;  // of its bytes
};

Claim read_claim(const fs::path& path) {
  const auto json = nlohmann::json::parse(read_file(path, kMostBytes), nullptr, false);
  try {
    return {json.at("created").get<double>(), json.at("folder").get<std::string>(), json.at("base").get<std::string>(),
            json.at("base_hash").get<std::string>()};
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorCode::kCorrupt, path.string(),
                " is damaged, or was changed by hand: it says whose runs lie beside it; remove it if they are this "
                "study's");
  }
}

std::string claim_text(const Claim& claim) {
  const nlohmann::ordered_json json{
      {"created", claim.created}, {"folder", claim.folder}, {"base", claim.base}, {"base_hash", claim.base_hash}};
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

[[noreturn]] void refuse_others(const fs::path& folder) {
  throw Error(ErrorCode::kUsage, folder.string(),
              " holds runs of another study, which would be taken for this one's: move it away, or keep the study in "
              "another place (--study)");
}

bool holds_runs(const fs::path& folder) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error))
    if (!entry.path().filename().string().starts_with(kClaim)) return true;  // another runner may be writing it
  return false;
}

std::string own_folder() {
  const std::string folder = fs::current_path().string();
  return well_formed_utf8(folder) == folder ? folder : "";
}

// Whoever comes first: the others find it there.
void write_claim(const fs::path& path, const Claim& claim) {
  const fs::path fresh = path.string() + ".tmp-" + unique_token();
  write_new_file(fresh, claim_text(claim), kClaim);
  if (!move_new(fresh, path, kClaim)) remove_or_warn(fresh);
  sync_folder(path.parent_path(), kClaim);
}

}  // namespace

void expect_no_runs(const std::string& location) {
  const fs::path folder = fs::absolute(runs_folder(location));
  const bool has_runs = holds_runs(folder) || fs::exists(folder / kClaim);
  if (has_runs && !StudyStore::exists(location)) refuse_others(folder);  // another runner may just have made it
}

fs::path claim_runs_folder(Study& study) {
  const Sweep& sweep = study.sweep();
  const std::string base = sweep.base.empty() ? "" : read_file(sweep.base, kMostBytes);
  const Claim own{study.store().record().created, own_folder(), base, xxh3_128_hex(base)};
  const fs::path folder = fs::absolute(runs_folder(study.store().location())), path = folder / kClaim;
  std::error_code error;
  if (!fs::exists(path, error)) {
    // Trials are looked at last: what another runner begins meanwhile is there before its folder. A study that has some
    // may be older than this file.
    if (holds_runs(folder) && study.trials().empty()) refuse_others(folder);
    fs::create_directories(folder, error);
    if (error) throw Error(ErrorCode::kIo, "cannot make the folder ", folder.string(), ": ", error.message());
    write_claim(path, own);
  }
  const Claim first = read_claim(path);
  if (first.created != own.created) refuse_others(folder);
  if (first.base_hash != own.base_hash)
    throw Error(ErrorCode::kUsage, "base ", sweep.base,
                " is not what it was when the study began, and trials of both would stand side by side: undo its "
                "changes (",
                path.string(), " has the text), or begin a new study");
  if (first.folder.empty()) return fs::current_path();
  if (!fs::is_directory(first.folder, error))
    throw Error(ErrorCode::kUsage, "the study's commands run in ", first.folder,
                ", where it began, and there is no such folder any more");
  return first.folder;
}

}  // namespace trireme::tune
