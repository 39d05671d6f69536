#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "data/corpus/corpus.h"
#include "data/loader/packing.h"

namespace trireme::data {

/// The texts with answers of a corpus, or its preferences, in rows that they share. A text takes a place less than it
/// has tokens: its last one is followed by nothing. What does not fit a row is cut at its end; of a preference, the
/// longer one, down to half a row, and then both.
class AnswerRows {
 public:
  /// Of a corpus without answers: none.
  AnswerRows(const Corpus& corpus, std::int64_t row);

  std::int64_t rows() const { return packing_.rows(); }
  /// Which preferences a row has; none of answers.
  std::span<const std::int64_t> preferences(std::int64_t row) const {
    return in_one_ == 2 ? packing_.documents(row) : std::span<const std::int64_t>();
  }
  /// Texts of a row, cut to their room. @throws Error kCorrupt
  std::vector<LabelledText> texts(const Corpus& corpus, std::int64_t row) const;
  /// How many texts, or preferences, were cut.
  std::int64_t cut() const { return cut_; }

 private:
  std::int64_t row_, in_one_, cut_ = 0;
  Packing packing_;
};

}  // namespace trireme::data
