#include "train/check/self_check.h"

#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/comm/probed_communicator.h"
#include "core/config/command.h"
#include "train/parallel/legal_layouts.h"

namespace trireme::train {
namespace {

// One rank's run, made by every rank for itself.
struct Alone {
  Alone(const TrainConfig& config, std::int64_t steps) : world(make_self_communicator()), run(*world, config, steps) {}
  std::unique_ptr<Communicator> world;
  TinyRun run;
};

std::optional<PlantedFault> planted_fault(const std::string& text, int ranks) {
  if (text == "none") return std::nullopt;
  const std::size_t colon = text.find(':');
  const std::string name = text.substr(0, colon), kind = colon == std::string::npos ? "" : text.substr(colon + 1);
  std::vector<std::string> names;
  for (const Site* site : Site::all()) {
    names.emplace_back(site->name());
    if (site->name() != name) continue;
    if (kind == "skip") return PlantedFault{site, PlantedFault::Kind::kSkip};
    if (kind == "wrong-group" && ranks < 3)
      throw Error(ErrorCode::kUsage, "--plant ", text, " needs 3 ranks or more, got ", ranks);
    if (kind == "wrong-group") return PlantedFault{site, PlantedFault::Kind::kWrongGroup};
    if (kind == "twice") return PlantedFault{site, PlantedFault::Kind::kTwice};
  }
  throw Error(ErrorCode::kUsage,
              "--plant must be none or SITE:FAULT, with FAULT one of skip, wrong-group and twice and "
              "SITE one of ",
              join(names, ", "), "; got '", text, "'");
}

// More stages a rank than these do nothing that these do not.
constexpr std::int64_t kCheckedChunks = 3;

struct Combination {
  ParallelConfig layout;
  std::size_t model;
};

// What is to be checked, in order.
std::vector<Combination> combinations_of(int ranks, const SelfCheckOptions& options) {
  if (options.all && options.pairs) throw Error(ErrorCode::kUsage, "--all and --pairs exclude each other");
  const TrainConfig shape = tiny_config(0, ranks);
  const std::vector<ParallelConfig> layouts =
      legal_layouts(ranks, shape.model.layers, shape.micro_batches(), kCheckedChunks);
  std::vector<Combination> combinations;
  for (std::size_t i = 0; i < layouts.size(); ++i) {
    if (!options.all && !options.pairs) combinations.push_back({layouts[i], i % kTinyModels});
    for (std::size_t model = 0; (options.all || options.pairs) && model < kTinyModels; ++model)
      combinations.push_back({layouts[i], model});
  }
  if (!options.pairs) return combinations;
  std::vector<std::vector<std::int64_t>> traits;
  for (const auto& [layout, model] : combinations) {
    traits.push_back(tiny_model_traits(model));
    traits.back().insert(traits.back().end(), {layout.pipeline, layout.pipeline_chunks, layout.pipeline_order[0],
                                               layout.shard, layout.shard_group});
  }
  std::vector<Combination> chosen;
  for (const std::size_t i : covering_pairs(traits)) chosen.push_back(combinations[i]);
  return chosen;
}

// What options come to, refused before anything is printed.
struct Checks {
  Checks(int ranks, const SelfCheckOptions& options)
      : fault(planted_fault(options.plant, ranks)), combinations(combinations_of(ranks, options)) {}
  std::optional<PlantedFault> fault;
  std::vector<Combination> combinations;
};

// @returns whether a message of the planted fault's site came by
bool check_each(Communicator& world, const SelfCheckOptions& options, const Checks& checks,
                const std::function<void(const CheckedLayout&)>& done) {
  std::size_t compute_bytes = 0;
  ProbedCommunicator probed(world, std::chrono::milliseconds(static_cast<std::int64_t>(1000 * options.patience)),
                            checks.fault, [&] { return compute_bytes; });
  std::map<std::size_t, std::unique_ptr<Alone>> alone;
  for (const auto& [layout, model] : checks.combinations) {
    TrainConfig config = tiny_config(model, world.size());
    auto& reference = alone[model];
    if (!reference) reference = std::make_unique<Alone>(config, options.steps);
    config.parallel = layout;
    compute_bytes = at::elementSize(compute_type(config.precision.compute));
    CheckedLayout checked{layout_text(layout, world.size()), tiny_model_text(model), {}};
    try {
      TinyRun run(probed, config, options.steps);
      checked.difference = run.from(reference->run);
    } catch (const Error& error) {
      throw Error(error.code(), checked.layout, ", ", checked.model, ": ", error.what());
    }
    done(checked);
    if (options.fail_fast && !checked.difference.is_none()) break;
  }
  return probed.has_struck();
}

std::string cell(double difference) {
  if (difference == 0) return "0";
  char text[32];
  std::snprintf(text, sizeof text, "%.1e", difference);
  return text;
}

void print_line(const std::string& line) {
  if (std::printf("%s\n", line.c_str()) < 0 || std::fflush(stdout) != 0)
    throw Error(ErrorCode::kIo, "cannot write to stdout");
}

}  // namespace

SelfCheck self_check(Communicator& world, const SelfCheckOptions& options) {
  SelfCheck check;
  check.struck = check_each(world, options, Checks(world.size(), options),
                            [&](const CheckedLayout& checked) { check.layouts.push_back(checked); });
  return check;
}

int run_self_check(Communicator& world, const SelfCheckOptions& options) {
  constexpr const char* kLine = "%-58s %-32s %-9s %-9s %-9s %-9s %-9s %-9s %s";
  const bool speaks = world.rank() == 0;
  if (options.sites) {
    nlohmann::json names = nlohmann::json::array();
    for (const Site* site : Site::all()) {
      names.push_back(site->name());
      if (speaks && !options.json) print_line(site->name());
    }
    if (speaks && options.json) print_line(nlohmann::json{{"sites", names}}.dump());
    return kExitDone;
  }
  const Checks checks(world.size(), options);
  std::size_t count = 0, differ = 0;
  nlohmann::json layouts = nlohmann::json::array();
  const auto write = [&](const auto&... cells) {
    char line[256];
    std::snprintf(line, sizeof line, kLine, cells...);
    if (speaks && !options.json) print_line(line);
  };
  write("layout", "model", "loss", "norm", "gradient", "state", "eval", "scores", "limit 0");
  const bool struck = check_each(world, options, checks, [&](const CheckedLayout& checked) {
    const Difference& d = checked.difference;
    ++count;
    differ += !d.is_none();
    write(checked.layout.c_str(), checked.model.c_str(), cell(d.loss).c_str(), cell(d.norm).c_str(),
          cell(d.gradient).c_str(), cell(d.state).c_str(), cell(d.evaluation).c_str(), cell(d.scores).c_str(),
          d.is_none() ? "equal" : "DIFFERS");
    layouts.push_back({{"layout", checked.layout},
                       {"model", checked.model},
                       {"loss", d.loss},
                       {"grad_norm", d.norm},
                       {"gradient", d.gradient},
                       {"state", d.state},
                       {"eval_loss", d.evaluation},
                       {"scores", d.scores},
                       {"equal", d.is_none()}});
  });
  std::int64_t any_struck = struck;
  world.all_max(&any_struck, 1);
  if (speaks && options.json) {
    print_line(nlohmann::json{{"ranks", world.size()},
                              {"steps", options.steps},
                              {"layouts", layouts},
                              {"differ", differ},
                              {"struck", any_struck != 0}}
                   .dump());
  } else if (speaks) {
    print_line(std::to_string(count) + " layouts of " + std::to_string(world.size()) +
               (world.size() == 1 ? " rank, " : " ranks, ") + std::to_string(options.steps) +
               " steps each beside one rank alone: " +
               (differ == 0 ? "all equal, to the bit" : std::to_string(differ) + " differ"));
    if (options.plant != "none" && !any_struck)
      print_line("no message of " + options.plant.substr(0, options.plant.find(':')) +
                 " came by: none of these layouts sends any");
  }
  return differ == 0 ? kExitDone : kExitFailed;
}

}  // namespace trireme::train
