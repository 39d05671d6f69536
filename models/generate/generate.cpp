#include "models/generate/generate.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>

#include "core/base/error.h"
#include "models/generate/kv_cache.h"

namespace trireme::models {

Continuation generate(Model& model, std::vector<std::int64_t> prompt, std::int64_t max_tokens,
                      const SamplingOptions& sampling, std::optional<std::int64_t> stop,
                      const std::function<bool(std::int64_t)>& emit) {
  const at::NoGradGuard no_grad;
  const std::int64_t context = model.config().context, given = static_cast<std::int64_t>(prompt.size());
  if (given == 0) throw Error(ErrorCode::kBug, "no token to go on from");
  if (given >= context)
    throw Error(ErrorCode::kBadInput, "the prompt has ", given, " tokens; the model's context of ", context,
                " leaves no room to go on");
  const std::int64_t limit = std::min(max_tokens, context - given);

  KvCache cache(model.config(), 1, given + limit, model.head().value.scalar_type());
  Sampler sampler(sampling);
  std::vector<std::int64_t> unseen = std::move(prompt);  // what the cache does not hold yet
  for (Continuation done{0, "length"};;) {
    if (done.tokens == limit) return done;
    const at::Tensor input = at::from_blob(unseen.data(), {1, static_cast<std::int64_t>(unseen.size())}, at::kLong);
    const at::Tensor hidden = model.forward(input, {.cache = &cache});
    const at::Tensor scores = logits(model, hidden.select(1, hidden.size(1) - 1)).to(at::kFloat).contiguous();
    const std::int64_t next =
        sampler.draw({scores.const_data_ptr<float>(), static_cast<std::size_t>(scores.numel())}, given + done.tokens);
    if (next == stop) {
      done.reason = "stop";
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

}  // namespace trireme::models
