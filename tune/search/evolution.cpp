#include "tune/search/evolution.h"

#include <algorithm>
#include <cmath>

#include "tune/search/pareto.h"
#include "tune/search/random.h"
#include "tune/search/trial_random.h"
#include "tune/search/untried.h"

namespace trireme::tune {
namespace {

constexpr std::size_t kPopulation = 32;
constexpr std::size_t kStart = 16;  // trials that are done before the first child
constexpr std::size_t kTournament = 8;
constexpr double kLargestStep = 0.5, kSmallestStep = 1.0 / 60;
constexpr std::uint64_t kAttempts = 64;

class Evolution final : public Method {
 public:
  explicit Evolution(const MethodContext& context)
      : space_(context.space), stream_(context.seed, "tune/evolution"), untried_(space_), random_(context) {}

  std::optional<Suggestion> suggest(const History& history, std::int64_t trial) override {
    const std::vector<const Observation*> population = latest_done(history);
    if (population.size() < kStart) return random_.suggest(history, trial);
    std::vector<std::vector<double>> values;
    for (const Observation* one : population) values.push_back(one->values);
    const std::vector<std::size_t> ranks = domination_ranks(values);
    untried_.see(history);
    for (std::uint64_t attempt = 0; attempt < kAttempts; ++attempt) {
      TrialRandom random(stream_, trial, attempt);
      std::size_t winner = random.below(population.size());
      for (std::size_t k = 1; k < kTournament; ++k) {
        const std::size_t other = random.below(population.size());
        if (ranks[other] < ranks[winner]) winner = other;
      }
      const Point child = mutated(population[winner]->point, random);
      if (untried_.contains(child)) return Suggestion{child, ""};
    }
    return random_.suggest(history, trial);
  }

 private:
  static std::vector<const Observation*> latest_done(const History& history) {
    std::vector<const Observation*> latest;
    for (std::size_t i = history.size(); i-- > 0 && latest.size() < kPopulation;)
      if (history[i].outcome == Outcome::kDone) latest.push_back(&history[i]);
    return latest;
  }

  Point mutated(Point point, TrialRandom& random) const {
    std::vector<std::size_t> changeable;
    for (std::size_t i = 0; i < point.size(); ++i)
      if (!std::isnan(point[i]) && space_[i].levels() != 1) changeable.push_back(i);
    if (changeable.empty()) return point;
    const std::size_t chosen = changeable[random.below(changeable.size())];
    point[chosen] = space_[chosen].is_ordered() ? stepped(space_[chosen], point[chosen], random)
                                                : other_choice(space_[chosen], point[chosen], random);
    for (std::size_t i = 0; i < point.size(); ++i)
      if (std::isnan(point[i])) point[i] = space_[i].draw(random.uniform());  // in case it is there now
    return space_.snap(point);
  }

  static double stepped(const Dimension& dimension, double position, TrialRandom& random) {
    const double step = kLargestStep * std::pow(kSmallestStep / kLargestStep, random.uniform()) * random.normal();
    const double moved = dimension.snap(mirrored(position + step));
    if (moved != position || dimension.levels() == 0) return moved;
    // Less than a level: to the neighbour on that side, or on the other at an end.
    const std::int64_t level = dimension.level_of(position), last = dimension.levels() - 1;
    const bool up = level == 0 || (step > 0 && level < last);
    return dimension.position_of_level(level + (up ? 1 : -1));
  }

  static double other_choice(const Dimension& dimension, double position, TrialRandom& random) {
    std::vector<double> probabilities = level_probabilities(dimension);
    const auto own = static_cast<std::size_t>(dimension.level_of(position));
    double left = random.uniform() * (1 - probabilities[own]);
    std::size_t chosen = own;
    for (std::size_t level = 0; level < probabilities.size(); ++level) {
      if (level == own) continue;
      chosen = level;
      left -= probabilities[level];
      if (left < 0) break;
    }
    return dimension.position_of_level(static_cast<std::int64_t>(chosen));
  }

  const Space& space_;
  RandomStream stream_;
  Untried untried_;
  RandomSearch random_;
};

}  // namespace

std::unique_ptr<Method> make_evolution(const MethodContext& context) { return std::make_unique<Evolution>(context); }

}  // namespace trireme::tune
