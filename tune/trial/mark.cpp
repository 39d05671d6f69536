#include "tune/trial/mark.h"

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>

#include "core/base/hash.h"
#include "core/base/text.h"

namespace trireme::tune {
namespace {

namespace fs = std::filesystem;

std::string trial_text(const Mark& mark) { return mark.study + ":" + std::to_string(mark.trial) + ":"; }

// Empty for a zombie, a thread of the kernel and what we may not look into.
std::string environment_of(const std::string& process) {
  std::ifstream file("/proc/" + process + "/environ", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string_view marks_in(std::string_view environment) {
  const std::string name = std::string(Mark::kVariable) + "=";
  std::size_t at = environment.starts_with(name) ? 0 : environment.find('\0' + name);
  if (at == std::string_view::npos) return {};
  at = environment.find('=', at) + 1;
  return environment.substr(at, environment.find('\0', at) - at);
}

bool has_mark(std::string_view marks, const std::string& trial, std::int64_t last_attempt) {
  for (std::size_t at = marks.find(trial); at != std::string_view::npos; at = marks.find(trial, at + 1)) {
    const std::string_view digits = marks.substr(at + trial.size());
    std::int64_t attempt = 0;
    const bool is_number = std::from_chars(digits.begin(), digits.end(), attempt).ec == std::errc();
    if ((at == 0 || marks[at - 1] == ' ') && is_number && attempt <= last_attempt) return true;
  }
  return false;
}

}  // namespace

std::string Mark::text() const {
  const char* outer = std::getenv(kVariable);
  return (outer ? std::string(outer) + " " : "") + trial_text(*this) + std::to_string(attempt);
}

std::string study_token(const StudyStore& store) {
  std::error_code error;
  const fs::path path = fs::canonical(store.location(), error);
  return xxh3_128_hex((error ? store.location() : path.string()) + "\n" + trireme::to_text(store.record().created));
}

std::vector<pid_t> find_marked(const Mark& mark) {
  const std::string trial = trial_text(mark);
  std::vector<pid_t> found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    if (name[0] < '0' || name[0] > '9') continue;
    if (has_mark(marks_in(environment_of(name)), trial, mark.attempt)) found.push_back(std::stoi(name));
  }
  return found;
}

}  // namespace trireme::tune
