#include "tune/search/cma_es.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>

#include "core/base/error.h"
#include "tune/search/cma_distribution.h"
#include "tune/search/random.h"
#include "tune/search/ranking.h"
#include "tune/search/untried.h"

namespace trireme::tune {
namespace {

constexpr double kFirstDeviation = 0.3;
constexpr double kSettled = 1e-6;  // deviation, as a share of the range
constexpr double kIllConditioned = 1e14;
constexpr double kSameValue = 1e-12;  // relative
constexpr double kChoiceRate = 0.3;   // how far probabilities of choices go towards those of the better half
constexpr std::uint64_t kAttempts = 64;

// What is written to a trial: "2 0 11 12 14 15".
struct Note {
  std::size_t generation = 0;
  std::uint64_t attempt = 0;
  std::vector<std::int64_t> parents;  // numbers of the trials that the generation before was learned from
};

std::string text_of(const Note& note) {
  std::string text = std::to_string(note.generation) + " " + std::to_string(note.attempt);
  for (const std::int64_t parent : note.parents) text += " " + std::to_string(parent);
  return text;
}

std::optional<Note> parse(const std::string& text) {
  std::istringstream in(text);
  Note note;
  if (!(in >> note.generation >> note.attempt)) return std::nullopt;
  for (std::int64_t parent = 0; in >> parent;) note.parents.push_back(parent);
  return in.eof() ? std::optional(note) : std::nullopt;
}

// A trial of the method's own.
struct Member {
  std::size_t place;  // in the history
  Note note;
};

class CmaEs final : public Method {
 public:
  explicit CmaEs(const MethodContext& context)
      : space_(context.space),
        stream_(context.seed, "tune/cma-es"),
        starts_(context.seed, "tune/cma-es/starts"),
        untried_(space_),
        random_(context) {
    if (context.objectives > 1)
      throw Error(ErrorCode::kUsage, "method cma-es searches for one objective, got ", context.objectives,
                  ": choose bayes, tpe or evolution");
    for (std::size_t i = 0; i < space_.size(); ++i) (space_[i].is_ordered() ? numbers_ : choices_).push_back(i);
    if (numbers_.empty())
      throw Error(ErrorCode::kUsage, "method cma-es needs a parameter whose values have an order, and all ",
                  space_.size(), " are choices without: choose bayes, tpe or evolution");
  }

  std::optional<Suggestion> suggest(const History& history, std::int64_t trial) override {
    const auto [run, generation, parents] = replay(history);
    untried_.see(history);
    for (std::uint64_t attempt = 0; attempt < kAttempts; ++attempt) {
      TrialRandom random(stream_, trial, attempt);
      const Point point = draw(run, random);
      if (untried_.contains(point)) return Suggestion{point, text_of({generation, attempt, parents})};
    }
    return random_.suggest(history, trial);
  }

 private:
  // From one start to the next.
  struct Run {
    std::size_t generation_size;
    CmaDistribution distribution;
    std::vector<std::vector<double>> probabilities;  // of choices_
    std::vector<double> bests;                       // of its generations
  };
  struct Replay {
    Run run;
    std::size_t generation;
    std::vector<std::int64_t> parents;
  };

  Replay replay(const History& history) const {
    std::map<std::size_t, std::vector<Member>> generations;
    for (std::size_t i = 0; i < history.size(); ++i)
      if (auto note = parse(history[i].note)) generations[note->generation].push_back({i, std::move(*note)});
    const double parameters = static_cast<double>(space_.size());
    Replay now{start(4 + static_cast<std::size_t>(3 * std::log(parameters)), std::nullopt), 0, {}};
    for (;; ++now.generation) {
      const auto next = generations.find(now.generation + 1);
      const auto& members = generations[now.generation];
      if (next == generations.end()) {
        auto ended = first_ended(history, members, now.run.generation_size);
        if (ended.size() < now.run.generation_size) return now;
        // Those that failed are not noted: should they be tried again, nobody learned from what comes of that.
        std::erase_if(ended, [&](std::int64_t trial) { return !is_done(history, members, trial); });
        now.parents = std::move(ended);
      } else {
        now.parents = next->second.front().note.parents;
      }
      learn(history, members, now);
    }
  }

  static std::vector<std::int64_t> first_ended(const History& history, const std::vector<Member>& members,
                                               std::size_t count) {
    std::vector<std::int64_t> ended;
    for (const Member& member : members)
      if (history[member.place].outcome != Outcome::kPending && ended.size() < count)
        ended.push_back(history[member.place].trial);
    return ended;
  }

  static bool is_done(const History& history, const std::vector<Member>& members, std::int64_t trial) {
    return std::any_of(members.begin(), members.end(), [&](const Member& member) {
      return history[member.place].trial == trial && history[member.place].outcome == Outcome::kDone;
    });
  }

  // @param elsewhere  the generation behind which a new start is made; nothing: the first start, from the middle
  Run start(std::size_t generation_size, std::optional<std::size_t> elsewhere) const {
    Eigen::VectorXd mean = Eigen::VectorXd::Constant(static_cast<Eigen::Index>(numbers_.size()), 0.5);
    Eigen::VectorXd least = Eigen::VectorXd::Zero(mean.size());
    for (std::size_t k = 0; k < numbers_.size(); ++k) {
      const auto i = static_cast<Eigen::Index>(k);
      if (elsewhere) mean[i] = starts_.uniform(*elsewhere, k);
      const std::int64_t levels = space_[numbers_[k]].levels();
      if (levels > 0) least[i] = 0.25 / static_cast<double>(levels);
    }
    std::vector<std::vector<double>> probabilities;
    for (const std::size_t i : choices_) probabilities.push_back(level_probabilities(space_[i]));
    return {generation_size, {mean, kFirstDeviation, generation_size, least}, probabilities, {}};
  }

  void learn(const History& history, const std::vector<Member>& members, Replay& now) const {
    std::vector<std::size_t> places;
    std::map<std::size_t, const Member*> by_place;
    for (const Member& member : members) {
      const auto& parents = now.parents;
      if (std::find(parents.begin(), parents.end(), history[member.place].trial) == parents.end()) continue;
      if (history[member.place].outcome == Outcome::kDone) places.push_back(member.place);
      by_place[member.place] = &member;
    }
    Run& run = now.run;
    if (places.empty()) {
      run = start(run.generation_size, now.generation);
      return;
    }
    places = best_first(history, places);
    std::vector<Eigen::VectorXd> samples;
    for (const std::size_t place : places) {
      TrialRandom random(stream_, history[place].trial, by_place[place]->note.attempt);
      samples.push_back(run.distribution.draw(random));
    }
    run.distribution.update(samples);
    learn_choices(history, places, run);
    run.bests.push_back(history[places[0]].values[0]);
    if (stagnates(run)) run = start(2 * run.generation_size, now.generation);
  }

  void learn_choices(const History& history, std::vector<std::size_t> places, Run& run) const {
    places.resize(std::min(places.size(), run.generation_size / 2));
    for (std::size_t k = 0; k < choices_.size(); ++k) {
      const Dimension& dimension = space_[choices_[k]];
      std::vector<double> share(run.probabilities[k].size(), 0);
      double active = 0;
      for (const std::size_t place : places) {
        const double position = history[place].point[choices_[k]];
        if (std::isnan(position)) continue;
        share[static_cast<std::size_t>(dimension.level_of(position))] += 1;
        active += 1;
      }
      if (active == 0) continue;
      // A little of what the space's distribution has stays, so that no choice is lost for good.
      const std::vector<double> prior = level_probabilities(dimension);
      const double kept = 1.0 / static_cast<double>(2 * run.generation_size);
      for (std::size_t level = 0; level < share.size(); ++level) {
        double& probability = run.probabilities[k][level];
        probability =
            (1 - kChoiceRate) * probability + kChoiceRate * ((1 - kept) * share[level] / active + kept * prior[level]);
      }
    }
  }

  bool stagnates(const Run& run) const {
    const bool settled =
        run.distribution.largest_deviation() < kSettled || run.distribution.condition() > kIllConditioned;
    const auto window = 10 + static_cast<std::size_t>(std::ceil(30.0 * static_cast<double>(space_.size()) /
                                                                static_cast<double>(run.generation_size)));
    if (settled || run.bests.size() < window) return settled;
    const auto [least, most] =
        std::minmax_element(run.bests.end() - static_cast<std::ptrdiff_t>(window), run.bests.end());
    return *most / 2 - *least / 2 <= kSameValue * std::max(std::abs(*most), std::abs(*least));
  }

  Point draw(const Run& run, TrialRandom& random) const {
    Point point(space_.size());
    const Eigen::VectorXd numbers = run.distribution.draw(random);
    for (std::size_t k = 0; k < numbers_.size(); ++k) point[numbers_[k]] = numbers[static_cast<Eigen::Index>(k)];
    for (std::size_t k = 0; k < choices_.size(); ++k) {
      double left = random.uniform();
      std::size_t level = 0;
      while (level + 1 < run.probabilities[k].size() && (left -= run.probabilities[k][level]) >= 0) ++level;
      point[choices_[k]] = space_[choices_[k]].position_of_level(static_cast<std::int64_t>(level));
    }
    return space_.snap(point);
  }

  const Space& space_;
  std::vector<std::size_t> numbers_, choices_;  // dimensions with an order, and without
  RandomStream stream_, starts_;
  Untried untried_;
  RandomSearch random_;
};

}  // namespace

std::unique_ptr<Method> make_cma_es(const MethodContext& context) { return std::make_unique<CmaEs>(context); }

}  // namespace trireme::tune
