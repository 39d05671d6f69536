#include "tune/search/random.h"

#include <algorithm>

namespace trireme::tune {

RandomSearch::RandomSearch(const MethodContext& context)
    : space_(context.space), random_(context.seed, "tune/random"), untried_(context.space) {}

std::optional<Suggestion> RandomSearch::suggest(const History& history, std::int64_t trial) {
  const auto uniform = [&](std::uint64_t attempt, std::size_t dimension) {
    return random_.uniform(static_cast<std::uint64_t>(trial), attempt * space_.size() + dimension);
  };
  if (!untried_.is_discrete()) return Suggestion{space_.draw_feasible(uniform), ""};

  untried_.see(history);
  const auto distinct = untried_.distinct();
  const std::uint64_t attempts = std::min<std::uint64_t>(distinct.value_or(10'000), 100'000);
  std::vector<double> uniforms(space_.size());
  for (std::uint64_t attempt = 0; attempt < attempts; ++attempt) {
    for (std::size_t i = 0; i < uniforms.size(); ++i) uniforms[i] = uniform(attempt, i);
    const Point point = space_.draw(uniforms);
    if (untried_.contains(point)) return Suggestion{point, ""};
  }
  // Of endless values hardly any other has a chance to be drawn.
  if (!distinct) return Suggestion{space_.draw_feasible(uniform), ""};
  const auto point = untried_.pick(uniform(attempts, 0));
  return point ? std::optional(Suggestion{*point, ""}) : std::nullopt;
}

std::unique_ptr<Method> make_random(const MethodContext& context) { return std::make_unique<RandomSearch>(context); }

}  // namespace trireme::tune
