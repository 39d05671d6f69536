#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "models/generate/sampler.h"
#include "models/model.h"

namespace trireme::models {

/// How a continuation ended.
struct Continuation {
  std::int64_t tokens = 0;  ///< drawn and emitted
  std::string reason;       ///< "stop": a stop token was drawn; "length": max_tokens or the context is used up;
                            ///< "interrupted": by `emit`
  std::optional<std::int64_t> stop{};  ///< which
};

/// The scores of the token that follows, float32 [V], given the ids behind all those of calls before.
using NextScores = std::function<at::Tensor(std::vector<std::int64_t>& ids)>;
/// What a forward with a cache is given of a text that grows: its new ids, or all where the cache cannot be gone on
/// with (Model::cache_border).
class GrowingText {
 public:
  explicit GrowingText(std::optional<std::int64_t> cache_border) : border_(cache_border) {}
  struct Next {
    std::vector<std::int64_t>* ids;
    bool clear;  ///< the cache, before
  };
  /// @param ids  behind all those of calls before; they live until the forward is done
  Next next(std::vector<std::int64_t>& ids);

 private:
  std::optional<std::int64_t> border_;
  std::vector<std::int64_t> seen_;
};

/// Those of a model, through a cache for `capacity` tokens.
/// @param memory  of a model with an encoder: Model::encode()'s
NextScores next_scores(Model& model, std::int64_t capacity, const at::Tensor& memory = {});

/// Continues one sequence of ids, a token at a time. Ids in, ids out: text belongs to whoever calls. Leaves no trace in
/// the model, and asks for no gradient.
///
/// @param context  tokens that the model can see
/// @param prompt  not empty
/// @param stops   tokens that end a text; they are not emitted
/// @param emit    gets each token as it is drawn, and says whether to go on
/// @throws Error kBadInput when the prompt leaves no room in the context
Continuation generate(const NextScores& scores, std::int64_t context, std::vector<std::int64_t> prompt,
                      std::int64_t max_tokens, const SamplingOptions& sampling, const std::vector<std::int64_t>& stops,
                      const std::function<bool(std::int64_t)>& emit);
Continuation generate(Model& model, std::vector<std::int64_t> prompt, std::int64_t max_tokens,
                      const SamplingOptions& sampling, const std::vector<std::int64_t>& stops,
                      const std::function<bool(std::int64_t)>& emit, const at::Tensor& memory = {});

}  // namespace trireme::models
