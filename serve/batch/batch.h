#pragma once
#include <cstdint>
#include <filesystem>

#include "serve/engine/text_generator.h"

namespace trireme::serve {

struct BatchOptions {
  std::filesystem::path in, out;
  Pooling pooling = Pooling::kMean;  ///< of embeddings
  std::uint64_t seed = 0;            ///< of requests without one, together with their custom_id
};

struct BatchResult {
  std::int64_t answered = 0, failed = 0;  ///< of this start and, where it went on with an earlier one, of those before
  std::int64_t prompt_tokens = 0, tokens = 0;  ///< of this start
  double seconds = 0;
  bool complete = true;  ///< false: interrupted; the same call goes on
};

/// Answers a file of OpenAI's batch lines, {"custom_id", "method", "url", "body"}, one after the other: one line of
/// answers for each line of requests, in their order. A request that cannot be answered has an error in its line, and
/// the others are answered all the same.
///
/// Answers go to `out`.part as they come, which gets its name when all are there; a call that finds one goes on with
/// it. Format: docs/formats/batch.md.
/// @throws Error kUsage when `out` exists; kNotFound, kIo; kBadInput when `out`.part belongs to other requests or
/// weights
BatchResult answer_batch(TextGenerator& generator, const BatchOptions& options);

}  // namespace trireme::serve
