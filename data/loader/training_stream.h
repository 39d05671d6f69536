#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "data/corpus/corpus.h"
#include "data/loader/answer_rows.h"
#include "data/loader/mixture_order.h"
#include "data/loader/sample_order.h"

namespace trireme::data {

/// A corpus to train on, by its share of the samples.
struct CorpusSource {
  std::filesystem::path directory;
  double weight = 1;  ///< over the sum of all weights
};

/// One training sample: where it lies. What the hash of a micro-batch's samples is taken over.
struct Sample {
  std::int64_t number = 0;  ///< in the run, counted from 0
  std::int64_t corpus = 0;  ///< by index in corpora()
  std::int64_t begin = 0;   ///< its first token; of labelled texts, which of them; of answers, which row of them
};

/// All that a run trains on: one corpus or several, mixed by weight, as one endless row of samples, windows of text or,
/// where they have labels, whole texts; texts with answers, or pairs of them, share rows. Which tokens a sample holds
/// follows from seed, corpora, weights and its number alone: not from ranks, from where the corpora lie, or from the
/// order in which they are named.
class TrainingStream {
 public:
  /// @throws Error kNotFound, kCorrupt, kIo; kBadInput, naming the corpora, for one shorter than a sequence, several of
  ///               different tokenizers or labels, or the same tokens twice
  TrainingStream(const std::vector<CorpusSource>& sources, std::uint64_t seed, std::int64_t sequence_length);

  Sample sample(std::int64_t number) const;
  /// Its sequence_length() + 1 tokens. @throws Error kCorrupt
  void read(const Sample& sample, std::span<TokenId> tokens) const;
  /// Of a corpus with labels. @throws Error kCorrupt
  LabelledText labelled(const Sample& sample) const;
  std::int64_t sequence_length() const { return length_; }
  const Labels& labels() const { return parts_[0].corpus.labels(); }
  /// The texts with answers that share a row, none longer than they have room for: sequence_length() + 1 tokens alone;
  /// of preferences, the chosen one and the rejected one in turn. @throws Error kCorrupt
  std::vector<LabelledText> packed(const Sample& sample) const;
  /// Which of its corpus's preferences these are; none of answers.
  std::span<const std::int64_t> preferences(const Sample& sample) const;
  /// How many labelled texts have more tokens than a sequence; of preferences, how many do not fit one.
  std::int64_t longer_texts() const;

  std::int64_t vocabulary_size() const { return parts_[0].corpus.vocabulary_size(); }
  const std::string& tokenizer_json() const { return parts_[0].corpus.tokenizer_json(); }
  const std::string& tokenizer_hash() const { return parts_[0].corpus.tokenizer_hash(); }

  /// Names corpora and weights by content: of one corpus its content hash; of several, "HASH=SHARE" each with commas
  /// between.
  std::string content() const;
  /// That this stream is the one of `content`. @param where  what was trained on that one, for the message
  /// @throws Error kBadInput when the tokens are others, kUsage when only a share is
  void expect_content(const std::string& content, const std::string& where) const;

  struct Part {
    std::filesystem::path directory;
    double share;  ///< of the samples; all of them add up to 1
    Corpus corpus;
    SampleOrder order;
    AnswerRows rows;  ///< of answers
  };
  /// In the order of their content hashes.
  const std::vector<Part>& parts() const { return parts_; }
  /// How many of the run's first `samples` each part gives.
  std::vector<std::int64_t> counts(std::int64_t samples) const { return mixture_.counts(samples); }

 private:
  std::vector<Part> parts_;
  MixtureOrder mixture_;
  std::int64_t length_;
};

}  // namespace trireme::data
