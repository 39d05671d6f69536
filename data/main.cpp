#include <cstdio>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "core/base/stop.h"
#include "core/base/text.h"
#include "core/config/command.h"
#include "data/corpus/bigram.h"
#include "data/corpus/corpus.h"
#include "data/corpus/count_words.h"
#include "data/corpus/documents.h"
#include "data/corpus/encode.h"
#include "data/corpus/index.h"
#include "data/corpus/inputs.h"
#include "data/progress.h"
#include "data/tokenizer/tokenizer.h"
#include "data/tokenizer/train_tokenizer.h"

namespace trireme::data {
namespace {

using Json = nlohmann::ordered_json;

// Work that a signal ends without a result. It cannot be resumed, so that is never 75 ("start again to go on").
int unless_stopped(const std::function<void()>& work) {
  install_stop_signals();
  try {
    work();
    return kExitDone;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInterrupted) throw;
    std::fprintf(stderr, "trireme-data: %s; no result is kept\n", error.what());
    return 128 + stop_signal();
  }
}

constexpr const char* kInputHelp =
    "files of text or .jsonl, either also packed (.zst); directories; patterns like 'texts/**/*.txt'; - is standard "
    "input";
constexpr const char* kTextFieldHelp = "member of a JSON line that holds its text";
constexpr const char* kStdinHelp = "what standard input holds, as the end of a file's name would say it";
constexpr const char* kThreadsHelp = "0: all cores; the result does not depend on it";
constexpr Allowed kStdinFormats = OneOf("txt", "jsonl", "txt.zst", "jsonl.zst");
constexpr Allowed kThreads = Range(0, 1024);

int threads_of(std::int64_t asked_for) {
  return asked_for > 0 ? static_cast<int>(asked_for)
                       : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

struct TrainTokenizerOptions {
  std::vector<std::string> input;
  std::int64_t vocab_size = 4096;
  std::int64_t min_frequency = 2;
  std::vector<std::string> special_tokens;
  std::string text_field = "text";
  std::string stdin_format = "txt";
  std::int64_t threads = 0;
  std::string out;

  static constexpr auto fields() {
    using C = TrainTokenizerOptions;
    return std::tuple{
        Field{"input", &C::input, kInputHelp, kRequired},
        Field{"text-field", &C::text_field, kTextFieldHelp},
        Field{"stdin-format", &C::stdin_format, kStdinHelp, kStdinFormats},
        Field{"vocab-size", &C::vocab_size, "tokens, with the 256 bytes and special ones", Range(257, 1 << 24)},
        Field{"min-frequency", &C::min_frequency, "a pair seen less often is not merged", AtLeast(1)},
        Field{"special-tokens", &C::special_tokens,
              "beside <|endoftext|>, each of the form <|name|>: <|fim_prefix|> <|fim_middle|> <|fim_suffix|>"},
        Field{"threads", &C::threads, kThreadsHelp, kThreads},
        Field{"out", &C::out, "the tokenizer.json to write; one that exists is replaced", kRequired}};
  }
};

void train_tokenizer(const TrainTokenizerOptions& options) {
  const TokenizerTraining training{.vocabulary_size = options.vocab_size,
                                   .min_frequency = options.min_frequency,
                                   .special_tokens = options.special_tokens};
  validate(training);
  DocumentReader reader(find_inputs(options.input, options.stdin_format), options.text_field);
  CountedText text;
  {
    Progress progress("counting words", reader.bytes_in_all());
    text = count_words(reader, threads_of(options.threads), [&](std::uint64_t bytes_taken) {
      throw_if_stop_requested();
      progress.update(bytes_taken);
    });
  }
  if (text.rare_words_were_left_out)
    log_info("the text has so many different words that some of the rarest were left out");
  const std::string json = learn_tokenizer(training, text.words, throw_if_stop_requested);
  throw_if_stop_requested();
  const Tokenizer tokenizer = Tokenizer::parse(json, options.out);
  if (tokenizer.vocabulary_size() < options.vocab_size)
    log_warning("the text gave " + std::to_string(tokenizer.vocabulary_size()) + " tokens of the " +
                std::to_string(options.vocab_size) + " asked for: no other pair is seen often enough");
  write_file_atomically(options.out, json);
  std::cout << options.out << ": " << tokenizer.vocabulary_size() << " tokens from " << text.documents << " documents, "
            << bytes_text(static_cast<double>(text.text_bytes)) << "\n";
}

struct EncodeOptions {
  std::string tokenizer;
  std::vector<std::string> input;
  std::string text_field = "text";
  std::string stdin_format = "txt";
  std::string out;
  bool print = false;
  double validation = 0;
  std::vector<std::string> validation_input;
  std::string special_text = "parse";
  std::int64_t shard_size = CorpusWriter::kShardBytes >> 20;
  std::int64_t threads = 0;
  bool json = false;

  static constexpr auto fields() {
    using C = EncodeOptions;
    return std::tuple{
        Field{"tokenizer", &C::tokenizer, "tokenizer.json", kRequired},
        Field{"input", &C::input, kInputHelp, kRequired},
        Field{"text-field", &C::text_field, kTextFieldHelp},
        Field{"stdin-format", &C::stdin_format, kStdinHelp, kStdinFormats},
        Field{"out", &C::out, "the corpus to write, a new directory"},
        Field{"print", &C::print, "instead of a corpus: the ids of each document as a JSON array a line"},
        Field{"validation", &C::validation,
              "share of documents set aside, chosen by a hash of their content: the same ones every time",
              Range(0, 0.9)},
        Field{"validation-input", &C::validation_input,
              "more such input, all of whose documents are set aside: a validation set of your own"},
        Field{"special-text", &C::special_text,
              "text that spells a special token, like <|endoftext|>, becomes that token (parse) or not (plain)",
              OneOf("parse", "plain")},
        Field{"shard-size", &C::shard_size, "MiB of token ids that a file holds at most", Range(1, 1 << 20)},
        Field{"threads", &C::threads, kThreadsHelp, kThreads},
        Field{"json", &C::json, "the summary as one JSON object"}};
  }
};

// What a chunk of documents comes to: a row a split.
struct EncodedChunk {
  std::array<TokenRow, 2> rows;
  void clear() {
    for (TokenRow& row : rows) row.clear();
  }
};

// The same for --print: a line a document.
struct PrintedChunk {
  std::string lines;
  void clear() { lines.clear(); }
};

struct Tally {
  std::uint64_t documents = 0, tokens = 0, text_bytes = 0;

  void add(const TokenRow& row) {
    documents += row.documents().size();
    tokens += row.tokens();
    text_bytes += row.text_bytes();
  }
};

Json to_json(const Tally& tally) {
  return {{"documents", tally.documents}, {"tokens", tally.tokens}, {"text_bytes", tally.text_bytes}};
}

void print_ids(const EncodeOptions& options, const Tokenizer& tokenizer, SpecialText special) {
  DocumentReader reader(find_inputs(options.input, options.stdin_format), options.text_field);
  encode_documents<PrintedChunk>(
      reader, tokenizer, special, threads_of(options.threads),
      [](std::string_view, std::span<const TokenId> ids, PrintedChunk& chunk) {
        chunk.lines += '[';
        for (std::size_t i = 0; i < ids.size(); ++i) {
          if (i > 0) chunk.lines += ',';
          chunk.lines += std::to_string(ids[i]);
        }
        chunk.lines += "]\n";
      },
      [](const PrintedChunk& chunk, std::uint64_t) {
        throw_if_stop_requested();
        std::cout << chunk.lines << std::flush;
        if (!std::cout) throw Error(ErrorCode::kIo, "cannot write to stdout");
      });
}

void encode_to_corpus(const EncodeOptions& options, const Tokenizer& tokenizer, SpecialText special) {
  std::array<Tally, 2> tallies;
  // All that is named must be there before the first hour is spent on it.
  std::vector<Input> inputs = find_inputs(options.input, options.stdin_format);
  std::vector<Input> validation_inputs = find_inputs(options.validation_input, options.stdin_format);
  CorpusWriter writer(options.out, tokenizer, static_cast<std::uint64_t>(options.shard_size) << 20);
  const auto encode_inputs = [&](std::vector<Input> some, double validation, const char* what) {
    DocumentReader reader(std::move(some), options.text_field);
    Progress progress(what, reader.bytes_in_all());
    encode_documents<EncodedChunk>(
        reader, tokenizer, special, threads_of(options.threads),
        [&, storage = writer.storage()](std::string_view text, std::span<const TokenId> ids, EncodedChunk& chunk) {
          const Split split = is_for_validation(text, validation) ? Split::kValidation : Split::kTraining;
          chunk.rows[static_cast<std::size_t>(split)].add(storage, ids, static_cast<std::int64_t>(text.size()));
        },
        [&](const EncodedChunk& chunk, std::uint64_t bytes_taken) {
          throw_if_stop_requested();
          for (const Split split : kSplits) {
            writer.add(split, chunk.rows[static_cast<std::size_t>(split)]);
            tallies[static_cast<std::size_t>(split)].add(chunk.rows[static_cast<std::size_t>(split)]);
          }
          progress.update(bytes_taken);
        });
  };
  encode_inputs(std::move(inputs), options.validation, "encoding");
  if (!validation_inputs.empty()) encode_inputs(std::move(validation_inputs), 1, "encoding the validation set");
  throw_if_stop_requested();
  writer.finish();
  if (options.json) {
    std::cout << Json{{"corpus", options.out}, {"training", to_json(tallies[0])}, {"validation", to_json(tallies[1])}}
              << "\n";
    return;
  }
  for (const Split split : kSplits) {
    const Tally& tally = tallies[static_cast<std::size_t>(split)];
    std::cout << options.out << " " << split_name(split) << ": " << tally.tokens << " tokens, " << tally.documents
              << " documents, " << bytes_text(static_cast<double>(tally.text_bytes)) << " of text\n";
  }
}

int encode(const EncodeOptions& options) {
  if (options.print == !options.out.empty())
    throw Error(ErrorCode::kUsage, "one of --out and --print is due", options.print ? ", not both" : "");
  if (options.print && (options.validation > 0 || !options.validation_input.empty()))
    throw Error(ErrorCode::kUsage, "--print writes no corpus: --validation and --validation-input do not go with it");
  const SpecialText special = options.special_text == "plain" ? SpecialText::kPlain : SpecialText::kParse;
  const Tokenizer tokenizer = Tokenizer::load(options.tokenizer);
  return unless_stopped(
      [&] { options.print ? print_ids(options, tokenizer, special) : encode_to_corpus(options, tokenizer, special); });
}

struct DecodeOptions {
  std::string tokenizer;

  static constexpr auto fields() {
    using C = DecodeOptions;
    return std::tuple{Field{"tokenizer", &C::tokenizer, "tokenizer.json", kRequired}};
  }
};

int decode(const DecodeOptions& options) {
  const Tokenizer tokenizer = Tokenizer::load(options.tokenizer);
  std::uint64_t number = 0;
  for (std::string line; std::getline(std::cin, line);) {
    ++number;
    const auto fail = [&] {
      throw Error(ErrorCode::kBadInput, "standard input line ", number, ": a JSON array of token ids is due");
    };
    const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!json.is_array()) fail();
    std::vector<TokenId> ids;
    for (const Json& id : json) {
      if (!id.is_number_unsigned() || id.get<std::uint64_t>() > INT32_MAX) fail();
      ids.push_back(id.get<TokenId>());
    }
    std::cout << tokenizer.decode(ids);
  }
  return kExitDone;
}

struct CorpusOptions {
  std::string corpus;
  bool json = false;

  static constexpr auto fields() {
    using C = CorpusOptions;
    return std::tuple{Field{"corpus", &C::corpus, "directory of a corpus", kRequired},
                      Field{"json", &C::json, "the result as one JSON object"}};
  }
};

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
               {"vocabulary_size", index.vocabulary_size},
               {"end_of_text", index.end_of_text},
               {"tokenizer_hash", index.tokenizer_hash}};
  if (!options.json)
    std::cout << "corpus           " << options.corpus << "\nvocabulary size  " << index.vocabulary_size
              << "\ntokenizer hash   " << index.tokenizer_hash << "\n";
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
  if (options.json) std::cout << json << "\n";
  return kExitDone;
}

struct CatOptions {
  std::string corpus;
  std::string split = "training";

  static constexpr auto fields() {
    using C = CatOptions;
    return std::tuple{Field{"corpus", &C::corpus, "directory of a corpus", kRequired},
                      Field{"split", &C::split, "which part of it", OneOf("training", "validation")}};
  }
};

int cat(const CatOptions& options) {
  const Corpus corpus =
      Corpus::open(options.corpus, options.split == "training" ? Split::kTraining : Split::kValidation);
  const Tokenizer tokenizer = Tokenizer::parse(corpus.tokenizer_json(), options.corpus + "/tokenizer.json");
  std::vector<TokenId> ids;
  for (std::int64_t i = 0; i < corpus.documents() && std::cout; ++i) {
    const auto [begin, end] = corpus.document(i);
    ids.resize(static_cast<std::size_t>(end - begin - 1));  // without the end of text
    corpus.read(begin, ids);
    std::cout << tokenizer.decode(ids);
  }
  return kExitDone;
}

int baseline(const CorpusOptions& options) {
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

int run(int argc, char** argv) {
  TrainTokenizerOptions train_options;
  EncodeOptions encode_options;
  DecodeOptions decode_options;
  CorpusOptions verify_options, inspect_options, baseline_options;
  CatOptions cat_options;
  const Program program{
      .name = "trireme-data",
      .summary = "text to token ids: trains tokenizers, makes and checks corpora",
      .commands = {{.name = "tokenizer train",
                    .summary = "learns a byte-level byte-pair encoding from text",
                    .options = fields_of(train_options),
                    .run = [&](const Assignments&) { return unless_stopped([&] { train_tokenizer(train_options); }); }},
                   {.name = "encode",
                    .summary = "turns text into a corpus of token ids",
                    .options = fields_of(encode_options),
                    .run = [&](const Assignments&) { return encode(encode_options); }},
                   {.name = "decode",
                    .summary = "turns token ids on stdin, a JSON array a line, into text on stdout",
                    .options = fields_of(decode_options),
                    .run = [&](const Assignments&) { return decode(decode_options); }},
                   {.name = "verify",
                    .summary = "reads every byte of a corpus and names all that is wrong; exit status 1 then",
                    .options = fields_of(verify_options),
                    .positional = {"corpus"},
                    .run = [&](const Assignments&) { return verify(verify_options); }},
                   {.name = "inspect",
                    .summary = "says what a corpus holds",
                    .options = fields_of(inspect_options),
                    .positional = {"corpus"},
                    .run = [&](const Assignments&) { return inspect(inspect_options); }},
                   {.name = "cat",
                    .summary = "writes the text of a split to stdout, one document behind the other",
                    .options = fields_of(cat_options),
                    .positional = {"corpus"},
                    .run = [&](const Assignments&) { return cat(cat_options); }},
                   {.name = "baseline",
                    .summary =
                        "what a trained model has to beat: bigrams of the training split on the validation split",
                    .options = fields_of(baseline_options),
                    .positional = {"corpus"},
                    .run = [&](const Assignments&) { return baseline(baseline_options); }}},
      .epilogue =
          "Examples\n"
          "  trireme-data tokenizer train --input text.txt --vocab-size 4096 --out tokenizer.json\n"
          "  trireme-data encode --tokenizer tokenizer.json --input text.txt --out corpus --validation 0.05\n"
          "  trireme-data verify corpus"};
  return run_program(program, argc, argv);
}

}  // namespace
}  // namespace trireme::data

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  return trireme::data::run(argc, argv);
}
