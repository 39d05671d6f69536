#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "data/commands/options.h"

namespace trireme::data {

/// `trireme-data tokenizer train`
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

int train_tokenizer(const TrainTokenizerOptions& options);

}  // namespace trireme::data
