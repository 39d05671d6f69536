#include "data/loader/training_stream.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <sstream>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trireme::data {
namespace {

// To 15 digits, so that 7 to 3 and 0.7 to 0.3 are the same mixture to the bit.
double share_of(double weight, double sum) {
  char text[32];
  const auto written = std::to_chars(text, text + sizeof text, weight / sum, std::chars_format::general, 15);
  double share = 0;
  std::from_chars(text, written.ptr, share);
  return share;
}

std::vector<TrainingStream::Part> open_parts(const std::vector<CorpusSource>& sources, std::uint64_t seed,
                                             std::int64_t sequence_length) {
  std::vector<TrainingStream::Part> parts;
  for (const CorpusSource& source : sources) {
    Corpus corpus = Corpus::open(source.directory, Split::kTraining);
    // A run of one corpus has the order that it had before there were mixtures.
    const std::string name = sources.size() == 1 ? "samples" : "samples/" + corpus.content_hash();
    try {
      AnswerRows rows(corpus, sequence_length);
      const bool of_answers = corpus.labels().of_answers();
      const SampleOrder order =
          corpus.labels().any() ? SampleOrder::of_documents(seed, of_answers ? rows.rows() : corpus.documents(), name)
                                : SampleOrder(seed, corpus.tokens(), sequence_length, name);
      parts.push_back({source.directory, source.weight, std::move(corpus), order, std::move(rows)});
    } catch (const Error& error) {
      throw Error(error.code(), "data.path ", source.directory.string(), ": ", error.what());
    }
  }
  std::sort(parts.begin(), parts.end(),
            [](const auto& a, const auto& b) { return a.corpus.content_hash() < b.corpus.content_hash(); });
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const TrainingStream::Part &first = parts[0], &before = parts[i - 1], &part = parts[i];
    if (part.corpus.tokenizer_hash() != first.corpus.tokenizer_hash())
      throw Error(ErrorCode::kBadInput, "data.path: ", first.directory.string(), " and ", part.directory.string(),
                  " were encoded with different tokenizers, of ", first.corpus.vocabulary_size(), " and ",
                  part.corpus.vocabulary_size(), " tokens; a mixture needs one tokenizer for all of its corpora");
    if (part.corpus.labels() != first.corpus.labels() ||
        part.corpus.vocabulary_size() != first.corpus.vocabulary_size())
      throw Error(ErrorCode::kBadInput, "data.path: ", first.directory.string(), " and ", part.directory.string(),
                  " have other labels, or ids without a tokenizer that lie below other numbers; encode both with the "
                  "same --label-names and --vocabulary");
    if (part.corpus.content_hash() == before.corpus.content_hash())
      throw Error(ErrorCode::kBadInput, "data.path: ", before.directory.string(), " and ", part.directory.string(),
                  " hold the same tokens; name each corpus once, with all of its weight");
  }
  double sum = 0;
  for (const auto& part : parts) sum += part.share;
  for (auto& part : parts) part.share = share_of(part.share, sum);
  return parts;
}

std::vector<double> shares_of(const std::vector<TrainingStream::Part>& parts) {
  std::vector<double> shares;
  for (const auto& part : parts) shares.push_back(part.share);
  return shares;
}

}  // namespace

TrainingStream::TrainingStream(const std::vector<CorpusSource>& sources, std::uint64_t seed,
                               std::int64_t sequence_length)
    : parts_(open_parts(sources, seed, sequence_length)), mixture_(seed, shares_of(parts_)), length_(sequence_length) {}

Sample TrainingStream::sample(std::int64_t number) const {
  const MixtureOrder::Place place = mixture_.at(number);
  return {number, place.corpus, parts_[static_cast<std::size_t>(place.corpus)].order.begin_of(place.number)};
}

void TrainingStream::read(const Sample& sample, std::span<TokenId> tokens) const {
  parts_[static_cast<std::size_t>(sample.corpus)].corpus.read(sample.begin, tokens);
}

LabelledText TrainingStream::labelled(const Sample& sample) const {
  return parts_[static_cast<std::size_t>(sample.corpus)].corpus.labelled(sample.begin);
}

std::vector<LabelledText> TrainingStream::packed(const Sample& sample) const {
  const Part& part = parts_[static_cast<std::size_t>(sample.corpus)];
  return part.rows.texts(part.corpus, sample.begin);
}

std::span<const std::int64_t> TrainingStream::preferences(const Sample& sample) const {
  return parts_[static_cast<std::size_t>(sample.corpus)].rows.preferences(sample.begin);
}

std::int64_t TrainingStream::longer_texts() const {
  std::int64_t count = 0;
  for (const Part& part : parts_) count += part.rows.cut();
  if (labels().of_answers()) return count;
  for (const Part& part : parts_)
    for (std::int64_t i = 0; i < part.corpus.documents(); ++i) {
      const auto [begin, end] = part.corpus.document(i);
      const std::int64_t stored = end - begin - 1;  // with labels
      count += (labels().of == Labels::Of::kTokens ? stored / 2 : stored - 1) > length_ ? 1 : 0;
    }
  return count;
}

std::string TrainingStream::content() const {
  if (parts_.size() == 1) return parts_[0].corpus.content_hash();
  std::vector<std::string> items;
  for (const Part& part : parts_) items.push_back(part.corpus.content_hash() + "=" + to_text(part.share));
  return join(items, ",");
}

void TrainingStream::expect_content(const std::string& content, const std::string& where) const {
  if (content == this->content()) return;
  std::map<std::string, std::string, std::less<>> shares;  // of the other stream, by content hash
  std::istringstream items(content);
  for (std::string item; std::getline(items, item, ',');) {
    const std::size_t equals = std::min(item.find('='), item.size());
    shares[item.substr(0, equals)] = equals == item.size() ? "1" : item.substr(equals + 1);
  }
  for (const Part& part : parts_)
    if (!shares.contains(part.corpus.content_hash()))
      throw Error(ErrorCode::kBadInput, "data.path ", part.directory.string(), " holds other tokens than ", where,
                  " was trained on");
  if (shares.size() > parts_.size())
    throw Error(ErrorCode::kBadInput, "data.path names ", parts_.size(), " of the ", shares.size(), " corpora that ",
                where, " was trained on");
  for (const Part& part : parts_)
    if (const std::string& old = shares[part.corpus.content_hash()]; old != to_text(part.share))
      throw Error(ErrorCode::kUsage, "data.path gives ", part.directory.string(), " the share ", to_text(part.share),
                  ", but ", where, " was trained with ", old, ", which cannot change on resume; choose another --run");
}

}  // namespace trireme::data
