#include <iostream>

#include "core/config/command.h"
#include "data/commands/decode.h"
#include "data/commands/encode.h"
#include "data/commands/show_corpus.h"
#include "data/commands/train_tokenizer.h"

namespace trireme::data {
namespace {

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
                    .run = [&](const Assignments&) { return train_tokenizer(train_options); }},
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
