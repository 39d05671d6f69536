#include "train/parallel/pipeline_schedule.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "core/base/error.h"

namespace trireme::train {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

// Length of an action, with a forward as the unit.
std::int64_t length_of(Work work) { return work == Work::kBackward ? 2 : 1; }

// Plays the pipeline through: at every moment each idle rank takes the most urgent of the actions that it could start.
// What comes out is an order for each rank that was possible once, and thus is possible whatever actions take in truth.
class Play {
 public:
  explicit Play(const PipelineShape& shape)
      : shape_(shape),
        splits_(shape.order == PipelineOrder::kZeroBubble),
        ranks_(static_cast<std::size_t>(shape.ranks)),
        forward_done_(cells(), kNever),
        backward_done_(cells(), kNever) {
    for (int rank = 0; rank < shape.ranks; ++rank) {
      Rank& r = ranks_[static_cast<std::size_t>(rank)];
      r.next_forward.resize(static_cast<std::size_t>(shape.chunks));
      r.next_backward.resize(static_cast<std::size_t>(shape.chunks));
      r.next_weight.resize(static_cast<std::size_t>(shape.chunks));
      // As in arXiv:2104.04473: so many forwards come before the first backward can, and no more wait for theirs later.
      r.most_open = most_open(rank);
      r.most_held = splits_ ? most_open(0) : r.most_open;
    }
  }

  PipelineSchedule run() {
    PipelineSchedule schedule;
    schedule.actions.resize(ranks_.size());
    schedule.begins.resize(ranks_.size());
    schedule.most_held.resize(ranks_.size());
    const std::int64_t each = shape_.micro_batches * shape_.chunks * (splits_ ? 3 : 2);
    std::int64_t left = each * shape_.ranks, end = 0;
    for (std::int64_t now = 0; left > 0; ++now) {
      bool any = false;
      for (int rank = 0; rank < shape_.ranks; ++rank) {
        Rank& r = ranks_[static_cast<std::size_t>(rank)];
        any = any || r.free_at > now;
        if (r.free_at > now) continue;
        const std::optional<Action> action = choose(rank, now);
        if (!action) continue;
        any = true;
        start(rank, *action, now);
        schedule.actions[static_cast<std::size_t>(rank)].push_back(*action);
        schedule.begins[static_cast<std::size_t>(rank)].push_back(now);
        schedule.most_held[static_cast<std::size_t>(rank)] =
            std::max(schedule.most_held[static_cast<std::size_t>(rank)], r.held);
        end = std::max(end, r.free_at);
        --left;
      }
      if (!any) throw Error(ErrorCode::kBug, "a pipeline of ", shape_.ranks, " ranks stands still");
    }
    const std::int64_t busy = shape_.micro_batches * shape_.chunks * 3;
    schedule.bubble = static_cast<double>(end - busy) / static_cast<double>(end);
    return schedule;
  }

 private:
  struct Rank {
    std::int64_t free_at = 0;
    std::int64_t open = 0, most_open = 0;  // forwards without their backward
    std::int64_t held = 0, most_held = 0;  // activations: those of weights' backwards to come as well
    std::vector<std::int64_t> next_forward, next_backward, next_weight;  // micro-batch, of each chunk
  };

  std::int64_t most_open(int rank) const {
    const int behind = shape_.ranks - rank - 1;
    return shape_.chunks == 1 ? behind + 1 : 2 * behind + (shape_.chunks - 1) * shape_.ranks + 1;
  }
  std::size_t cells() const { return static_cast<std::size_t>(shape_.stages() * shape_.micro_batches); }
  std::size_t cell(int stage, std::int64_t micro_batch) const {
    return static_cast<std::size_t>(stage * shape_.micro_batches + micro_batch);
  }
  int stage(int rank, int chunk) const { return chunk * shape_.ranks + rank; }

  // Forwards go in rounds of as many micro-batches as there are ranks, each round through all chunks before the next:
  // so a rank comes back to its next chunk when the first micro-batch has been around.
  std::optional<Action> next_in_rounds(const std::vector<std::int64_t>& next, Work work, bool last_chunk_first) const {
    std::optional<Action> best;
    std::int64_t best_round = kNever;
    for (int i = 0; i < shape_.chunks; ++i) {
      const int chunk = last_chunk_first ? shape_.chunks - 1 - i : i;
      const std::int64_t micro_batch = next[static_cast<std::size_t>(chunk)];
      if (micro_batch >= shape_.micro_batches) continue;
      const std::int64_t round = micro_batch / shape_.ranks;
      if (round < best_round) best_round = round, best = Action{work, micro_batch, chunk};
    }
    return best;
  }

  bool can_forward(int rank, const Action& action, std::int64_t now) const {
    const int s = stage(rank, action.chunk);
    return s == 0 || forward_done_[cell(s - 1, action.micro_batch)] <= now;
  }
  bool can_backward(int rank, const Action& action, std::int64_t now) const {
    const int s = stage(rank, action.chunk);
    return forward_done_[cell(s, action.micro_batch)] <= now &&
           (s + 1 == shape_.stages() || backward_done_[cell(s + 1, action.micro_batch)] <= now);
  }

  std::optional<Action> choose(int rank, std::int64_t now) const {
    const Rank& r = ranks_[static_cast<std::size_t>(rank)];
    const auto backward =
        next_in_rounds(r.next_backward, splits_ ? Work::kBackwardInput : Work::kBackward, /*last_chunk_first=*/true);
    const auto forward = next_in_rounds(r.next_forward, Work::kForward, /*last_chunk_first=*/false);
    const bool may_forward =
        forward && r.open < r.most_open && r.held < r.most_held && can_forward(rank, *forward, now);
    // So many of the weights' backwards wait as leave room for all forwards that may be open: then no forward waits.
    if (splits_ && r.held - r.open > r.most_held - r.most_open) return weight(r);
    // Forwards first, as long as they may: the ranks behind wait for them.
    if (may_forward) return forward;
    if (backward && can_backward(rank, *backward, now)) return backward;
    return splits_ ? weight(r) : std::nullopt;
  }

  // The oldest of the weights' backwards that can be done.
  std::optional<Action> weight(const Rank& r) const {
    std::optional<Action> best;
    for (int chunk = shape_.chunks - 1; chunk >= 0; --chunk) {
      const auto i = static_cast<std::size_t>(chunk);
      if (r.next_weight[i] < r.next_backward[i] &&
          (!best || r.next_weight[i] / shape_.ranks < best->micro_batch / shape_.ranks))
        best = Action{Work::kBackwardWeight, r.next_weight[i], chunk};
    }
    return best;
  }

  void start(int rank, const Action& action, std::int64_t now) {
    Rank& r = ranks_[static_cast<std::size_t>(rank)];
    const auto chunk = static_cast<std::size_t>(action.chunk);
    r.free_at = now + length_of(action.work);
    const std::size_t c = cell(stage(rank, action.chunk), action.micro_batch);
    switch (action.work) {
      case Work::kForward:
        ++r.next_forward[chunk];
        ++r.open, ++r.held;
        forward_done_[c] = r.free_at;
        break;
      case Work::kBackward:
      case Work::kBackwardInput:
        ++r.next_backward[chunk];
        backward_done_[c] = r.free_at;
        --r.open;
        if (!splits_) --r.held;
        break;
      case Work::kBackwardWeight:
        ++r.next_weight[chunk];
        --r.held;
        break;
    }
  }

  const PipelineShape shape_;
  const bool splits_;
  std::vector<Rank> ranks_;
  std::vector<std::int64_t> forward_done_, backward_done_;  // when, by stage and micro-batch
};

}  // namespace

PipelineOrder pipeline_order(const TrainConfig& config) {
  if (config.parallel.pipeline_order == "1f1b") return PipelineOrder::kOneForwardOneBackward;
  if (config.parallel.pipeline_order == "zero-bubble") return PipelineOrder::kZeroBubble;
  throw Error(ErrorCode::kBug, "no order of stages is called ", config.parallel.pipeline_order);
}

PipelineSchedule pipeline_schedule(const PipelineShape& shape) { return Play(shape).run(); }

std::vector<Action> forward_passes(int chunks, std::int64_t micro_batches) {
  std::vector<Action> actions;
  for (int chunk = 0; chunk < chunks; ++chunk)
    for (std::int64_t i = 0; i < micro_batches; ++i) actions.push_back({Work::kForward, i, chunk});
  return actions;
}

std::string drawn(const PipelineSchedule& schedule, std::size_t width) {
  const auto text = [](const Action& action) {
    constexpr char kLetters[] = "FBIW";
    std::string name = kLetters[static_cast<std::size_t>(action.work)] + std::to_string(action.micro_batch);
    if (action.chunk > 0) name += static_cast<char>('a' + action.chunk % 26);
    return name;
  };
  std::size_t cell = 0;
  for (const std::vector<Action>& actions : schedule.actions)
    for (const Action& action : actions) cell = std::max(cell, text(action).size() + 1);
  const std::size_t heading = std::string("rank ").size() + std::to_string(schedule.actions.size() - 1).size() + 2;
  std::string out;
  for (std::size_t rank = 0; rank < schedule.actions.size(); ++rank) {
    std::string line = "rank " + std::to_string(rank);
    line.resize(heading, ' ');
    for (std::size_t i = 0; i < schedule.actions[rank].size(); ++i) {
      const std::size_t at = heading + static_cast<std::size_t>(schedule.begins[rank][i]) * cell;
      if (at + cell + 3 > width) {
        line += "...";
        break;
      }
      line.resize(at, ' ');
      line += text(schedule.actions[rank][i]);
    }
    out += line + "\n";
  }
  return out;
}

}  // namespace trireme::train
