#include "data/loader/mixture_order.h"

#include <cmath>
#include <queue>
#include <utility>

#include "core/base/error.h"
#include "core/base/random.h"

namespace trireme::data {

MixtureOrder::MixtureOrder(std::uint64_t seed, std::span<const double> weights)
    : corpora_(static_cast<std::int64_t>(weights.size())) {
  if (weights.empty()) throw Error(ErrorCode::kBug, "a mixture of no corpora");
  using Node = std::pair<double, std::int64_t>;  // of equal weights the lower node goes first
  std::priority_queue<Node, std::vector<Node>, std::greater<>> roots;
  for (const double weight : weights) {
    if (!(weight > 0)) throw Error(ErrorCode::kBug, "a corpus of weight ", weight, " in a mixture");
    roots.emplace(weight, static_cast<std::int64_t>(roots.size()));
  }
  const RandomStream random(seed, "mixture");
  while (roots.size() > 1) {
    const auto [light, lighter] = roots.top();
    roots.pop();
    const auto [heavy, heavier] = roots.top();
    roots.pop();
    const auto index = static_cast<std::int64_t>(forks_.size());
    // At most one half, so the product fits.
    const auto share = static_cast<std::uint64_t>(std::ldexp(light / (light + heavy), 64));
    forks_.push_back({share, random.bits(static_cast<std::uint64_t>(index)), lighter, heavier});
    roots.emplace(light + heavy, corpora_ + index);
  }
}

std::int64_t MixtureOrder::Fork::to_lighter(std::int64_t samples) const {
  return static_cast<std::int64_t>((static_cast<unsigned __int128>(samples) * share + phase) >> 64);
}

MixtureOrder::Place MixtureOrder::at(std::int64_t sample) const {
  if (sample < 0) throw Error(ErrorCode::kBug, "sample ", sample, " does not exist");
  std::int64_t node = corpora_ + static_cast<std::int64_t>(forks_.size()) - 1, number = sample;
  while (node >= corpora_) {
    const Fork& fork = forks_[static_cast<std::size_t>(node - corpora_)];
    const std::int64_t before = fork.to_lighter(number);
    const bool is_lighter = fork.to_lighter(number + 1) > before;
    node = is_lighter ? fork.lighter : fork.heavier;
    number = is_lighter ? before : number - before;
  }
  return {node, number};
}

std::vector<std::int64_t> MixtureOrder::counts(std::int64_t samples) const {
  std::vector<std::int64_t> of_node(static_cast<std::size_t>(corpora_) + forks_.size());
  of_node.back() = samples;
  for (std::size_t i = forks_.size(); i-- > 0;) {
    const Fork& fork = forks_[i];
    const std::int64_t here = of_node[static_cast<std::size_t>(corpora_) + i];
    of_node[static_cast<std::size_t>(fork.lighter)] = fork.to_lighter(here);
    of_node[static_cast<std::size_t>(fork.heavier)] = here - fork.to_lighter(here);
  }
  of_node.resize(static_cast<std::size_t>(corpora_));
  return of_node;
}

}  // namespace trireme::data
