#include "data/commands/train_tokenizer.h"

#include <iostream>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "core/base/stop.h"
#include "core/base/text.h"
#include "data/corpus/count_words.h"
#include "data/corpus/documents.h"
#include "data/corpus/inputs.h"
#include "data/progress.h"
#include "data/tokenizer/tokenizer.h"
#include "data/tokenizer/train_tokenizer.h"

namespace trireme::data {
namespace {

void learn(const TrainTokenizerOptions& options) {
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

}  // namespace

int train_tokenizer(const TrainTokenizerOptions& options) {
  return unless_stopped([&] { learn(options); });
}

}  // namespace trireme::data
