#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "models/kernels/documents.h"
#include "models/kernels/dropout.h"

/// The operations that layers are made of, so that a family has one forward whatever runs below it. Products (gemm.h),
/// attention (attention.h) and what only passes over memory (row_kernels.h) have kernels of their own. All work with
/// autograd, and in the type of their arguments (float32, bfloat16, float64) unless they say otherwise.
namespace trireme::models::ops {

/// x [..., I], weight [O, I], bias [O] or none -> [..., O]
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias = {});

/// The same x times several matrices, three at most, which read it once; biases for all of them or none.
std::vector<at::Tensor> linear_each(const at::Tensor& x, const std::vector<at::Tensor>& weights,
                                    const std::vector<at::Tensor>& biases = {});

/// Rows of a table: ids [...] int64, table [V, C] -> [..., C]
at::Tensor embedding(const at::Tensor& ids, const at::Tensor& table);

/// Root-mean-square norm over the last axis times (weight + offset), computed in float32 (float64 for float64) and
/// rounded once. Source: Zhang and Sennrich 2019, arXiv:1910.07467.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon, double offset = 0);

/// (x - mean) / deviation * weight + bias over the last axis, computed and rounded likewise.
/// Source: Ba et al. 2016, arXiv:1607.06450.
at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double epsilon);

/// Turns channel pairs (i, i + R/2) of x [B, H, T, D] by the angles of cos/sin [T, R/2], which are float32 (float64 for
/// float64); channels from R on stay as they are.
at::Tensor rotate(const at::Tensor& x_bhtd, const at::Tensor& cos, const at::Tensor& sin);

/// GELU: Hendrycks and Gimpel 2016, arXiv:1606.08415; kGeluTanh is the approximation of its section 2 ("gelu_new").
enum class Activation { kSilu, kGelu, kGeluTanh, kRelu };

/// activation(gate) * up. Source: Shazeer 2020, arXiv:2002.05202.
at::Tensor gated(const at::Tensor& gate, const at::Tensor& up, Activation activation);

/// activation(x + bias); bias as long as the last axis.
at::Tensor activated(const at::Tensor& x, const std::optional<at::Tensor>& bias, Activation activation);

/// Which keys a query sees, and what becomes of scores before the softmax.
struct AttentionRule {
  double scale = 0;         ///< of scores; 0: 1 / sqrt(D)
  double softcap = 0;       ///< scores become softcap * tanh(score / softcap); 0: they stay. Gemma 2, arXiv:2408.00118
  std::int64_t window = 0;  ///< keys that a query sees, its own the last of them; 0: all up to its own
  bool causal = true;       ///< else a query sees all keys, those behind its own too; then no window

  /// Whether it is plain causal attention for so many keys.
  bool is_plain(std::int64_t keys) const {
    return causal && scale == 0 && softcap == 0 && (window == 0 || window >= keys);
  }
};

/// Attention, causal unless its rule says otherwise. The last query sees the last key; H is a multiple of Hkv and heads
/// share keys in groups. With another rule than the plain one, or with some of the probabilities dropped, it is slower.
/// @param q_bhtd  [B, H, T, D]   @param k_bhld, v_bhld  [B, Hkv, L, D], L >= T, and L == T for gradients; of any L
///                 where it is not causal
/// @param mask    of the probabilities; null: none is dropped
/// @param bias    added to scores behind their scale, [H, T, L]; undefined: nothing. Not together with a mask, a window
///                or a bound of scores
/// @param lengths  of keys that are not causal: how many of them a sample's queries see, [B] int64, in [1, L];
///                 undefined: all. Not together with a bias
/// @param documents  that see only themselves, of causal attention where B is 1 and T = L their tokens; null: the rule
///                 is for whole rows
at::Tensor attention(const at::Tensor& q_bhtd, const at::Tensor& k_bhld, const at::Tensor& v_bhld,
                     const AttentionRule& rule = {}, const DropoutMask* mask = nullptr, const at::Tensor& bias = {},
                     const at::Tensor& lengths = {}, const DocumentsPointer& documents = nullptr);

/// Which experts tokens pass: their rows in the order of experts, and within one in the order of tokens.
class Routing {
 public:
  /// @param chosen_nk  int64, K experts of each of N tokens, in [0, experts)
  Routing(const at::Tensor& chosen_nk, std::int64_t experts);
  std::int64_t tokens() const { return tokens_; }
  std::int64_t per_token() const { return per_token_; }
  /// First of an expert's rows; that of one behind the last: all N * K.
  std::int64_t begin(std::size_t expert) const { return begins_.at(expert); }
  /// Where token n's k-th expert has its row, at n * K + k.
  const std::vector<std::int64_t>& places() const { return places_; }

 private:
  std::int64_t tokens_, per_token_;
  std::vector<std::int64_t> begins_, places_;
};

/// The row of each token once for each expert that it passes: [N, C] -> [N * K, C]. Its gradients are added in the
/// order of a token's experts.
at::Tensor routed(const at::Tensor& x_nc, const Routing& routing);

/// Sums of each token's rows times their weights, in the order of its experts, in the weights' type and rounded once:
/// rows [N * K, C], weights [N, K], float32 (float64 for float64) -> [N, C].
at::Tensor mixed(const at::Tensor& rows_mc, const at::Tensor& weights_nk, const Routing& routing);

/// x [B, T, C] where `mask` keeps it, divided by the share that is kept, else 0.
at::Tensor dropout(const at::Tensor& x_btc, const DropoutMask& mask);

/// scale * sum of -log softmax(hidden . head^T + bias)[target] over rows whose target is not negative. Logits exist for
/// some rows at a time only, and gradients are made in the same pass, so a batch's logits are never held.
/// @param softcap  where not 0, logits become softcap * tanh(logit / softcap) before
/// @param hidden_nc  [N, C]   @param head_vc  [V, C]   @param targets_n  int64   @param bias_v  [V], or none
/// @param weights_n  what each row's loss is multiplied by, float64; undefined: 1
/// @returns a float64 scalar
at::Tensor next_token_loss(const at::Tensor& hidden_nc, const at::Tensor& head_vc, const at::Tensor& targets_n,
                           double scale, double softcap = 0, const std::optional<at::Tensor>& bias_v = {},
                           const at::Tensor& weights_n = {});

/// Of each row -log softmax(hidden . head^T)[target], 0 where the target is negative, without gradients: float64 [N].
at::Tensor token_losses(const at::Tensor& hidden_nc, const at::Tensor& head_vc, const at::Tensor& targets_n,
                        double softcap = 0);

/// softcap * tanh(x / softcap); 0: x itself.
at::Tensor softly_capped(const at::Tensor& x, double softcap);

/// So many rows of logits next_token_loss() holds at a time: up to 32 MB, and never less than 64.
std::int64_t rows_of_logits(std::int64_t vocabulary, std::int64_t element_size);

}  // namespace trireme::models::ops
