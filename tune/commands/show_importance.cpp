#include "tune/commands/show_importance.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/live_line.h"
#include "core/base/text.h"
#include "tune/commands/trial_text.h"
#include "tune/importance/importance.h"

namespace trireme::tune {
namespace {

using Json = nlohmann::ordered_json;

double share_of(const std::vector<Importance>& list, const std::string& name) {
  const auto found = std::ranges::find(list, name, &Importance::name);
  return found == list.end() ? 0 : found->share;
}

std::string bar_text(double share) {
  constexpr std::size_t kCells = 20;
  std::string percent = std::to_string(std::lround(100 * share)) + " %";
  percent.insert(0, std::max<std::size_t>(5, percent.size()) - percent.size(), ' ');
  return progress_bar(share, kCells, /*colour=*/false) + " " + percent;
}

void print_pairs_that_matter(const std::vector<PairImportance>& pairs) {
  constexpr double kLeast = 0.05;
  for (const auto& [first, second, share] : pairs)
    if (share >= kLeast)
      std::cout << first << " and " << second << " together, beyond what each does alone: " << std::lround(100 * share)
                << " %\n";
}

}  // namespace

int show_importance(const ShowOptions& options) {
  Study study = open_study(options.study);
  const Sweep& sweep = study.sweep();
  const History history = study.history();
  Json list = Json::array();
  for (std::size_t i = 0; i < sweep.objectives.size(); ++i) {
    const auto by_anova = fanova_importance(sweep.space, history, i, sweep.seed);
    const auto by_kernel = kernel_importance(sweep.space, history, i);
    const std::string& metric = sweep.objectives[i].name;
    TextTable table({one_line(metric, 60), "alone (fANOVA)", "in all (Gaussian process)"});
    Json shares = Json::array();
    for (const auto& [name, share] : by_anova) {
      const double total = share_of(by_kernel, name);
      table.add({name, bar_text(share), bar_text(total)});
      shares.push_back({{"name", name}, {"fanova", share}, {"kernel", total}});
    }
    Json together = Json::array();
    const auto pairs = fanova_pairs(sweep.space, history, i, sweep.seed);
    for (const auto& [first, second, share] : pairs)
      together.push_back({{"first", first}, {"second", second}, {"fanova", share}});
    list.push_back({{"metric", metric}, {"parameters", shares}, {"pairs", together}});
    if (options.json) continue;
    if (i > 0) std::cout << "\n";
    print_table(table);
    print_pairs_that_matter(pairs);
  }
  if (options.json) print_json({{"study", study.store().location()}, {"importance", list}});
  return kExitDone;
}

}  // namespace trireme::tune
