#include "tune/search/tpe.h"

#include <algorithm>
#include <cmath>

#include "tune/search/parzen.h"
#include "tune/search/qmc.h"
#include "tune/search/random.h"
#include "tune/search/ranking.h"
#include "tune/search/untried.h"

namespace trireme::tune {
namespace {

constexpr std::ptrdiff_t kStart = 10;  // trials that end before there are densities
constexpr double kBetter = 0.1;        // share of the trials that are done
constexpr std::size_t kMostBetter = 25;
constexpr std::size_t kDraws = 24;  // of which the best is proposed
constexpr std::uint64_t kChoosyAttempts = 16, kAttempts = 64;

// Dimensions that are there under the same conditions.
using Group = std::vector<std::size_t>;

struct Densities {
  ParzenEstimator better, others;
};

bool same_condition(const Condition& a, const Condition& b) {
  return a.min == b.min && a.max == b.max &&
         std::equal(a.values.begin(), a.values.end(), b.values.begin(), b.values.end(), same_value);
}

bool same_gates(const std::vector<Space::Gate>& a, const std::vector<Space::Gate>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Space::Gate& x, const Space::Gate& y) {
    return x.parent == y.parent && same_condition(x.condition, y.condition);
  });
}

// Parents before what depends on them: the first of a group already stands behind all parents of the group.
std::vector<Group> groups_of(const Space& space) {
  std::vector<Group> groups;
  for (const std::size_t i : space.order()) {
    const auto group = std::find_if(groups.begin(), groups.end(),
                                    [&](const Group& g) { return same_gates(space.gates(g[0]), space.gates(i)); });
    if (group == groups.end())
      groups.push_back({i});
    else
      group->push_back(i);
  }
  return groups;
}

class Tpe final : public Method {
 public:
  explicit Tpe(const MethodContext& context)
      : space_(context.space),
        groups_(groups_of(space_)),
        stream_(context.seed, "tune/tpe"),
        untried_(space_),
        start_(make_qmc(context)),
        random_(context) {}

  std::optional<Suggestion> suggest(const History& history, std::int64_t trial) override {
    const auto ended = std::count_if(history.begin(), history.end(),
                                     [](const Observation& one) { return one.outcome != Outcome::kPending; });
    if (ended < kStart) return start_->suggest(history, trial);
    untried_.see(history);
    std::vector<Densities> densities;
    for (const Group& group : groups_) densities.push_back(fit(history, group));
    for (std::uint64_t attempt = 0; attempt < kAttempts; ++attempt) {
      TrialRandom random(stream_, trial, attempt);
      const Point point = propose(densities, random, attempt < kChoosyAttempts ? kDraws : 1);
      if (untried_.contains(point)) return Suggestion{point, ""};
    }
    return random_.suggest(history, trial);
  }

 private:
  Densities fit(const History& history, const Group& group) const {
    std::vector<std::size_t> places;
    std::size_t done = 0;
    std::vector<Point> better, others;
    for (std::size_t i = 0; i < history.size(); ++i) {
      if (std::isnan(history[i].point[group[0]])) continue;
      places.push_back(i);
      done += history[i].outcome == Outcome::kDone;
      if (history[i].outcome == Outcome::kPending) others.push_back(history[i].point);
    }
    const auto share = static_cast<std::size_t>(std::ceil(kBetter * static_cast<double>(done)));
    for (const std::size_t i : best_first(history, places))
      (better.size() < std::min(share, kMostBetter) ? better : others).push_back(history[i].point);
    return {{space_, group, std::move(better)}, {space_, group, std::move(others)}};
  }

  Point propose(const std::vector<Densities>& densities, TrialRandom& random, std::size_t draws) const {
    Point point(space_.size(), kInactive);
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      if (!space_.is_active(point, groups_[g][0])) continue;
      Point best, candidate = point;
      double best_score = 0;
      for (std::size_t k = 0; k < draws; ++k) {
        densities[g].better.draw(random, candidate);
        const double score = densities[g].better.log_density(candidate) - densities[g].others.log_density(candidate);
        if (k > 0 && !(score > best_score)) continue;
        best = candidate;
        best_score = score;
      }
      point = best;
    }
    return point;
  }

  const Space& space_;
  std::vector<Group> groups_;
  RandomStream stream_;
  Untried untried_;
  std::unique_ptr<Method> start_;
  RandomSearch random_;
};

}  // namespace

std::unique_ptr<Method> make_tpe(const MethodContext& context) { return std::make_unique<Tpe>(context); }

}  // namespace trireme::tune
