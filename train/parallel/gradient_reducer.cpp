#include "train/parallel/gradient_reducer.h"

#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <thread>

#include "core/base/error.h"
#include "train/optim/flat_math.h"

namespace trireme::train {
namespace {

// 1 MiB of float32: large enough that a message's latency does not count, small enough that the last one, which nothing
// overlaps with, is short.
constexpr std::int64_t kBucketElements = std::int64_t{1} << 18;
constexpr int kTagBuckets = 16000;

void add(at::ScalarType type, std::byte* into, const std::byte* from, std::int64_t count) {
  if (type == at::kDouble)
    add_into(reinterpret_cast<double*>(into), reinterpret_cast<const double*>(from), count);
  else
    add_into(reinterpret_cast<float*>(into), reinterpret_cast<const float*>(from), count);
}

std::byte* bytes_of(at::Tensor& tensor) { return static_cast<std::byte*>(tensor.mutable_data_ptr()); }

}  // namespace

struct GradientReducer::Bucket {
  int tag = 0;
  std::int64_t begin = 0, end = 0;  // elements of the row
  int entries = 0;                  // parameters that reach into it
  int missing = 0;                  // of those, how many the last micro-batch has not finished yet
  enum { kFilling, kGathering, kSpreading, kDone } phase = kFilling;
  std::vector<std::vector<std::byte>> parts;  // received partial sums of this rank's part, by node of the global fold
  std::vector<std::unique_ptr<Transfer>> receives, sends;

  // The part of a rank: cut on multiples of 16 elements, so that vector loops stay aligned.
  std::pair<std::int64_t, std::int64_t> part(int rank, int ranks) const {
    const std::int64_t lines = (end - begin + 15) / 16;
    return {std::min(end, begin + lines * rank / ranks * 16), std::min(end, begin + lines * (rank + 1) / ranks * 16)};
  }
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

GradientReducer::GradientReducer(Communicator& world, FlatParameters& parameters, std::int64_t micro_batches)
    : world_(world), parameters_(parameters), share_(share_of(micro_batches, world.rank(), world.size())) {
  std::vector<TreeNode> nodes;
  for (int rank = 0; rank < world.size(); ++rank) {
    const auto [first, last] = share_of(micro_batches, rank, world.size());
    LocalFold fold = fold_locally(micro_batches, first, last);
    first_node_.push_back(nodes.size());
    nodes.insert(nodes.end(), fold.nodes.begin(), fold.nodes.end());
    if (rank == world.rank()) local_ = std::move(fold);
  }
  first_node_.push_back(nodes.size());
  global_ = fold_globally(micro_batches, nodes);

  // Padding between parameters is never written: zeros from the start, so that whole stretches can be added and sent.
  for (int i = 0; i < local_.buffer_count; ++i)
    buffers_.push_back(at::zeros({parameters_.gradient_size()}, parameters_.master_type()));
  // The sum takes the place of a partial sum that has been sent. A rank without micro-batches has none.
  reduced_ = local_.buffers.empty() ? at::zeros({parameters_.gradient_size()}, parameters_.master_type())
                                    : buffers_[static_cast<std::size_t>(local_.buffers[0])];
  for (std::int64_t begin = 0; begin < parameters_.gradient_size(); begin += kBucketElements) {
    Bucket bucket;
    bucket.tag = static_cast<int>(buckets_.size() % kTagBuckets) * 2;
    bucket.begin = begin;
    bucket.end = std::min(parameters_.gradient_size(), begin + kBucketElements);
    for (const auto& entry : parameters_.entries())
      bucket.entries += entry.begin < bucket.end && entry.begin + entry.count > bucket.begin;
    bucket.parts.resize(nodes.size());
    buckets_.push_back(std::move(bucket));
  }
  for (std::size_t i = 0; i < parameters_.entries().size(); ++i)
    torch::autograd::impl::set_post_acc_grad_hooks(parameters_.entries()[i].parameter->value,
                                                   std::make_unique<Hook>(*this, i));
}

GradientReducer::~GradientReducer() {
  if (!under_way_.empty()) {
    // An error passes, and this process is about to end. Until it has, MPI still sends from this memory and receives
    // into it: it is left where it is.
    new auto(std::move(buffers_));
    new auto(reduced_);
    new auto(std::move(buckets_));
  }
  for (const auto& entry : parameters_.entries())
    torch::autograd::impl::set_post_acc_grad_hooks(entry.parameter->value, nullptr);
}

void GradientReducer::begin_step() {
  for (Bucket& bucket : buckets_) {
    bucket.phase = Bucket::kFilling;
    bucket.missing = bucket.entries;
  }
}

void GradientReducer::accumulate(std::size_t index, const at::Tensor& gradient) {
  const auto& entry = parameters_.entries()[index];
  const LocalFold::Leaf& leaf = local_.leaves[static_cast<std::size_t>(current_ - share_.first)];
  at::Tensor& buffer = buffers_[static_cast<std::size_t>(leaf.buffer)];
  const at::Tensor row = gradient.contiguous();
  const auto put = [&](auto* into, const auto* from) {
    if (leaf.add)
      add_into(into + entry.begin, from, entry.count);
    else
      copy_into(into + entry.begin, from, entry.count);
  };
  if (parameters_.compute_type() == at::kDouble)
    put(buffer.mutable_data_ptr<double>(), row.const_data_ptr<double>());
  else if (parameters_.compute_type() == at::kBFloat16)
    put(buffer.mutable_data_ptr<float>(), row.const_data_ptr<c10::BFloat16>());
  else
    put(buffer.mutable_data_ptr<float>(), row.const_data_ptr<float>());
  world_.check();
  if (current_ + 1 < share_.second) return;
  for (auto i = static_cast<std::size_t>(entry.begin / kBucketElements);
       i < buckets_.size() && buckets_[i].begin < entry.begin + entry.count; ++i)
    if (--buckets_[i].missing == 0) start(i);
  poll();
}

void GradientReducer::end() {
  // The additions of the last micro-batch are done bucket by bucket in start().
  if (current_ + 1 == share_.second) return;
  for (const Addition& addition : local_.leaves[static_cast<std::size_t>(current_ - share_.first)].then)
    add(parameters_.master_type(), bytes_of(buffers_[static_cast<std::size_t>(addition.into)]),
        bytes_of(buffers_[static_cast<std::size_t>(addition.from)]), parameters_.gradient_size());
}

void GradientReducer::start(std::size_t index) {
  Bucket& bucket = buckets_[index];
  const auto type = parameters_.master_type();
  const auto item = static_cast<std::int64_t>(at::elementSize(type));
  if (!local_.leaves.empty())
    for (const Addition& addition : local_.leaves.back().then)
      add(type, bytes_of(buffers_[static_cast<std::size_t>(addition.into)]) + bucket.begin * item,
          bytes_of(buffers_[static_cast<std::size_t>(addition.from)]) + bucket.begin * item, bucket.end - bucket.begin);
  const int ranks = world_.size(), me = world_.rank();
  if (ranks == 1) {
    bucket.phase = Bucket::kDone;
    return;
  }
  const auto [my_begin, my_end] = bucket.part(me, ranks);
  for (int offset = 1; offset < ranks; ++offset) {  // each rank starts with its neighbour: nobody is everyone's first
    const int peer = (me + offset) % ranks;
    for (std::size_t node = first_node_[static_cast<std::size_t>(peer)];
         node < first_node_[static_cast<std::size_t>(peer) + 1]; ++node) {
      bucket.parts[node].resize(static_cast<std::size_t>((my_end - my_begin) * item));
      bucket.receives.push_back(
          world_.start_receive(bucket.parts[node].data(), bucket.parts[node].size(), peer, bucket.tag));
    }
  }
  for (int offset = 1; offset < ranks; ++offset) {
    const int peer = (me + ranks - offset) % ranks;
    const auto [begin, end] = bucket.part(peer, ranks);
    for (const int buffer : local_.buffers)
      bucket.sends.push_back(world_.start_send(bytes_of(buffers_[static_cast<std::size_t>(buffer)]) + begin * item,
                                               static_cast<std::size_t>((end - begin) * item), peer, bucket.tag));
  }
  bucket.phase = Bucket::kGathering;
  under_way_.push_back(index);
}

void GradientReducer::advance(Bucket& bucket) {
  const auto all_done = [](std::vector<std::unique_ptr<Transfer>>& transfers) {
    std::erase_if(transfers, [](const std::unique_ptr<Transfer>& transfer) { return transfer->done(); });
    return transfers.empty();
  };
  const auto type = parameters_.master_type();
  const auto item = static_cast<std::int64_t>(at::elementSize(type));
  const int ranks = world_.size(), me = world_.rank();
  if (bucket.phase == Bucket::kGathering && all_done(bucket.receives) && all_done(bucket.sends)) {
    const auto [begin, end] = bucket.part(me, ranks);
    // This rank's own partial sums lie in its buffers; nobody else reads that part of them.
    const std::size_t own = first_node_[static_cast<std::size_t>(me)];
    const auto value = [&](int node) {
      const auto i = static_cast<std::size_t>(node);
      if (i >= own && i < own + local_.buffers.size())
        return bytes_of(buffers_[static_cast<std::size_t>(local_.buffers[i - own])]) + begin * item;
      return bucket.parts[i].data();
    };
    for (const Addition& addition : global_.additions)
      add(type, value(addition.into), value(addition.from), end - begin);
    std::byte* mine = bytes_of(reduced_) + begin * item;
    const auto size = static_cast<std::size_t>((end - begin) * item);
    if (value(global_.root) != mine) std::copy_n(value(global_.root), size, mine);
    for (int offset = 1; offset < ranks; ++offset) {
      const int from = (me + offset) % ranks, to = (me + ranks - offset) % ranks;
      const auto [their_begin, their_end] = bucket.part(from, ranks);
      bucket.receives.push_back(world_.start_receive(bytes_of(reduced_) + their_begin * item,
                                                     static_cast<std::size_t>((their_end - their_begin) * item), from,
                                                     bucket.tag + 1));
      bucket.sends.push_back(world_.start_send(mine, size, to, bucket.tag + 1));
    }
    bucket.phase = Bucket::kSpreading;
  }
  if (bucket.phase == Bucket::kSpreading && all_done(bucket.receives) && all_done(bucket.sends))
    bucket.phase = Bucket::kDone;
}

void GradientReducer::poll() {
  std::erase_if(under_way_, [&](std::size_t index) {
    advance(buckets_[index]);
    return buckets_[index].phase == Bucket::kDone;
  });
}

at::Tensor& GradientReducer::finish() {
  // Only a rank that has no micro-batches, or has given up the step, has buckets that its backward pass did not start.
  for (std::size_t i = 0; i < buckets_.size(); ++i)
    if (buckets_[i].phase == Bucket::kFilling) start(i);
  while (!under_way_.empty()) {
    poll();
    if (!under_way_.empty()) std::this_thread::yield();  // the peer may need this very core
  }
  const auto type = parameters_.master_type();
  const auto item = static_cast<std::int64_t>(at::elementSize(type));
  for (const auto& entry : parameters_.entries())
    if (entry.tied_begin >= 0)
      add(type, bytes_of(reduced_) + entry.tied_begin * item, bytes_of(reduced_) + entry.begin * item, entry.count);
  return reduced_;
}

std::int64_t GradientReducer::memory_bytes() const {
  const auto row = parameters_.gradient_size() * static_cast<std::int64_t>(at::elementSize(parameters_.master_type()));
  return row * std::max<std::int64_t>(1, static_cast<std::int64_t>(buffers_.size()));
}

}  // namespace trireme::train
