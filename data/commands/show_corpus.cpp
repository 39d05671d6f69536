#include "data/commands/show_corpus.h"

#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/text.h"
#include "data/corpus/bigram.h"
#include "data/corpus/corpus.h"
#include "data/corpus/index.h"
#include "data/tokenizer/tokenizer.h"

namespace trireme::data {
namespace {
using Json = nlohmann::ordered_json;
}  // namespace

int verify(const CorpusOptions& options) {
  if (!fs::exists(options.corpus)) throw Error(ErrorCode::kNotFound, "no corpus ", options.corpus);
  const std::vector<std::string> problems = verify_corpus(options.corpus);
  if (options.json) {
    std::cout << Json{{"corpus", options.corpus}, {"sound", problems.empty()}, {"problems", problems}}.dump(
                     -1, ' ', false, Json::error_handler_t::replace)
              << "\n";
  } else {
    for (const std::string& problem : problems) std::cout << problem << "\n";
    if (problems.empty()) std::cout << options.corpus << " is sound\n";
  }
  if (problems.empty()) return kExitDone;
  std::cout.flush();
  throw Error(ErrorCode::kCorrupt, options.corpus, " is damaged: ", problems.size(),
              problems.size() == 1 ? " problem" : " problems");
}

int inspect(const CorpusOptions& options) {
  const CorpusIndex index = read_corpus_index(options.corpus);
  Json json = {{"corpus", options.corpus},
               {"vocabulary_size", index.token_ids},
               {"end_of_text", index.end_of_text},
               {"tokenizer_hash", index.tokenizer_hash}};
  if (index.labels.any()) json["labels"] = {{"of", name_of(index.labels.of)}, {"names", index.labels.names}};
  if (!options.json)
    std::cout << "corpus           " << options.corpus << "\nvocabulary size  " << index.token_ids
              << "\ntokenizer hash   " << index.tokenizer_hash << "\n";
  if (!options.json && index.labels.of_answers())
    std::cout << "learnt           " << name_of(index.labels.of) << "\n";
  else if (!options.json && index.labels.any())
    std::cout << "labels           of " << name_of(index.labels.of) << ": "
              << one_line(join(index.labels.names, ", "), 400) << "\n";
  for (const Split which : kSplits) {
    const SplitEntry& split = index.split(which);
    std::uint64_t bytes = 0;
    for (const ShardEntry& shard : split.shards) bytes += shard.bytes;
    json["splits"][std::string(split_name(which))] = {
        {"tokens", split.tokens},        {"documents", split.documents}, {"text_bytes", split.text_bytes},
        {"shards", split.shards.size()}, {"file_bytes", bytes},          {"content_hash", split.content_hash}};
    if (options.json) continue;
    std::cout << split_name(which) << "\n  tokens         " << split.tokens << "\n  documents      " << split.documents
              << "\n  text           " << bytes_text(static_cast<double>(split.text_bytes));
    if (split.tokens > 0) {
      char ratio[32];
      std::snprintf(ratio, sizeof ratio, "%.2f",
                    static_cast<double>(split.text_bytes) / static_cast<double>(split.tokens));
      std::cout << " (" << ratio << " bytes a token)";
    }
    std::cout << "\n  files          " << split.shards.size() << ", " << bytes_text(static_cast<double>(bytes))
              << "\n  content hash   " << split.content_hash << "\n";
  }
  if (options.json) std::cout << json.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
  return kExitDone;
}

namespace {

Json shown_answers(const LabelledText& text, const Tokenizer& tokenizer) {
  Json json = {{"text", tokenizer.decode(text.ids)},
               {"answers", Json::array()},
               {"token_ids", text.ids},
               {"answer_tokens", Json::array()}};
  for (std::size_t i = 0; i < text.ids.size(); ++i) {
    const std::size_t begin = i;
    while (i < text.ids.size() && text.labels[i] >= 0) ++i;
    if (i == begin) continue;
    json["answers"].push_back(tokenizer.decode(std::span(text.ids).subspan(begin, i - begin)));
    json["answer_tokens"].push_back({begin, i});
  }
  return json;
}

// A line of JSON a text with its answers, or a preference.
int cat_answers(const Corpus& corpus, const Tokenizer& tokenizer) {
  const bool in_pairs = corpus.labels().of == Labels::Of::kPreferences;
  for (std::int64_t i = 0; i < corpus.documents() && std::cout; i += in_pairs ? 2 : 1) {
    Json line = shown_answers(corpus.labelled(i), tokenizer);
    if (in_pairs) line = {{"chosen", std::move(line)}, {"rejected", shown_answers(corpus.labelled(i + 1), tokenizer)}};
    std::cout << line.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
  }
  return kExitDone;
}

// A line of JSON a text, as `encode` takes them.
int cat_labelled(const Corpus& corpus, const std::optional<Tokenizer>& tokenizer) {
  const Labels& labels = corpus.labels();
  const auto name = [&](std::int64_t label) {
    return label < 0 ? Json() : Json(labels.names[static_cast<std::size_t>(label)]);
  };
  for (std::int64_t i = 0; i < corpus.documents() && std::cout; ++i) {
    const LabelledText text = corpus.labelled(i);
    Json line;
    if (labels.of == Labels::Of::kTexts) {
      tokenizer ? line["text"] = tokenizer->decode(tokenizer->body(text.ids)) : line["token_ids"] = text.ids;
      line["label"] = name(text.labels[0]);
    } else {
      line["token_ids"] = text.ids;
      line["labels"] = Json::array();
      for (const std::int64_t label : text.labels) line["labels"].push_back(name(label));
    }
    std::cout << line.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
  }
  return kExitDone;
}

}  // namespace

int cat(const CatOptions& options) {
  const Corpus corpus =
      Corpus::open(options.corpus, options.split == "training" ? Split::kTraining : Split::kValidation);
  std::optional<Tokenizer> known;
  if (!corpus.tokenizer_json().empty())
    known.emplace(Tokenizer::parse(corpus.tokenizer_json(), options.corpus + "/tokenizer.json"));
  if (corpus.labels().of_answers()) return cat_answers(corpus, *known);
  if (corpus.labels().any()) return cat_labelled(corpus, known);
  const Tokenizer& tokenizer = *known;
  std::vector<TokenId> ids;
  for (std::int64_t i = 0; i < corpus.documents() && std::cout; ++i) {
    const auto [begin, end] = corpus.document(i);
    ids.resize(static_cast<std::size_t>(end - begin));
    corpus.read(begin, ids);
    if (tokenizer.suffix().empty() || tokenizer.suffix().back() != tokenizer.end_of_text()) ids.pop_back();
    std::cout << tokenizer.decode(tokenizer.body(ids));
  }
  return kExitDone;
}

int baseline(const CorpusOptions& options) {
  if (read_corpus_index(options.corpus).labels.any())
    throw Error(ErrorCode::kBadInput, options.corpus, " is labelled; bigrams are of text alone");
  const BigramBaseline result =
      bigram_baseline(Corpus::open(options.corpus, Split::kTraining), Corpus::open(options.corpus, Split::kValidation));
  if (options.json) {
    std::cout << Json{{"corpus", options.corpus},
                      {"model", "interpolated-bigram"},
                      {"weights",
                       {{"bigram", result.weights[0]}, {"unigram", result.weights[1]}, {"uniform", result.weights[2]}}},
                      {"training_tokens", result.training_tokens},
                      {"targets", result.targets},
                      {"nats_per_token", result.nats_per_token},
                      {"bits_per_byte", result.bits_per_byte},
                      {"unigram_nats_per_token", result.unigram_nats_per_token}}
              << "\n";
    return kExitDone;
  }
  char text[400];
  std::snprintf(text, sizeof text,
                "interpolated bigrams on the validation split: %.4f nats a token, %.4f bits a byte, over %lld tokens\n"
                "weights: bigram %.4f, unigram %.4f, uniform %.6f; unigrams alone: %.4f nats a token\n",
                result.nats_per_token, result.bits_per_byte, static_cast<long long>(result.targets), result.weights[0],
                result.weights[1], result.weights[2], result.unigram_nats_per_token);
  std::cout << text;
  return kExitDone;
}

}  // namespace trireme::data
