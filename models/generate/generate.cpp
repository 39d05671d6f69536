#include "models/generate/generate.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <memory>

#include "core/base/error.h"
#include "models/generate/kv_cache.h"

namespace trireme::models {

GrowingText::Next GrowingText::next(std::vector<std::int64_t>& ids) {
  if (!border_) return {&ids, false};
  const auto before = static_cast<std::int64_t>(seen_.size());
  seen_.insert(seen_.end(), ids.begin(), ids.end());
  const bool crosses = before > 0 && before <= *border_ && static_cast<std::int64_t>(seen_.size()) > *border_;
  return {crosses ? &seen_ : &ids, crosses};
}

NextScores next_scores(Model& model, std::int64_t capacity, const at::Tensor& memory) {
  const auto cache =
      std::make_shared<KvCache>(model.config(), model.part(), 1, capacity, model.head().value.scalar_type());
  const auto text = std::make_shared<GrowingText>(model.cache_border());
  return [&model, cache, text, memory](std::vector<std::int64_t>& ids) {
    const at::NoGradGuard no_grad;
    const GrowingText::Next next = text->next(ids);
    if (next.clear) cache->clear();
    const at::Tensor input =
        at::from_blob(next.ids->data(), {1, static_cast<std::int64_t>(next.ids->size())}, at::kLong);
    const at::Tensor hidden = model.forward(input, {.cache = cache.get(), .memory = memory});
    return logits(model, hidden.select(1, hidden.size(1) - 1)).to(at::kFloat).contiguous();
  };
}

Continuation generate(const NextScores& scores, std::int64_t context, std::vector<std::int64_t> prompt,
                      std::int64_t max_tokens, const SamplingOptions& sampling, const std::vector<std::int64_t>& stops,
                      const std::function<bool(std::int64_t)>& emit) {
  const auto given = static_cast<std::int64_t>(prompt.size());
  if (given == 0) throw Error(ErrorCode::kBug, "no token to go on from");
  if (given >= context)
    throw Error(ErrorCode::kBadInput, "the prompt has ", given, " tokens; the model's context of ", context,
                " leaves no room to go on");
  const std::int64_t limit = std::min(max_tokens, context - given);

  Sampler sampler(sampling);
  std::vector<std::int64_t> unseen = std::move(prompt);
  for (Continuation done{0, "length"};;) {
    if (done.tokens == limit) return done;
    const at::Tensor next_v = scores(unseen);
    const std::int64_t next =
        sampler.draw({next_v.const_data_ptr<float>(), static_cast<std::size_t>(next_v.numel())}, given + done.tokens);
    if (std::ranges::find(stops, next) != stops.end()) {
      done.reason = "stop";
      done.stop = next;
      return done;
    }
    ++done.tokens;
    if (!emit(next)) {
      done.reason = "interrupted";
      return done;
    }
    unseen.assign(1, next);
  }
}

Continuation generate(Model& model, std::vector<std::int64_t> prompt, std::int64_t max_tokens,
                      const SamplingOptions& sampling, const std::vector<std::int64_t>& stops,
                      const std::function<bool(std::int64_t)>& emit, const at::Tensor& memory) {
  const std::int64_t context = model.config().context;
  const std::int64_t most = std::min(context, static_cast<std::int64_t>(prompt.size()) + std::min(max_tokens, context));
  return generate(next_scores(model, most, memory), context, std::move(prompt), max_tokens, sampling, stops, emit);
}

}  // namespace trireme::models
