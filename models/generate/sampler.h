#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace trireme::models {

/// How the next token is chosen from scores.
struct SamplingOptions {
  double temperature = 1;  ///< divides scores; 0: always the highest
  std::int64_t top_k = 0;  ///< only the k highest; 0: all
  double top_p = 1;        ///< only the smallest set of likeliest tokens whose probabilities reach p
  std::uint64_t seed = 0;
};

/// Draws tokens. Seed and position decide the random number, never the batch or the machine.
class Sampler {
 public:
  explicit Sampler(SamplingOptions options) : options_(options) {}

  /// @param scores    one for each token of the vocabulary; the highest wins ties by its smaller id
  /// @param position  of the token drawn, in its sequence
  std::int64_t draw(std::span<const float> scores, std::int64_t position);

 private:
  SamplingOptions options_;
  std::vector<std::pair<float, std::int64_t>> candidates_;  // kept between calls: no allocation a token
};

}  // namespace trireme::models
