#include "models/kernels/general_attention.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "models/kernels/blocks.h"
#include "models/kernels/held.h"
#include "models/kernels/kept.h"

namespace trireme::models {
namespace {

using ops::AttentionRule;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t kPanelQueries = 128;

struct Rule {
  AttentionRule rule;
  std::optional<DropoutMask> mask;
  std::vector<std::int64_t> lengths{};  // of keys, by sample; none: all
  DocumentsPointer documents{};

  std::int64_t sequences(const at::Tensor& x_bhtd) const { return documents ? documents->count() : x_bhtd.size(0); }
  // The head's tokens [tokens, D] of a sample, or of a document of the only one.
  at::Tensor of(const at::Tensor& x_bhtd, std::int64_t sequence, std::int64_t head) const {
    if (!documents) return x_bhtd.select(0, sequence).select(0, head);
    return x_bhtd.select(0, 0).select(0, head).narrow(0, documents->begin(sequence), documents->length(sequence));
  }
};

// The keys and values that some heads of one sequence, a sample or a document, share, and one of these heads after the
// other. All are [tokens, D].
class Group {
 public:
  Group(const Rule& rule, const at::Tensor& q_bhtd, const at::Tensor& k_bhld, const at::Tensor& v_bhld,
        std::int64_t sequence, std::int64_t shared)
      : rule_(rule),
        sample_(rule.documents ? 0 : sequence),
        first_(rule.documents ? rule.documents->begin(sequence) : 0),
        k_(wide(rule.of(k_bhld, sequence, shared))),
        v_(wide(rule.of(v_bhld, sequence, shared))),
        keys_(rule.lengths.empty() ? k_.size(0) : rule.lengths[static_cast<std::size_t>(sequence)]),
        hidden_(k_bhld.size(2) - q_bhtd.size(2)),
        scale_(rule.rule.scale > 0 ? rule.rule.scale : 1 / std::sqrt(static_cast<double>(q_bhtd.size(3)))) {}

  const at::Tensor& k() const { return k_; }
  const at::Tensor& v() const { return v_; }

  static at::Tensor wide(const at::Tensor& x_td) { return x_td.to(math_type(x_td)).contiguous(); }

  // Some queries of one head, and the keys that any of them sees.
  struct Panel {
    std::int64_t head, query, queries, key, keys;
    at::Tensor q, capped, probabilities, kept;  // capped: scores, where they are; kept: what the mask leaves

    at::Tensor of_queries(const at::Tensor& x) const { return x.narrow(0, query, queries); }
    at::Tensor of_keys(const at::Tensor& x) const { return x.narrow(0, key, keys); }
  };

  template <class Visit>
  void for_panels(std::int64_t head, const at::Tensor& q_td, Visit visit) const {
    const std::int64_t tokens = q_td.size(0);
    for (std::int64_t query = 0; query < tokens; query += kPanelQueries) {
      Panel panel{.head = head, .query = query, .queries = std::min(kPanelQueries, tokens - query)};
      panel.key = first_key(query);
      panel.keys = last_key(query + panel.queries - 1) - panel.key;
      panel.q = panel.of_queries(q_td);
      weigh(panel);
      visit(panel);
    }
  }

  // In place: the derivative by what the mask leaves of probabilities becomes the one by scores before the scale.
  void derive(const Panel& panel, at::Tensor& derivative) const {
    for_rows(panel, [&]<class M>(M, std::int64_t query, std::int64_t begin, std::int64_t count, std::int64_t row,
                                 std::vector<std::uint32_t>& scratch) {
      M* const out = derivative.mutable_data_ptr<M>() + row;
      if (rule_.mask)
        rule_.mask->apply(place(panel, query), out + begin, count, out + begin, scratch, panel.key + begin);
      softmax_backward_row(panel.probabilities.const_data_ptr<M>() + row + begin, count, panel.keys - begin,
                           static_cast<M>(rule_.rule.softcap > 0 ? 1 : scale_), out + begin);
      std::fill(out, out + begin, M(0));
      if (rule_.rule.softcap == 0) return;
      const M* const score = panel.capped.const_data_ptr<M>() + row;
      const M inverse = static_cast<M>(1 / rule_.rule.softcap), scale = static_cast<M>(scale_);
      for (std::int64_t i = begin; i < begin + count; ++i)
        out[i] *= (1 - (score[i] * inverse) * (score[i] * inverse)) * scale;
    });
  }

 private:
  std::int64_t first_key(std::int64_t query) const {
    return rule_.rule.window > 0 ? std::max<std::int64_t>(0, query + hidden_ + 1 - rule_.rule.window) : 0;
  }
  std::int64_t last_key(std::int64_t query) const { return rule_.rule.causal ? query + hidden_ + 1 : keys_; }
  DropoutMask::Row place(const Panel& panel, std::int64_t query) const { return {sample_, panel.head, first_ + query}; }

  void weigh(Panel& panel) const {
    at::Tensor scores = at::matmul(panel.q, panel.of_keys(k_).t());
    const double softcap = rule_.rule.softcap;
    if (softcap > 0) {
      scores.mul_(scale_ / softcap).tanh_().mul_(softcap);
      panel.capped = scores;
      scores = scores.clone();
    }
    panel.probabilities = scores;
    panel.kept = rule_.mask ? at::zeros(scores.sizes(), scores.options()) : scores;
    for_rows(panel, [&]<class M>(M, std::int64_t query, std::int64_t begin, std::int64_t count, std::int64_t row,
                                 std::vector<std::uint32_t>& scratch) {
      M* const out = scores.mutable_data_ptr<M>() + row;
      std::fill(out, out + begin, M(0));
      softmax_row(out + begin, count, panel.keys - begin, static_cast<M>(softcap > 0 ? 1 : scale_));
      if (rule_.mask)
        rule_.mask->apply(place(panel, query), out + begin, count, panel.kept.mutable_data_ptr<M>() + row + begin,
                          scratch, panel.key + begin);
    });
  }

  // visit(type, query, begin, count, row): of the panel's keys the query sees `count` from `begin` on; `row` is where
  // its row begins.
  template <class Visit>
  void for_rows(const Panel& panel, Visit visit) const {
    with_type(panel.q, [&]<class M>(M) {
      std::vector<std::uint32_t> scratch;
      for (std::int64_t i = 0; i < panel.queries; ++i) {
        const std::int64_t query = panel.query + i, begin = first_key(query) - panel.key;
        visit(M{}, query, begin, last_key(query) - panel.key - begin, i * panel.keys, scratch);
      }
    });
  }

  const Rule& rule_;
  std::int64_t sample_, first_;  // its first token in the sample
  at::Tensor k_, v_;
  std::int64_t keys_;    // that are seen
  std::int64_t hidden_;  // keys before the first query's own
  double scale_;
};

struct GeneralAttention : torch::autograd::Function<GeneralAttention> {
  // visit(sequence, shared head): the heads that share keys are on one thread, so that their gradients can be added.
  template <class Visit>
  static void for_groups(const Rule& rule, const at::Tensor& k_bhld, Visit visit) {
    const std::int64_t shared = k_bhld.size(1);
    for_blocks(rule.sequences(k_bhld) * shared, 1, [&](std::int64_t index, std::int64_t, std::int64_t) {
      const at::NoGradGuard no_grad;  // autograd is off in this Function, but not yet in other threads
      visit(index / shared, index % shared);
    });
  }

  static variable_list attended(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const Rule& rule) {
    // In memory as projections leave heads, [B, T, H, D].
    at::Tensor out = at::empty({q.size(0), q.size(2), q.size(1), q.size(3)}, q.options()).transpose(1, 2);
    const std::int64_t heads = q.size(1) / k.size(1);
    for_groups(rule, k, [&](std::int64_t sequence, std::int64_t shared) {
      const Group group(rule, q, k, v, sequence, shared);
      for (std::int64_t head = shared * heads; head < (shared + 1) * heads; ++head)
        group.for_panels(head, Group::wide(rule.of(q, sequence, head)), [&](const Group::Panel& panel) {
          panel.of_queries(rule.of(out, sequence, head)).copy_(at::matmul(panel.kept, panel.of_keys(group.v())));
        });
    });
    return {out};
  }

  static at::Tensor forward(AutogradContext* context, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const Rule& rule) {
    context->save_for_backward({q, k, v});
    hold(context, rule);
    return Kept::result([&] { return attended(q, k, v, rule); })[0];
  }

  static variable_list backward(AutogradContext* context, const variable_list& outer) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &q = saved[0], &k = saved[1], &v = saved[2], &dout = outer[0];
    const auto& rule = held<Rule>(context);
    const auto sums = [](const at::Tensor& x) { return at::zeros(x.sizes(), x.options().dtype(math_type(x))); };
    at::Tensor dq = sums(q), dk = sums(k), dv = sums(v);
    const std::int64_t heads = q.size(1) / k.size(1);
    for_groups(rule, k, [&](std::int64_t sequence, std::int64_t shared) {
      const Group group(rule, q, k, v, sequence, shared);
      const auto of = [&](const at::Tensor& x, std::int64_t head) { return rule.of(x, sequence, head); };
      for (std::int64_t head = shared * heads; head < (shared + 1) * heads; ++head) {
        const at::Tensor outer_td = Group::wide(of(dout, head));
        group.for_panels(head, Group::wide(of(q, head)), [&](const Group::Panel& panel) {
          const at::Tensor d = panel.of_queries(outer_td);
          panel.of_keys(of(dv, shared)).add_(at::matmul(panel.kept.t(), d));
          at::Tensor slopes = at::matmul(d, panel.of_keys(group.v()).t());
          group.derive(panel, slopes);
          panel.of_queries(of(dq, head)).copy_(at::matmul(slopes, panel.of_keys(group.k())));
          panel.of_keys(of(dk, shared)).add_(at::matmul(slopes.t(), panel.q));
        });
      }
    });
    return {dq.to(q.scalar_type()), dk.to(k.scalar_type()), dv.to(v.scalar_type()), {}};
  }
};

}  // namespace

at::Tensor general_attention(const at::Tensor& q_bhtd, const at::Tensor& k_bhld, const at::Tensor& v_bhld,
                             const AttentionRule& rule, const DropoutMask* mask, const at::Tensor& lengths,
                             const DocumentsPointer& documents) {
  Rule all{.rule = rule, .mask = mask ? std::optional(*mask) : std::nullopt, .documents = documents};
  if (lengths.defined()) {
    const auto* const first = lengths.const_data_ptr<std::int64_t>();
    all.lengths.assign(first, first + lengths.numel());
    for (const std::int64_t length : all.lengths)
      if (length < 1 || length > k_bhld.size(2) || lengths.numel() != k_bhld.size(0))
        throw Error(ErrorCode::kBug, "a text of ", length, " tokens among ", lengths.numel(), ", in ", k_bhld.size(0),
                    " rows of ", k_bhld.size(2));
  }
  if (!at::GradMode::is_enabled() && !Kept::in_pass())
    return GeneralAttention::attended(q_bhtd, k_bhld, v_bhld, all)[0];
  if (rule.causal && q_bhtd.size(2) != k_bhld.size(2))
    throw Error(ErrorCode::kBug, "causal attention with gradients sees ", k_bhld.size(2), " keys for ", q_bhtd.size(2),
                " queries: it is for training, where no cache is");
  return GeneralAttention::apply(q_bhtd, k_bhld, v_bhld, all);
}

}  // namespace trireme::models
