#include "tune/trial/worker.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>

#include "core/base/process.h"

namespace trireme::tune {
namespace {

// What /proc says of a process; empty when it is not there. A zombie holds nothing any more.
std::string start_time(const std::string& process) {
  std::string stat;
  std::getline(std::ifstream("/proc/" + process + "/stat"), stat);
  const std::size_t name_end = stat.rfind(')');  // the name before it may hold anything
  if (name_end == std::string::npos) return "";
  std::istringstream fields(stat.substr(name_end + 1));
  std::string state, field;
  fields >> state;
  for (int number = 4; number <= 22; ++number) fields >> field;
  return state == "Z" || state == "X" ? "" : field;
}

std::string pid_namespace() {
  std::array<char, 64> link{};
  if (::readlink("/proc/self/ns/pid", link.data(), link.size() - 1) < 0) return "";
  std::string digits = link.data();  // "pid:[4026531836]"
  std::erase_if(digits, [](char c) { return c < '0' || c > '9'; });
  return digits;
}

}  // namespace

std::string worker_name() {
  return host_name() + ":" + std::to_string(::getpid()) + ":" + start_time("self") + ":" + pid_namespace();
}

bool is_gone(const std::string& worker) {
  std::array<std::string, 4> parts;
  std::istringstream fields(worker);
  for (std::string& part : parts) std::getline(fields, part, ':');
  const auto& [host, process, started, space] = parts;
  const bool is_number =
      !process.empty() && std::all_of(process.begin(), process.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!is_number || started.empty() || space.empty() || !fields.eof()) return false;
  return host == host_name() && space == pid_namespace() && start_time(process) != started;
}

}  // namespace trireme::tune
