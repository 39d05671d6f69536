#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/corpus/corpus.h"
#include "data/loader/loader.h"
#include "train/loop/stages.h"

namespace trireme::train {

/// What the model that a run begins with says of the preferences of its corpora: log p(chosen) - log p(rejected) of
/// each. It is asked once, before the first step, and kept with the run, so that no second model is needed in memory.
class Reference {
 public:
  /// Asks the model as it is of all preferences of a corpus. Called by all ranks, which all get to know.
  /// @returns what `stop` said, not 0, on any rank; then nothing is known
  std::int64_t measure(Stages& stages, const data::Corpus& corpus, Stages::Size size,
                       const std::function<std::int64_t()>& stop);

  /// @throws Error kBadInput  a corpus that was never asked about
  const std::vector<double>& of(const data::Corpus& corpus) const;

  /// The bytes of RUN/reference, and what they hold (docs/formats/run.md). @throws Error kCorrupt
  std::string to_bytes() const;
  static Reference from_bytes(std::string_view bytes, const std::string& origin);

 private:
  std::map<std::string, std::vector<double>> margins_;  // by the hash of a corpus's tokens
};

/// Fills in what preferences are compared with. @param of  by corpus of the batch
void compare(data::MicroBatch& batch, const std::function<const std::vector<double>&(std::int64_t corpus)>& of);

}  // namespace trireme::train
