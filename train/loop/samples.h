#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/tokenizer/tokenizer.h"
#include "train/config/train_config.h"
#include "train/loop/stages.h"

namespace trireme::train {

/// A text that the model wrote.
struct Sample {
  std::string prompt, text;
  std::int64_t tokens = 0;  ///< of `text`
  std::string reason;       ///< why it ends: see models::Continuation
};

/// Lets the model write at each evaluation, so that people see what it has learnt. The draws depend on seed, prompt and
/// position alone: whatever changes from one evaluation to the next is the model's doing, and no rank's training is
/// touched by it.
class Samples {
 public:
  /// @throws Error kUsage for a prompt that leaves no room in `context`
  Samples(const EvaluationConfig& config, std::uint64_t seed, std::int64_t context, data::Tokenizer tokenizer);

  /// Called by all ranks; those of the data axis share the prompts.
  /// @param stop  asked after each token; true cuts this rank's texts short
  /// @returns     one for each prompt, in order, on every rank
  std::vector<Sample> draw(Stages& stages, const std::function<bool()>& stop) const;

 private:
  Sample sample(Stages& stages, std::size_t prompt, const std::function<bool()>& stop) const;

  std::int64_t tokens_;
  double temperature_;
  std::uint64_t seed_;
  data::Tokenizer tokenizer_;
  std::vector<std::string> prompts_;
};

}  // namespace trireme::train
