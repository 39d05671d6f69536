#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "data/corpus/corpus.h"
#include "data/loader/augmentation.h"
#include "data/loader/training_stream.h"

namespace trireme::data {

/// The unit of work that a step is made of: some sequences, read together.
struct MicroBatch {
  std::int64_t step = 0;   ///< counts from 0
  std::int64_t index = 0;  ///< micro-batch within the step
  std::int64_t sequences = 0, length = 0;
  std::vector<std::int64_t> tokens;  ///< [sequences][length], what the model reads
  /// [sequences][length], the token that follows each, or its label; -1 where none is asked for.
  std::vector<std::int64_t> targets;
  /// [sequences], tokens of labelled texts, which are filled up with others behind; empty: sequences are full.
  std::vector<std::int64_t> lengths;
  /// Of rows that texts share: how long these are, in order; all of them fill all rows, what is left over is a text
  /// without targets. Empty: each row is one.
  std::vector<std::int64_t> documents;
  /// A chosen and a rejected answer.
  struct Preference {
    std::int64_t document = 0;            ///< the chosen one; the next is the rejected one
    std::int64_t corpus = 0, number = 0;  ///< of the stream, and which of its preferences
    double reference = 0;                 ///< what these are compared with: whoever trains fills it in
  };
  std::vector<Preference> preferences;
  /// Targets, or preferences, asked for by all micro-batches of the step; 1 where none is.
  std::int64_t step_targets = 1;
  std::uint64_t samples_hash = 0;  ///< XXH3-64 of the Sample of each sequence: what was read
};

/// Which of a text's tokens has its label: the first one, or the last one that is not this.
struct LabelPlace {
  bool first = false;
  std::int64_t padding_id = -1;
};

struct LoaderPlan {
  std::int64_t micro_batch = 1;             ///< sequences
  std::int64_t micro_batches_per_step = 1;  ///< of all ranks
  std::int64_t first = 0, last = 1;         ///< this rank's micro-batches of a step lie in [first, last) ...
  std::int64_t stride = 1;                  ///< ... every so many
  std::int64_t first_step = 0;              ///< where to begin
  std::int64_t last_step = 0;               ///< one past the last step: nothing beyond it is read
  int prefetch = 8;                         ///< micro-batches read ahead
  LabelPlace label_place{};                 ///< of labelled texts
};

/// Reads one rank's share of the training stream ahead of its use, in a thread of its own. An error of that thread is
/// thrown by next().
class Loader {
 public:
  /// `stream` outlives the loader. @throws Error kBadInput for a plan that cannot be
  Loader(const TrainingStream& stream, LoaderPlan plan, Augmentation augmentation = {});
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// The next micro-batch in order: step by step, from first on within each. Waits only when the thread is behind.
  /// @throws Error kCorrupt, kIo, after all that was read before the failure; kBug past the last micro-batch
  MicroBatch next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Evaluation reads every labelled text of a split once, texts with answers in the rows that they share, or every token
/// of another one: windows side by side, the last one moved back so that it is full, with targets already asked for set
/// to -1, and whole sequences of -1 to fill the last micro-batch.
class EvaluationBatches {
 public:
  /// @throws Error kBadInput when the split holds fewer than sequence_length + 1 tokens, or no labelled text
  EvaluationBatches(const Corpus& corpus, std::int64_t sequence_length, std::int64_t micro_batch,
                    LabelPlace label_place = {});
  std::int64_t count() const;
  /// Of a split without labels, targets asked for over all batches: tokens() - 1.
  std::int64_t targets() const;
  MicroBatch batch(std::int64_t index) const;

 private:
  const Corpus* corpus_;
  std::int64_t length_, micro_batch_, windows_;
  std::optional<AnswerRows> rows_;  // of answers
  LabelPlace label_place_;
};

}  // namespace trireme::data
