#include "models/generate/sampler.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/base/random.h"

namespace trireme::models {

std::int64_t Sampler::draw(std::span<const float> scores, std::int64_t position) {
  if (scores.empty()) throw Error(ErrorCode::kBug, "no scores to draw from");
  const auto highest = std::max_element(scores.begin(), scores.end());
  if (!std::isfinite(*highest)) throw Error(ErrorCode::kNumeric, "the model's scores are not finite");
  if (options_.temperature == 0 || options_.top_k == 1) return highest - scores.begin();

  candidates_.clear();
  for (std::size_t i = 0; i < scores.size(); ++i)
    if (!std::isnan(scores[i])) candidates_.emplace_back(scores[i], static_cast<std::int64_t>(i));
  const auto before = [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  };
  if (options_.top_k > 0 && static_cast<std::size_t>(options_.top_k) < candidates_.size()) {
    std::nth_element(candidates_.begin(), candidates_.begin() + options_.top_k - 1, candidates_.end(), before);
    candidates_.resize(static_cast<std::size_t>(options_.top_k));
  }
  // In the order of ids where nothing is left out: sorting a whole vocabulary costs more than all else here.
  if (options_.top_p < 1) std::sort(candidates_.begin(), candidates_.end(), before);

  double total = 0;
  const double top = *highest;
  std::vector<double> weights;
  weights.reserve(candidates_.size());
  for (const auto& [score, token] : candidates_) {
    weights.push_back(std::exp((score - top) / options_.temperature));
    total += weights.back();
  }
  if (options_.top_p < 1) {
    double reached = 0;
    std::size_t kept = 0;
    while (kept < weights.size() && (kept == 0 || reached < options_.top_p * total)) reached += weights[kept++];
    weights.resize(kept);
    total = reached;
  }
  double left = RandomStream(options_.seed, "sampling").uniform(static_cast<std::uint64_t>(position)) * total;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    left -= weights[i];
    if (left < 0) return candidates_[i].second;
  }
  return candidates_[weights.size() - 1].second;  // rounding: the sum fell short of itself
}

}  // namespace trireme::models
