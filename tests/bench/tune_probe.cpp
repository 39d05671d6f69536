#include <chrono>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/config/command.h"
#include "tune/search/search.h"
#include "tune/sweep/sweep.h"

// A search in memory that is asked and told over stdin and stdout, a JSON object a line, so that a benchmark can drive
// it beside searches written in Python:
//     {"sweep": "method: bayes\n...", "seed": 7}
//     {"ask": true}               {"trial": 0, "params": {"x": 0.5}, "seconds": 0.0012}
//     {"tell": 0, "value": 1.5}   {"ok": true}
namespace {

using namespace trireme;
using namespace trireme::tune;

nlohmann::json answer(std::unique_ptr<Search>& search, const nlohmann::json& line) {
  if (line.contains("sweep")) {
    const Sweep sweep = parse_sweep(line.at("sweep").get<std::string>(), "probe");
    search = std::make_unique<Search>(sweep.space, Search::Options{sweep.method, line.at("seed").get<std::uint64_t>(),
                                                                   sweep.objectives.size(), sweep.acquisition});
    return {{"ok", true}};
  }
  if (line.contains("tell")) {
    search->tell(line.at("tell").get<std::int64_t>(), {line.at("value").get<double>()});
    return {{"ok", true}};
  }
  const auto start = std::chrono::steady_clock::now();
  const auto trial = search->ask();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  if (!trial) return {{"trial", nullptr}, {"seconds", seconds.count()}};
  return {{"trial", trial->number}, {"params", parameters_json(trial->parameters)}, {"seconds", seconds.count()}};
}

}  // namespace

int main() {
  try {
    std::unique_ptr<Search> search;
    for (std::string line; std::getline(std::cin, line);)
      std::cout << answer(search, nlohmann::json::parse(line)).dump() << std::endl;
    return 0;
  } catch (...) {
    return report_exception("tune_probe");
  }
}
