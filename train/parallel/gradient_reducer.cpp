#include "train/parallel/gradient_reducer.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <thread>

#include "core/base/error.h"
#include "train/optim/flat_math.h"

namespace trireme::train {
namespace {

constexpr std::size_t kMostUnderWay = 4;  // buckets, where memory is what counts

void add(at::ScalarType type, std::byte* into, const std::byte* from, std::int64_t count) {
  if (type == at::kDouble)
    add_into(reinterpret_cast<double*>(into), reinterpret_cast<const double*>(from), count);
  else
    add_into(reinterpret_cast<float*>(into), reinterpret_cast<const float*>(from), count);
}

std::byte* bytes_of(at::Tensor& tensor) { return static_cast<std::byte*>(tensor.mutable_data_ptr()); }

}  // namespace

// A bucket on its way from gradients to sums.
struct GradientReducer::Exchange {
  Bucket bucket;
  int tag = 0;
  int entries = 0;        // parameters that reach into it
  int missing = 0;        // of those, how many have still to come in this round
  std::size_t round = 0;  // that is filled or under way
  enum { kFilling, kGathering, kSpreading, kDone } phase = kFilling;
  std::vector<at::Tensor> buffers;   // partial sums, each a whole bucket
  std::map<int, at::Tensor> values;  // of this rank's unit, by leftmost leaf: what is left to be added up
  at::Tensor sum;                    // of the whole bucket, or of this rank's unit
  std::int64_t sum_begin = 0;        // of what it holds, in the row
  std::vector<std::unique_ptr<Transfer>> receives, sends;
};

struct GradientReducer::Hook final : torch::autograd::PostAccumulateGradHook {
  Hook(GradientReducer& reducer, std::size_t entry) : reducer(reducer), entry(entry) {}
  void operator()(const at::Tensor& parameter) override {
    const at::Tensor gradient = parameter.grad();
    parameter.mutable_grad().reset();  // the sum lives in our buffers, and AccumulateGrad has handed its tensor over
    reducer.accumulate(entry, gradient);
  }
  GradientReducer& reducer;
  std::size_t entry;
};

GradientReducer::GradientReducer(Communicator& world, FlatParameters& parameters, std::int64_t micro_batches,
                                 Reach reach, Deal deal)
    : world_(world),
      parameters_(parameters),
      reach_(deal == Deal::kTurns ? Reach::kOwners : reach),
      in_turns_(deal == Deal::kTurns),
      item_(static_cast<std::int64_t>(at::elementSize(parameters.master_type()))),
      share_(share_of(micro_batches, world.rank(), world.size(), deal)),
      local_(in_turns_ ? fold_locally(1, 0, 1) : fold_locally(micro_batches, share_.first, share_.last)),
      rounds_(fold_globally(micro_batches, world.size(), deal)) {
  for (Bucket& bucket : buckets_of(parameters.layout(), world.size())) {
    Exchange& exchange = buckets_.emplace_back();
    exchange.tag = static_cast<int>(buckets_.size() - 1) * 2;
    for (const auto& entry : parameters.entries())
      exchange.entries += entry.begin < bucket.end && entry.begin + entry.count > bucket.begin;
    exchange.buffers.resize(static_cast<std::size_t>(local_.buffer_count));
    exchange.bucket = std::move(bucket);
    if (in_turns_) continue;
    for (at::Tensor& buffer : exchange.buffers) buffer = zeros(exchange.bucket);
    // The sum takes the place of a partial sum that has been sent.
    exchange.sum =
        local_.buffers.empty() ? zeros(exchange.bucket) : exchange.buffers[static_cast<std::size_t>(local_.buffers[0])];
    exchange.sum_begin = exchange.bucket.begin;
  }
  for (std::size_t i = 0; i < parameters_.entries().size(); ++i)
    torch::autograd::impl::set_post_acc_grad_hooks(parameters_.entries()[i].parameter->value,
                                                   std::make_unique<Hook>(*this, i));
}

GradientReducer::~GradientReducer() {
  // When an error passes this process is about to end. Until it has, MPI still sends from this memory and receives into
  // it: it is left where it is.
  if (!under_way_.empty()) {
    new auto(std::move(buckets_));
    new auto(std::move(given_up_));
  }
  for (const auto& entry : parameters_.entries())
    torch::autograd::impl::set_post_acc_grad_hooks(entry.parameter->value, nullptr);
}

std::size_t GradientReducer::bucket_at(std::int64_t begin) const {
  const auto next = std::ranges::upper_bound(buckets_, begin, {}, [](const Exchange& e) { return e.bucket.begin; });
  return static_cast<std::size_t>(next - buckets_.begin()) - 1;
}

std::byte* GradientReducer::place(at::Tensor& row, const Bucket& bucket, std::int64_t begin) const {
  return bytes_of(row) + (begin - bucket.begin) * item_;
}

void GradientReducer::begin_step() {
  for (Exchange& exchange : buckets_) {
    exchange.round = 0;
    exchange.phase = Exchange::kFilling;
    exchange.missing = exchange.entries;
    if (in_turns_) exchange.sum.reset();
  }
}

// Padding between parameters is never written: zeros from the start, so that whole stretches can be added and sent.
at::Tensor GradientReducer::zeros(const Bucket& bucket) const {
  return at::zeros({bucket.end - bucket.begin}, parameters_.master_type());
}

// Whether the gradients that arrive now are the last ones of a round.
bool GradientReducer::ends_round() const { return in_turns_ || current_ + 1 == share_.last; }

void GradientReducer::accumulate(std::size_t index, const at::Tensor& gradient) {
  const auto& entry = parameters_.entries()[index];
  const auto turn = static_cast<std::size_t>((current_ - share_.first) / share_.stride);
  const LocalFold::Leaf& leaf = local_.leaves[in_turns_ ? 0 : turn];
  const at::Tensor row = gradient.contiguous();
  const std::int64_t entry_end = entry.begin + entry.count;
  const std::size_t first = bucket_at(entry.begin);
  for (std::size_t i = first; i < buckets_.size() && buckets_[i].bucket.begin < entry_end; ++i) {
    Exchange& exchange = buckets_[i];
    // The gradients of this rank's turn before may still be on their way.
    while (in_turns_ && exchange.round < turn) {
      poll();
      std::this_thread::yield();
    }
    const std::int64_t begin = std::max(entry.begin, exchange.bucket.begin);
    const std::int64_t count = std::min(entry_end, exchange.bucket.end) - begin;
    at::Tensor& buffer = exchange.buffers[static_cast<std::size_t>(leaf.buffer)];
    if (!buffer.defined()) buffer = at::empty({exchange.bucket.end - exchange.bucket.begin}, parameters_.master_type());
    const auto put = [&](auto* into, const auto* from) {
      into += begin - exchange.bucket.begin;
      from += begin - entry.begin;
      if (leaf.add)
        add_into(into, from, count);
      else
        copy_into(into, from, count);
      // Padding is sent and added too; it never crosses into the next bucket.
      if (in_turns_ && entry_end <= exchange.bucket.end)
        std::fill(into + count, into + count + (entry.room - entry.count), 0);
    };
    if (parameters_.compute_type() == at::kDouble)
      put(buffer.mutable_data_ptr<double>(), row.const_data_ptr<double>());
    else if (parameters_.compute_type() == at::kBFloat16)
      put(buffer.mutable_data_ptr<float>(), row.const_data_ptr<c10::BFloat16>());
    else
      put(buffer.mutable_data_ptr<float>(), row.const_data_ptr<float>());
    if (!ends_round()) continue;
    if (--exchange.missing == 0) start(i);
    // A rank that is ahead of its peers would hold all that they have not taken yet. The last of them waits for nobody.
    for (poll(); in_turns_ && under_way_.size() > kMostUnderWay; poll()) std::this_thread::yield();
  }
  world_.check();
}

void GradientReducer::end() {
  // The additions of a round's last micro-batch are done bucket by bucket in start().
  if (ends_round()) return;
  for (const Addition& addition : local_.leaves[static_cast<std::size_t>(current_ - share_.first)].then)
    for (Exchange& exchange : buckets_)
      add(parameters_.master_type(), bytes_of(exchange.buffers[static_cast<std::size_t>(addition.into)]),
          bytes_of(exchange.buffers[static_cast<std::size_t>(addition.from)]),
          exchange.bucket.end - exchange.bucket.begin);
}

void GradientReducer::start(std::size_t index) {
  Exchange& exchange = buckets_[index];
  const Bucket& bucket = exchange.bucket;
  const int ranks = world_.size(), me = world_.rank();
  const Round& round = rounds_[exchange.round];
  const bool sends = !round.values[static_cast<std::size_t>(me)].empty();
  under_way_.push_back(index);  // first: what is sent and received from here on outlives an error
  if (sends) {
    // In turns a step that was given up has not filled them. The sum is of no use then, and all buckets may send the
    // same zeros.
    for (at::Tensor& buffer : exchange.buffers)
      if (!buffer.defined()) {
        if (!given_up_.defined() || given_up_.numel() < bucket.end - bucket.begin) given_up_ = zeros(bucket);
        buffer = given_up_;
      }
    for (const Addition& addition : local_.leaves.back().then)
      add(parameters_.master_type(), bytes_of(exchange.buffers[static_cast<std::size_t>(addition.into)]),
          bytes_of(exchange.buffers[static_cast<std::size_t>(addition.from)]), bucket.end - bucket.begin);
  }
  if (const Unit* mine = bucket.unit_of(me))
    for (int offset = 1; offset < ranks; ++offset) {  // each starts with its neighbour: nobody is everyone's first
      const int peer = (me + offset) % ranks;
      for (const int value : round.values[static_cast<std::size_t>(peer)]) {
        at::Tensor& part = exchange.values[value] = at::empty({mine->end - mine->begin}, parameters_.master_type());
        exchange.receives.push_back(world_.start_receive(bytes_of(part), part.nbytes(), peer, exchange.tag));
      }
    }
  for (int offset = 1; sends && offset < ranks; ++offset) {
    const int peer = (me + ranks - offset) % ranks;
    const Unit* theirs = bucket.unit_of(peer);
    if (!theirs) continue;
    for (const int buffer : local_.buffers)
      exchange.sends.push_back(
          world_.start_send(place(exchange.buffers[static_cast<std::size_t>(buffer)], bucket, theirs->begin),
                            static_cast<std::size_t>((theirs->end - theirs->begin) * item_), peer, exchange.tag));
  }
  exchange.phase = Exchange::kGathering;
}

// All values of this round are here: does the additions that are due.
void GradientReducer::add_up(Exchange& exchange) {
  const Bucket& bucket = exchange.bucket;
  const Unit* mine = bucket.unit_of(world_.rank());
  if (!mine) return;
  const Round& round = rounds_[exchange.round];
  const std::vector<int>& own = round.values[static_cast<std::size_t>(world_.rank())];
  for (std::size_t i = 0; i < own.size(); ++i) {
    const at::Tensor& buffer = exchange.buffers[static_cast<std::size_t>(local_.buffers[i])];
    const at::Tensor part = buffer.narrow(0, mine->begin - bucket.begin, mine->end - mine->begin);
    exchange.values[own[i]] = in_turns_ ? part.clone() : part;  // the buffer is given back at the end of the round
  }
  for (const Addition& addition : round.additions) {
    add(parameters_.master_type(), bytes_of(exchange.values.at(addition.into)),
        bytes_of(exchange.values.at(addition.from)), mine->end - mine->begin);
    exchange.values.erase(addition.from);
  }
  if (&round != &rounds_.back()) return;
  const at::Tensor total = exchange.values.at(0);
  exchange.values.clear();
  if (in_turns_) {
    exchange.sum = total;
    exchange.sum_begin = mine->begin;
    return;
  }
  std::byte* sum = place(exchange.sum, bucket, mine->begin);
  if (total.const_data_ptr() != sum) std::memcpy(sum, total.const_data_ptr(), total.nbytes());
}

void GradientReducer::advance(Exchange& exchange) {
  const auto all_done = [](std::vector<std::unique_ptr<Transfer>>& transfers) {
    std::erase_if(transfers, [](const std::unique_ptr<Transfer>& transfer) { return transfer->done(); });
    return transfers.empty();
  };
  const Bucket& bucket = exchange.bucket;
  const int ranks = world_.size(), me = world_.rank();
  if (exchange.phase == Exchange::kGathering && all_done(exchange.receives) && all_done(exchange.sends)) {
    add_up(exchange);
    for (int offset = 1; reach_ == Reach::kAll && offset < ranks; ++offset) {
      const int to = (me + ranks - offset) % ranks, from = (me + offset) % ranks;
      const auto size = [&](const Unit& unit) { return static_cast<std::size_t>((unit.end - unit.begin) * item_); };
      if (const Unit* mine = bucket.unit_of(me))
        exchange.sends.push_back(
            world_.start_send(place(exchange.sum, bucket, mine->begin), size(*mine), to, exchange.tag + 1));
      if (const Unit* theirs = bucket.unit_of(from))
        exchange.receives.push_back(
            world_.start_receive(place(exchange.sum, bucket, theirs->begin), size(*theirs), from, exchange.tag + 1));
    }
    exchange.phase = Exchange::kSpreading;
  }
  if (exchange.phase == Exchange::kSpreading && all_done(exchange.receives) && all_done(exchange.sends))
    end_round(exchange);
}

void GradientReducer::end_round(Exchange& exchange) {
  if (in_turns_)
    for (at::Tensor& buffer : exchange.buffers) buffer.reset();
  if (exchange.round + 1 == rounds_.size()) {
    exchange.phase = Exchange::kDone;
    return;
  }
  ++exchange.round;
  exchange.phase = Exchange::kFilling;
  exchange.missing = exchange.entries;
}

void GradientReducer::poll() {
  std::erase_if(under_way_, [&](std::size_t index) {
    advance(buckets_[index]);
    return buckets_[index].phase == Exchange::kFilling || buckets_[index].phase == Exchange::kDone;
  });
}

void GradientReducer::finish() {
  // Only a rank that has no micro-batch in a round, or has given up the step, has buckets that its backward pass did
  // not start.
  for (bool done = false; !done;) {
    done = true;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      if (buckets_[i].phase == Exchange::kFilling) start(i);
      done = done && buckets_[i].phase == Exchange::kDone;
    }
    poll();
    if (!done) std::this_thread::yield();  // the peer may need this very core
  }
  add_tied();
}

void GradientReducer::add_tied() {
  const auto at = [&](Exchange& exchange, std::int64_t begin) {
    return bytes_of(exchange.sum) + (begin - exchange.sum_begin) * item_;
  };
  for (const RowLayout::Segment& segment : parameters_.layout().segments) {
    if (segment.tied_begin < 0) continue;
    for (std::size_t i = bucket_at(segment.begin); i < buckets_.size() && buckets_[i].bucket.begin < segment.end; ++i)
      for (const Unit& unit : buckets_[i].bucket.units) {
        if (reach_ == Reach::kOwners && unit.owner != world_.rank()) continue;
        const std::int64_t to = unit.begin - segment.begin + segment.tied_begin;
        add(parameters_.master_type(), at(buckets_[bucket_at(to)], to), at(buckets_[i], unit.begin),
            unit.end - unit.begin);
      }
  }
}

const void* GradientReducer::sum(std::int64_t begin) const {
  const Exchange& exchange = buckets_[bucket_at(begin)];
  return static_cast<const std::byte*>(exchange.sum.const_data_ptr()) + (begin - exchange.sum_begin) * item_;
}

at::Tensor GradientReducer::sums() const {
  const at::Tensor row = at::zeros({parameters_.size()}, parameters_.master_type());
  for (const Exchange& exchange : buckets_)
    if (exchange.bucket.begin < parameters_.size() && exchange.sum.defined())
      row.narrow(0, exchange.sum_begin, exchange.sum.numel()).copy_(exchange.sum);
  return row;
}

std::vector<std::vector<Unit>> GradientReducer::units() const {
  std::vector<std::vector<Unit>> units(static_cast<std::size_t>(world_.size()));
  for (const Exchange& exchange : buckets_)
    if (exchange.bucket.begin < parameters_.size())
      for (const Unit& unit : exchange.bucket.units) units[static_cast<std::size_t>(unit.owner)].push_back(unit);
  return units;
}

std::int64_t GradientReducer::memory_bytes() const {
  std::int64_t bytes = 0;
  for (const Exchange& exchange : buckets_) {
    for (const at::Tensor& buffer : exchange.buffers)
      if (buffer.defined()) bytes += static_cast<std::int64_t>(buffer.nbytes());
    if (in_turns_ || exchange.buffers.empty())
      if (exchange.sum.defined()) bytes += static_cast<std::int64_t>(exchange.sum.nbytes());
  }
  return bytes;
}

}  // namespace trireme::train
