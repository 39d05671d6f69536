#include "tune/trial/restarts.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/files.h"

namespace trireme::tune {
namespace {

fs::path file_in(const fs::path& folder) { return folder / "restarts.json"; }

std::int64_t count_of(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::int64_t>() : 0;
}

}  // namespace

Restarts Restarts::read(const fs::path& folder) {
  std::ifstream file(file_in(folder));
  const auto object = nlohmann::json::parse(file, nullptr, false);
  if (!object.is_object()) return {};
  return {count_of(object, "killed"), count_of(object, "resumed")};
}

void Restarts::write(const fs::path& folder) const {
  write_file_atomically(file_in(folder), nlohmann::json{{"killed", killed}, {"resumed", resumed}}.dump() + "\n");
}

void Restarts::forget(const fs::path& folder) {
  std::error_code error;
  fs::remove(file_in(folder), error);
}

}  // namespace trireme::tune
