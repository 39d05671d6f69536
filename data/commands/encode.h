#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "data/commands/options.h"
#include "data/corpus/corpus.h"

namespace trireme::data {

/// `trireme-data encode`
struct EncodeOptions {
  std::string tokenizer;
  std::string labels = "none";
  std::string learn = "all";
  std::string chat_template;
  std::string label_field;
  std::vector<std::string> label_names;
  std::int64_t vocabulary = 0;
  std::vector<std::string> input;
  std::string text_field = "text";
  std::string stdin_format = "txt";
  std::string out;
  bool print = false;
  double validation = 0;
  std::vector<std::string> validation_input;
  std::string special_text = "parse";
  bool add_special_tokens = true;
  std::int64_t shard_size = CorpusWriter::kShardBytes >> 20;
  std::int64_t threads = 0;
  bool json = false;

  static constexpr auto fields() {
    using C = EncodeOptions;
    return std::tuple{
        Field{"tokenizer", &C::tokenizer, "tokenizer.json; needed but for labelled lines of \"token_ids\" alone"},
        Field{"input", &C::input, kInputHelp, kRequired},
        Field{"text-field", &C::text_field, kTextFieldHelp},
        Field{"learn", &C::learn,
              "what a model is to learn to give: all text; of JSON lines the answers, in \"messages\" or behind a "
              "\"prompt\" in \"completion\"; or preferences, \"chosen\" and \"rejected\"",
              OneOf("all", "answers", "preferences")},
        Field{"chat-template", &C::chat_template,
              "of messages: a model's directory, or a .jinja file; empty: the directory of the tokenizer"},
        Field{"labels", &C::labels,
              "labels in JSON lines, for model.head classes or labels: one of each text, or in lists, of each word or "
              "token",
              OneOf("none", "texts", "tokens")},
        Field{"label-field", &C::label_field, "member that holds them; empty: label, or labels of tokens"},
        Field{"label-names", &C::label_names,
              "in the order of their numbers; without any, those that are found, sorted, for which the input is read "
              "twice"},
        Field{"vocabulary", &C::vocabulary, "without a tokenizer: \"token_ids\" lie below", Range(0, 2147400000.0)},
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
        Field{"add-special-tokens", &C::add_special_tokens,
              "the tokens that the tokenizer puts around each text, like <s>, where it does"},
        Field{"shard-size", &C::shard_size, "MiB of token ids that a file holds at most", Range(1, 1 << 20)},
        Field{"threads", &C::threads, kThreadsHelp, kThreads},
        Field{"json", &C::json, "the summary as one JSON object"}};
  }
};

int encode(const EncodeOptions& options);

}  // namespace trireme::data
