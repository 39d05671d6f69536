#include "data/commands/encode.h"

#include <array>
#include <iostream>
#include <nlohmann/json.hpp>
#include <span>

#include "core/base/error.h"
#include "core/base/stop.h"
#include "core/base/text.h"
#include "data/commands/encode_answers.h"
#include "data/commands/encode_labelled.h"
#include "data/corpus/documents.h"
#include "data/corpus/encode.h"
#include "data/corpus/index.h"
#include "data/corpus/inputs.h"
#include "data/progress.h"
#include "data/tokenizer/tokenizer.h"

namespace trireme::data {
namespace {

using Json = nlohmann::ordered_json;

// For --print: a line a document.
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

void print_ids(const EncodeOptions& options, const Tokenizer& tokenizer, const EncodingOptions& encoding) {
  DocumentReader reader(find_inputs(options.input, options.stdin_format), options.text_field);
  encode_documents<PrintedChunk>(
      reader, tokenizer, encoding, threads_of(options.threads),
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

void encode_to_corpus(const EncodeOptions& options, const Tokenizer& tokenizer, const EncodingOptions& encoding) {
  std::array<Tally, 2> tallies;
  // All that is named must be there before the first hour is spent on it.
  std::vector<Input> inputs = find_inputs(options.input, options.stdin_format);
  std::vector<Input> validation_inputs = find_inputs(options.validation_input, options.stdin_format);
  CorpusWriter writer(options.out, tokenizer, static_cast<std::uint64_t>(options.shard_size) << 20);
  // Each document gets an end of text; one that the tokenizer puts there is that.
  const bool ends_itself = encoding.add_special_tokens && !tokenizer.suffix().empty() &&
                           tokenizer.suffix().back() == tokenizer.end_of_text();
  const auto encode_inputs = [&](std::vector<Input> some, double validation, const char* what) {
    DocumentReader reader(std::move(some), options.text_field);
    Progress progress(what, reader.bytes_in_all());
    encode_documents<RowsOfSplits>(
        reader, tokenizer, encoding, threads_of(options.threads),
        [&, storage = writer.storage()](std::string_view text, std::span<const TokenId> ids, RowsOfSplits& chunk) {
          const Split split = is_for_validation(text, validation) ? Split::kValidation : Split::kTraining;
          if (ends_itself) ids = ids.first(ids.size() - 1);
          chunk.of(split).add(storage, ids, static_cast<std::int64_t>(text.size()));
        },
        [&](RowsOfSplits& chunk, std::uint64_t bytes_taken) {
          throw_if_stop_requested();
          for (const Split split : kSplits) {
            writer.add(split, chunk.of(split));
            tallies[static_cast<std::size_t>(split)].add(chunk.of(split));
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

}  // namespace

int encode(const EncodeOptions& options) {
  if (options.print == !options.out.empty())
    throw Error(ErrorCode::kUsage, "one of --out and --print is due", options.print ? ", not both" : "");
  if (options.print && (options.validation > 0 || !options.validation_input.empty()))
    throw Error(ErrorCode::kUsage, "--print writes no corpus: --validation and --validation-input do not go with it");
  const bool labelled = options.labels != "none", of_answers = options.learn != "all";
  if (of_answers && (options.print || labelled || options.tokenizer.empty()))
    throw Error(ErrorCode::kUsage, "--learn ", options.learn, " needs --tokenizer and --out, and no --labels");
  if (of_answers && options.text_field != "text")
    throw Error(ErrorCode::kUsage, "--text-field names a member with text; --learn ", options.learn,
                " reads \"messages\", \"prompt\" and the like");
  if (!of_answers && !options.chat_template.empty())
    throw Error(ErrorCode::kUsage, "--chat-template goes with --learn answers or preferences");
  if (!labelled && (!options.label_field.empty() || !options.label_names.empty() || options.vocabulary > 0))
    throw Error(ErrorCode::kUsage, "--label-field, --label-names and --vocabulary go with --labels");
  if (options.tokenizer.empty() == (options.vocabulary == 0))
    throw Error(ErrorCode::kUsage, "--tokenizer", labelled ? " or, for \"token_ids\" alone, --vocabulary" : "",
                " is required", options.vocabulary > 0 ? ", not both" : "");
  if (labelled) {
    if (options.print) throw Error(ErrorCode::kUsage, "--print knows no labels; leave --labels out");
    return unless_stopped([&] { encode_labelled(options); });
  }
  if (of_answers) return unless_stopped([&] { encode_answers(options); });
  const EncodingOptions encoding{options.special_text == "plain" ? SpecialText::kPlain : SpecialText::kParse,
                                 options.add_special_tokens};
  const Tokenizer tokenizer = Tokenizer::load(options.tokenizer);
  return unless_stopped([&] {
    options.print ? print_ids(options, tokenizer, encoding) : encode_to_corpus(options, tokenizer, encoding);
  });
}

}  // namespace trireme::data
