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
#include "core/base/trace.h"
#include "train/optim/flat_math.h"
#include "train/parallel/sites.h"

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
  int number = 0;
  int entries = 0;        // parameters that reach into it
  int missing = 0;        // of those, how many have still to come of the micro-batch that fills it
  std::size_t turn = 0;   // of this rank's micro-batches, which that is
  std::size_t round = 0;  // that is filled or under way
  enum { kFilling, kGathering, kSpreading, kDone } phase = kFilling;
  std::vector<at::Tensor> buffers;   // partial sums, each a whole bucket
  std::map<int, at::Tensor> values;  // of this rank's unit, by leftmost leaf: what is left to be added up
  std::vector<at::Tensor> sums;      // of each unit that this rank keeps
  std::vector<std::unique_ptr<Transfer>> receives, sends;
};

struct GradientReducer::Hook final : torch::autograd::PostAccumulateGradHook {
  Hook(GradientReducer& reducer, std::size_t entry) : reducer(reducer), entry(entry) {}
  void operator()(const at::Tensor& parameter) override {
    const at::Tensor gradient = parameter.grad();
    if (!gradient.defined()) return;   // its product is put off
    parameter.mutable_grad().reset();  // the sum lives in our buffers, and AccumulateGrad has handed its tensor over
    if (reducer.held_ && reducer.parameters_.entries()[entry].is_of_layer())
      reducer.held_->emplace_back(entry, gradient);
    else
      reducer.accumulate(entry, gradient);
  }
  GradientReducer& reducer;
  std::size_t entry;
};

GradientReducer::GradientReducer(Communicator& world, FlatParameters& parameters, std::int64_t micro_batches, int group,
                                 Deal deal)
    : world_(world),
      parameters_(parameters),
      groups_{world.size(), group},
      in_turns_(deal == Deal::kTurns),
      item_(static_cast<std::int64_t>(at::elementSize(parameters.master_type()))),
      share_(share_of(micro_batches, world.rank(), world.size(), deal)),
      local_(in_turns_ ? fold_locally(1, 0, 1) : fold_locally(micro_batches, share_.first, share_.last)),
      rounds_(fold_globally(micro_batches, world.size(), deal)) {
  for (Bucket& bucket : buckets_of(parameters.layout(), world.size())) {
    if (!parameters.is_here(bucket.segment)) continue;
    Exchange& exchange = buckets_.emplace_back();
    exchange.number = static_cast<int>(buckets_.size() - 1);
    for (const auto& entry : parameters.entries())
      exchange.entries += entry.begin < bucket.end && entry.begin + entry.count > bucket.begin;
    exchange.buffers.resize(static_cast<std::size_t>(local_.buffer_count));
    exchange.bucket = std::move(bucket);
    exchange.sums.resize(exchange.bucket.units.size());
    if (in_turns_) continue;
    for (at::Tensor& buffer : exchange.buffers) buffer = zeros(exchange.bucket);
    // Sums take the place of a partial sum that has been sent.
    const at::Tensor row =
        local_.buffers.empty() ? zeros(exchange.bucket) : exchange.buffers[static_cast<std::size_t>(local_.buffers[0])];
    for (std::size_t i = 0; i < exchange.sums.size(); ++i)
      if (const Unit& unit = exchange.bucket.units[i]; groups_.keeps(world.rank(), unit))
        exchange.sums[i] = row.narrow(0, unit.begin - exchange.bucket.begin, unit.end - unit.begin);
  }
  arrived_.resize(parameters_.entries().size());
  for (std::size_t i = 0; i < parameters_.entries().size(); ++i) {
    const FlatParameters::Entry& entry = parameters_.entries()[i];
    if (!parameters_.is_here(parameters_.layout().segment_at(entry.begin))) continue;
    entry_of_[entry.parameter->value.unsafeGetTensorImpl()] = i;
    torch::autograd::impl::set_post_acc_grad_hooks(entry.parameter->value, std::make_unique<Hook>(*this, i));
  }
}

GradientReducer::~GradientReducer() {
  // When an error passes this process is about to end. Until it has, MPI still sends from this memory and receives into
  // it: it is left where it is.
  if (!under_way_.empty() || !tied_under_way_.empty()) {
    new auto(std::move(buckets_));
    new auto(std::move(given_up_));
    new auto(std::move(from_pipeline_));
  }
  for (const auto& [leaf, entry] : entry_of_)
    torch::autograd::impl::set_post_acc_grad_hooks(parameters_.entries()[entry].parameter->value, nullptr);
}

std::size_t GradientReducer::bucket_at(std::int64_t begin) const {
  const auto next = std::ranges::upper_bound(buckets_, begin, {}, [](const Exchange& e) { return e.bucket.begin; });
  return static_cast<std::size_t>(next - buckets_.begin()) - 1;
}

std::byte* GradientReducer::place(at::Tensor& row, const Bucket& bucket, std::int64_t begin) const {
  return bytes_of(row) + (begin - bucket.begin) * item_;
}

void GradientReducer::begin_step() {
  std::ranges::fill(arrived_, 0);
  for (Exchange& exchange : buckets_) {
    exchange.turn = 0;
    exchange.round = 0;
    exchange.phase = Exchange::kFilling;
    exchange.missing = exchange.entries;
    if (in_turns_)
      for (at::Tensor& sum : exchange.sums) sum.reset();
  }
}

// Padding between parameters is never written: zeros from the start, so that whole stretches can be added and sent.
at::Tensor GradientReducer::zeros(const Bucket& bucket) const {
  return at::zeros({bucket.end - bucket.begin}, parameters_.master_type());
}

// Whether the gradients of this micro-batch are the last ones of a round.
bool GradientReducer::ends_round(std::size_t turn) const {
  return in_turns_ || static_cast<std::int64_t>(turn) + 1 == share_.count();
}

template <class Condition>
void GradientReducer::wait_until(const Site& site, Condition condition) {
  poll();
  if (condition()) return;
  const TraceSpan span(kTraceWait, site.name());
  for (; !condition(); poll()) std::this_thread::yield();  // the peer may need this very core
}

void GradientReducer::accumulate(std::size_t index, const at::Tensor& gradient) {
  const auto& entry = parameters_.entries()[index];
  const std::size_t turn = arrived_[index]++;
  const LocalFold::Leaf& leaf = local_.leaves[in_turns_ ? 0 : turn];
  const at::Tensor row = gradient.defined() ? gradient.contiguous() : gradient;
  const std::int64_t entry_end = entry.begin + entry.count;
  const std::size_t first = bucket_at(entry.begin);
  for (std::size_t i = first; i < buckets_.size() && buckets_[i].bucket.begin < entry_end; ++i) {
    Exchange& exchange = buckets_[i];
    // The gradients of this rank's turn before may still be on their way.
    if (in_turns_) wait_until(kGradientParts, [&] { return exchange.round >= turn; });
    const std::int64_t begin = std::max(entry.begin, exchange.bucket.begin);
    const std::int64_t count = std::min(entry_end, exchange.bucket.end) - begin;
    at::Tensor& buffer = exchange.buffers[static_cast<std::size_t>(leaf.buffer)];
    if (row.defined() && !buffer.defined())
      buffer = at::empty({exchange.bucket.end - exchange.bucket.begin}, parameters_.master_type());
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
    if (!row.defined()) {
      // Given up: whatever the buffer holds.
    } else if (parameters_.compute_type() == at::kDouble)
      put(buffer.mutable_data_ptr<double>(), row.const_data_ptr<double>());
    else if (parameters_.compute_type() == at::kBFloat16)
      put(buffer.mutable_data_ptr<float>(), row.const_data_ptr<c10::BFloat16>());
    else
      put(buffer.mutable_data_ptr<float>(), row.const_data_ptr<float>());
    if (exchange.turn != turn)
      throw Error(ErrorCode::kBug, "gradient ", turn, " of ", entry.parameter->name, " came out of order");
    if (--exchange.missing == 0) complete(i);
    // A rank that is ahead of its peers would hold all that they have not taken yet. The last of them waits for nobody.
    if (ends_round(turn)) wait_until(kGradientParts, [&] { return !in_turns_ || under_way_.size() <= kMostUnderWay; });
  }
  world_.check();
}

// A bucket has all gradients of a micro-batch.
void GradientReducer::complete(std::size_t index) {
  Exchange& exchange = buckets_[index];
  for (const Addition& addition : local_.leaves[in_turns_ ? 0 : exchange.turn].then)
    add(parameters_.master_type(), bytes_of(exchange.buffers[static_cast<std::size_t>(addition.into)]),
        bytes_of(exchange.buffers[static_cast<std::size_t>(addition.from)]),
        exchange.bucket.end - exchange.bucket.begin);
  const bool ends = ends_round(exchange.turn);
  ++exchange.turn;
  exchange.missing = exchange.entries;
  if (ends) start(index);
}

void GradientReducer::skip(std::string_view group, std::int64_t turn) {
  if (turn >= share_.count()) return go_along(group, static_cast<std::size_t>(turn));
  for (std::size_t i = 0; i < arrived_.size(); ++i)
    if (const FlatParameters::Entry& entry = parameters_.entries()[i];
        models::group_of(entry.parameter->name) == group && arrived_[i] == static_cast<std::size_t>(turn) &&
        parameters_.is_here(parameters_.layout().segment_at(entry.begin)))
      accumulate(i, {});
}

// A turn that others have and this rank has not: they wait for it to take what they send.
void GradientReducer::go_along(std::string_view group, std::size_t turn) {
  if (!in_turns_) return;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    Exchange& exchange = buckets_[i];
    if (parameters_.layout().segments[exchange.bucket.segment].name != group) continue;
    wait_until(kGradientParts, [&] { return exchange.round >= turn; });
    if (exchange.phase == Exchange::kFilling) start(i);
    wait_until(kGradientParts, [&] { return under_way_.size() <= kMostUnderWay; });
  }
  world_.check();
}

void GradientReducer::take(Held held, std::vector<models::PutOff::Product> products) {
  for (auto& [entry, gradient] : held) accumulate(entry, std::exchange(gradient, {}));
  for (models::PutOff::Product& product : products) {
    const std::vector<at::Tensor> gradients = product.gradients();
    product.gradients = nullptr;  // what it was made from is no longer needed
    for (std::size_t i = 0; i < gradients.size(); ++i)
      accumulate(entry_of_.at(product.weights[i].unsafeGetTensorImpl()), gradients[i]);
  }
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
  }
  if (const Unit* mine = bucket.unit_of(me))
    for (int offset = 1; offset < ranks; ++offset) {  // each starts with its neighbour: nobody is everyone's first
      const int peer = (me + offset) % ranks;
      for (const int value : round.values[static_cast<std::size_t>(peer)]) {
        at::Tensor& part = exchange.values[value] = at::empty({mine->end - mine->begin}, parameters_.master_type());
        exchange.receives.push_back(
            world_.start_receive(bytes_of(part), part.nbytes(), peer, {kGradientParts, exchange.number}));
      }
    }
  for (int offset = 1; sends && offset < ranks; ++offset) {
    const int peer = (me + ranks - offset) % ranks;
    const Unit* theirs = bucket.unit_of(peer);
    if (!theirs) continue;
    for (const int buffer : local_.buffers)
      exchange.sends.push_back(world_.start_send(
          place(exchange.buffers[static_cast<std::size_t>(buffer)], bucket, theirs->begin),
          static_cast<std::size_t>((theirs->end - theirs->begin) * item_), peer, {kGradientParts, exchange.number}));
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
  at::Tensor& sum = exchange.sums[static_cast<std::size_t>(mine - bucket.units.data())];
  if (in_turns_)
    sum = total;
  else if (total.const_data_ptr() != sum.const_data_ptr())
    std::memcpy(bytes_of(sum), total.const_data_ptr(), total.nbytes());
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
    // The ranks of other groups that keep the same; in other rounds but the last there is no sum yet.
    const bool is_sum = exchange.round + 1 == rounds_.size();
    for (std::size_t i = 0; is_sum && i < bucket.units.size(); ++i) {
      const Unit& unit = bucket.units[i];
      if (!groups_.keeps(me, unit)) continue;
      at::Tensor& sum = exchange.sums[i];
      if (unit.owner != me) {
        if (!sum.defined()) sum = at::empty({unit.end - unit.begin}, parameters_.master_type());
        exchange.receives.push_back(
            world_.start_receive(bytes_of(sum), sum.nbytes(), unit.owner, {kGradientSums, exchange.number}));
        continue;
      }
      for (int offset = groups_.size; offset < ranks; offset += groups_.size)
        exchange.sends.push_back(world_.start_send(bytes_of(sum), sum.nbytes(), (me + ranks - offset) % ranks,
                                                   {kGradientSums, exchange.number}));
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
}

void GradientReducer::poll() {
  std::erase_if(under_way_, [&](std::size_t index) {
    advance(buckets_[index]);
    return buckets_[index].phase == Exchange::kFilling || buckets_[index].phase == Exchange::kDone;
  });
}

void GradientReducer::finish() {
  const TraceSpan span(kTraceWait, kGradientSums.name());
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
  exchange_tied();
  add_tied();
}

// Where another stage adds up what is tied to a segment, its ranks send their sums to those of the same place here:
// units of tied segments have the owners of what they are tied to.
void GradientReducer::exchange_tied() {
  Communicator* const pipeline = parameters_.pipeline();
  if (!pipeline) return;
  const RowLayout& layout = parameters_.layout();
  for (std::size_t i = 0; i < layout.segments.size(); ++i) {
    const RowLayout::Segment& segment = layout.segments[i];
    if (segment.tied_begin < 0) continue;
    const std::size_t target = layout.segment_at(segment.tied_begin);
    if (parameters_.is_here(i) == parameters_.is_here(target)) continue;
    for (Exchange& exchange : buckets_) {
      if (exchange.bucket.segment != i && exchange.bucket.segment != target) continue;
      for (const Unit& unit : exchange.bucket.units) {
        if (!groups_.keeps(world_.rank(), unit)) continue;
        const auto size = static_cast<std::size_t>((unit.end - unit.begin) * item_);
        if (parameters_.is_here(i)) {
          tied_under_way_.push_back(
              pipeline->start_send(sum(unit.begin), size, parameters_.placement().home[target], kTiedSums));
        } else {
          at::Tensor& part = from_pipeline_.emplace_back(at::empty({unit.end - unit.begin}, parameters_.master_type()));
          tied_under_way_.push_back(
              pipeline->start_receive(bytes_of(part), size, parameters_.placement().home[i], kTiedSums));
        }
      }
    }
  }
  for (const auto& transfer : tied_under_way_) transfer->wait();
  tied_under_way_.clear();
  std::size_t next = 0;
  for (std::size_t i = 0; i < layout.segments.size() && !from_pipeline_.empty(); ++i) {
    const RowLayout::Segment& segment = layout.segments[i];
    if (segment.tied_begin < 0) continue;
    const std::size_t target = layout.segment_at(segment.tied_begin);
    if (parameters_.is_here(i) || !parameters_.is_here(target)) continue;
    for (Exchange& exchange : buckets_)
      if (exchange.bucket.segment == target)
        for (std::size_t k = 0; k < exchange.sums.size(); ++k)
          if (groups_.keeps(world_.rank(), exchange.bucket.units[k]))
            add(parameters_.master_type(), bytes_of(exchange.sums[k]), bytes_of(from_pipeline_[next++]),
                exchange.sums[k].numel());
  }
  from_pipeline_.clear();
}

void GradientReducer::add_tied() {
  const RowLayout& layout = parameters_.layout();
  for (std::size_t s = 0; s < layout.segments.size(); ++s) {
    const RowLayout::Segment& segment = layout.segments[s];
    if (segment.tied_begin < 0 || !parameters_.is_here(s) ||
        !parameters_.is_here(layout.segment_at(segment.tied_begin)))
      continue;
    for (std::size_t i = bucket_at(segment.begin); i < buckets_.size() && buckets_[i].bucket.begin < segment.end; ++i)
      for (std::size_t k = 0; k < buckets_[i].sums.size(); ++k) {
        const Unit& unit = buckets_[i].bucket.units[k];
        if (!groups_.keeps(world_.rank(), unit)) continue;
        // Units of tied segments are cut alike.
        const std::int64_t to = unit.begin - segment.begin + segment.tied_begin;
        at::Tensor into = sum_of(buckets_[bucket_at(to)], to);
        add(parameters_.master_type(), bytes_of(into), bytes_of(buckets_[i].sums[k]), unit.end - unit.begin);
      }
  }
}

// That of the unit in which an element lies: all units of a bucket but the last are equal.
const at::Tensor& GradientReducer::sum_of(const Exchange& exchange, std::int64_t begin) const {
  const Unit& first = exchange.bucket.units.front();
  return exchange.sums[static_cast<std::size_t>((begin - first.begin) / (first.end - first.begin))];
}

const void* GradientReducer::sum(std::int64_t begin) const {
  const Exchange& exchange = buckets_[bucket_at(begin)];
  const Unit& first = exchange.bucket.units.front();
  return static_cast<const std::byte*>(sum_of(exchange, begin).const_data_ptr()) +
         (begin - first.begin) % (first.end - first.begin) * item_;
}

at::Tensor GradientReducer::sums() const {
  const at::Tensor row = at::zeros({parameters_.size()}, parameters_.master_type());
  for (const Exchange& exchange : buckets_)
    for (std::size_t i = 0; i < exchange.sums.size(); ++i)
      if (const Unit& unit = exchange.bucket.units[i]; unit.begin < parameters_.size() && exchange.sums[i].defined())
        row.narrow(0, unit.begin, unit.end - unit.begin).copy_(exchange.sums[i]);
  return row;
}

std::int64_t GradientReducer::memory_bytes() const {
  std::int64_t bytes = 0;
  for (const Exchange& exchange : buckets_) {
    for (const at::Tensor& buffer : exchange.buffers)
      if (buffer.defined()) bytes += static_cast<std::int64_t>(buffer.nbytes());
    if (in_turns_ || exchange.buffers.empty())
      for (const at::Tensor& sum : exchange.sums)
        if (sum.defined()) bytes += static_cast<std::int64_t>(sum.nbytes());
  }
  return bytes;
}

}  // namespace trireme::train
