#include "serve/engine/text_generator.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text.h"
#include "models/generate/kv_cache.h"

namespace trireme::serve {

TextGenerator::TextGenerator(const models::Checkpoint& checkpoint, models::Weights weights)
    : tokenizer_(data::Tokenizer::parse(checkpoint.tokenizer_json(), checkpoint.directory().string())),
      model_(models::load_model(checkpoint, weights)) {
  if (tokenizer_.vocabulary_size() > model_->vocabulary())
    throw Error(ErrorCode::kBadInput, checkpoint.directory().string(), ": the tokenizer has ",
                tokenizer_.vocabulary_size(), " ids, the model ", model_->vocabulary());
}

TextGenerator::Outcome TextGenerator::generate(std::string_view prompt, std::int64_t max_tokens,
                                               const models::SamplingOptions& sampling,
                                               const std::function<bool(std::string_view)>& emit) {
  const at::NoGradGuard no_grad;
  const std::vector<data::TokenId> ids = tokenizer_.encode(prompt);
  std::vector<std::int64_t> tokens(ids.begin(), ids.end());
  const auto end_of_text = tokenizer_.end_of_text();
  if (tokens.empty()) {
    if (!end_of_text)
      throw Error(ErrorCode::kBadInput, "the prompt is empty and the tokenizer has no token to start from");
    tokens.push_back(*end_of_text);
  }
  const std::int64_t context = model_->config().context;
  Outcome outcome{static_cast<std::int64_t>(tokens.size()), 0, "length"};
  if (outcome.prompt_tokens >= context)
    throw Error(ErrorCode::kBadInput, "the prompt has ", outcome.prompt_tokens, " tokens; the model's context of ",
                context, " leaves no room to go on");
  const std::int64_t limit = std::min(max_tokens, context - outcome.prompt_tokens);

  models::KvCache cache(model_->config(), 1, outcome.prompt_tokens + limit, model_->head().value.scalar_type());
  models::Sampler sampler(sampling);
  std::string pending;  // bytes that do not yet end on a character
  while (outcome.tokens < limit) {
    const at::Tensor input = at::from_blob(tokens.data(), {1, static_cast<std::int64_t>(tokens.size())}, at::kLong);
    const at::Tensor hidden = model_->forward(input, {.cache = &cache});
    const at::Tensor scores = models::logits(*model_, hidden.select(1, hidden.size(1) - 1)).to(at::kFloat).contiguous();
    const std::int64_t next = sampler.draw({scores.const_data_ptr<float>(), static_cast<std::size_t>(scores.numel())},
                                           outcome.prompt_tokens + outcome.tokens);
    if (end_of_text && next == *end_of_text) {
      outcome.reason = "stop";
      break;
    }
    ++outcome.tokens;
    pending += tokenizer_.decode_one(static_cast<data::TokenId>(next));
    const std::size_t whole = complete_utf8_prefix(pending);
    const bool go_on = emit(well_formed_utf8(std::string_view(pending).substr(0, whole)));
    pending.erase(0, whole);
    if (!go_on) {
      outcome.reason = "interrupted";
      return outcome;
    }
    tokens.assign(1, next);
  }
  if (!pending.empty()) emit(well_formed_utf8(pending));  // cut within a character
  return outcome;
}

}  // namespace trireme::serve
