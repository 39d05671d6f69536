#include "data/loader/answer_rows.h"

#include <algorithm>
#include <array>

namespace trireme::data {
namespace {

std::int64_t places(const Corpus& corpus, std::int64_t document) {
  const auto [begin, end] = corpus.document(document);
  return std::max<std::int64_t>(1, end - begin - 2);  // without the end of text, and the last token
}

// How many places each of a preference's texts gets.
std::array<std::int64_t, 2> shared(std::int64_t chosen, std::int64_t rejected, std::int64_t row) {
  const std::int64_t half = std::max<std::int64_t>(1, row / 2);
  if (chosen + rejected <= row) return {chosen, rejected};
  if (chosen <= half) return {chosen, row - chosen};
  if (rejected <= half) return {row - rejected, rejected};
  return {half, half};
}

std::vector<std::int64_t> lengths(const Corpus& corpus, std::int64_t row, std::int64_t in_one, std::int64_t& cut) {
  std::vector<std::int64_t> all;
  if (!corpus.labels().of_answers()) return all;
  all.reserve(static_cast<std::size_t>(corpus.documents() / in_one));
  for (std::int64_t i = 0; i + in_one <= corpus.documents(); i += in_one) {
    std::int64_t length = 0;
    for (std::int64_t k = 0; k < in_one; ++k) length += places(corpus, i + k);
    cut += length > row ? 1 : 0;
    all.push_back(std::min(length, row));
  }
  return all;
}

}  // namespace

AnswerRows::AnswerRows(const Corpus& corpus, std::int64_t row)
    : row_(row),
      in_one_(corpus.labels().of == Labels::Of::kPreferences ? 2 : 1),
      packing_(lengths(corpus, row, in_one_, cut_), row) {}

std::vector<LabelledText> AnswerRows::texts(const Corpus& corpus, std::int64_t row) const {
  std::vector<LabelledText> texts;
  const auto take = [&](std::int64_t document, std::int64_t room) {
    LabelledText text = corpus.labelled(document);
    const auto tokens = std::min(text.ids.size(), static_cast<std::size_t>(room) + 1);
    text.ids.resize(tokens);
    text.labels.resize(tokens);
    texts.push_back(std::move(text));
  };
  for (const std::int64_t number : packing_.documents(row)) {
    if (in_one_ == 1) {
      take(number, row_);
      continue;
    }
    const std::int64_t first = 2 * number;
    const auto room = shared(places(corpus, first), places(corpus, first + 1), row_);
    for (std::int64_t k = 0; k < 2; ++k) take(first + k, room[static_cast<std::size_t>(k)]);
  }
  return texts;
}

}  // namespace trireme::data
