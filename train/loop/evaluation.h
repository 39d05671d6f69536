#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "core/comm/communicator.h"
#include "data/corpus/corpus.h"
#include "data/loader/loader.h"
#include "models/model.h"

namespace trireme::train {

struct EvaluationResult {
  std::int64_t stopped = 0;  ///< StopReason; then there is nothing else
  double loss = 0;           ///< nats a token
  double bits_per_byte = 0;  ///< of text
};

/// Reads a whole validation split and says how well a model predicts it. Ranks share the batches; the sum is taken in
/// the order of batches, so it does not depend on their number.
class Evaluation {
 public:
  /// @throws Error kNotFound, kBadInput when the corpus has no such split or one shorter than a sequence; kCorrupt
  Evaluation(const std::filesystem::path& corpus, std::int64_t sequence_length, std::int64_t micro_batch);

  /// Called by all ranks.
  /// @param stop  this rank's StopReason, asked before each batch; any rank's ends the evaluation on all
  EvaluationResult run(Communicator& world, models::Model& model, const std::function<std::int64_t()>& stop) const;
  const std::string& content_hash() const { return corpus_.content_hash(); }

 private:
  data::Corpus corpus_;
  data::EvaluationBatches batches_;
};

}  // namespace trireme::train
