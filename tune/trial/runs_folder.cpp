#include "tune/trial/runs_folder.h"

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"

namespace trireme::tune {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{64} << 20;
constexpr const char* kClaim = "study.json";

struct Claim {
  double created = 0;  // of the study
  std::string folder;  // that commands run in
  std::string base;    // text of the training config
};

Claim read_claim(const fs::path& path) {
  const auto json = nlohmann::json::parse(read_file(path, kMostBytes), nullptr, false);
  try {
    return {json.at("created").get<double>(), json.at("folder").get<std::string>(), json.at("base").get<std::string>()};
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorCode::kCorrupt, path.string(),
                " is damaged, or was changed by hand: it says whose runs lie beside it; remove it if they are this "
                "study's");
  }
}

std::string claim_text(const Claim& claim) {
  const nlohmann::ordered_json json{{"created", claim.created}, {"folder", claim.folder}, {"base", claim.base}};
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

}  // namespace

void expect_no_runs(const std::string& location) {
  const fs::path folder = fs::absolute(runs_folder(location));
  if (holds_runs(folder) || fs::exists(folder / kClaim)) refuse_others(folder);
}

fs::path claim_runs_folder(Study& study) {
  const Sweep& sweep = study.sweep();
  const Claim own{study.store().record().created, fs::current_path().string(),
                  sweep.base.empty() ? "" : read_file(sweep.base, kMostBytes)};
  const fs::path folder = fs::absolute(runs_folder(study.store().location())), path = folder / kClaim;
  std::error_code error;
  if (!fs::exists(path, error)) {
    // Trials are looked at last: what another runner begins meanwhile is there before its folder. A study that has some
    // may be older than this file.
    if (holds_runs(folder) && study.trials().empty()) refuse_others(folder);
    fs::create_directories(folder, error);
    if (error) throw Error(ErrorCode::kIo, "cannot make the folder ", folder.string(), ": ", error.message());
    write_file_atomically(path, claim_text(own));
    return own.folder;
  }
  const Claim first = read_claim(path);
  if (first.created != own.created) refuse_others(folder);
  if (first.base != own.base)
    throw Error(ErrorCode::kUsage, "base ", sweep.base,
                " is not what it was when the study began, and trials of both would stand side by side: undo its "
                "changes (",
                path.string(), " has the text), or begin a new study");
  if (!fs::is_directory(first.folder, error))
    throw Error(ErrorCode::kUsage, "the study's commands run in ", first.folder,
                ", where it began, and there is no such folder any more");
  return first.folder;
}

}  // namespace trireme::tune
