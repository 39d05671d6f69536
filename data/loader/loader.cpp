#include "data/loader/loader.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#include "core/base/error.h"
#include "core/base/hash.h"

namespace trireme::data {
namespace {

// What samples_hash is taken over.
struct SampleId {
  std::int64_t number, begin;
};
static_assert(sizeof(SampleId) == 16);

MicroBatch empty_batch(std::int64_t step, std::int64_t index, std::int64_t sequences, std::int64_t length) {
  MicroBatch batch;
  batch.step = step;
  batch.index = index;
  batch.sequences = sequences;
  batch.length = length;
  batch.tokens.assign(static_cast<std::size_t>(sequences * length), 0);
  batch.targets.assign(static_cast<std::size_t>(sequences * length), -1);
  return batch;
}

// Row `row` of `batch` from the tokens at `begin`; the first `known` targets stay -1. `window` is room for length + 1.
void fill_row(const Corpus& corpus, std::int64_t begin, std::int64_t known, std::int64_t row,
              std::vector<TokenId>& window, MicroBatch& batch) {
  window.resize(static_cast<std::size_t>(batch.length + 1));
  corpus.read(begin, window);
  std::copy(window.begin(), window.end() - 1, batch.tokens.begin() + row * batch.length);
  std::copy(window.begin() + 1 + known, window.end(), batch.targets.begin() + row * batch.length + known);
}

std::uint64_t hash_of(const std::vector<SampleId>& samples) {
  return xxh3_64(samples.data(), samples.size() * sizeof(SampleId));
}

void validate(const LoaderPlan& plan) {
  const auto require = [](bool holds, const char* what, const auto&... seen) {
    if (!holds) throw Error(ErrorCode::kBadInput, what, seen...);
  };
  require(plan.micro_batch >= 1, "a micro-batch has 1 sequence or more, not ", plan.micro_batch);
  require(plan.micro_batches_per_step >= 1, "a step has 1 micro-batch or more, not ", plan.micro_batches_per_step);
  require(0 <= plan.first && plan.first <= plan.last && plan.last <= plan.micro_batches_per_step, "micro-batches ",
          plan.first, " to ", plan.last, " are not within a step's ", plan.micro_batches_per_step);
  require(0 <= plan.first_step && plan.first_step <= plan.last_step, "cannot read from step ", plan.first_step,
          " to step ", plan.last_step);
  require(plan.prefetch >= 1, "prefetch must be 1 micro-batch or more, got ", plan.prefetch);
  std::int64_t samples = 0;
  require(!__builtin_mul_overflow(plan.last_step, plan.micro_batches_per_step, &samples) &&
              !__builtin_mul_overflow(samples, plan.micro_batch, &samples),
          "more samples than 63 bits can count: steps ", plan.last_step);
}

}  // namespace

struct Loader::Impl {
  const Corpus& corpus;
  const SampleOrder order;
  const std::int64_t length;
  const LoaderPlan plan;

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<MicroBatch> ready;  // guarded by mutex, as is all below
  std::exception_ptr failure;    // met after what is in `ready`
  std::int64_t left = 0;         // micro-batches that next() may still ask for
  bool stopping = false;
  std::thread thread;  // last: it uses all of the above

  Impl(const Corpus& corpus_, SampleOrder order_, std::int64_t length_, const LoaderPlan& plan_)
      : corpus(corpus_), order(order_), length(length_), plan(plan_) {
    left = (plan.last_step - plan.first_step) * (plan.last - plan.first);
    if (left > 0) thread = std::thread([this] { produce(); });
  }

  ~Impl() {
    {
      const std::scoped_lock lock(mutex);
      stopping = true;
    }
    changed.notify_all();
    if (thread.joinable()) thread.join();
  }

  void produce() {
    try {
      std::vector<TokenId> window;
      for (std::int64_t step = plan.first_step; step < plan.last_step; ++step)
        for (std::int64_t index = plan.first; index < plan.last; ++index)
          if (!hand_over(read(step, index, window))) return;
    } catch (...) {
      const std::scoped_lock lock(mutex);
      failure = std::current_exception();
      changed.notify_all();
    }
  }

  MicroBatch read(std::int64_t step, std::int64_t index, std::vector<TokenId>& window) const {
    MicroBatch batch = empty_batch(step, index, plan.micro_batch, length);
    std::vector<SampleId> samples;
    for (std::int64_t row = 0; row < plan.micro_batch; ++row) {
      const std::int64_t number = (step * plan.micro_batches_per_step + index) * plan.micro_batch + row;
      samples.push_back({number, order.begin_of(number)});
      fill_row(corpus, samples.back().begin, 0, row, window, batch);
    }
    batch.samples_hash = hash_of(samples);
    return batch;
  }

  // Waits for room; false when the loader ends.
  bool hand_over(MicroBatch batch) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return stopping || ready.size() < static_cast<std::size_t>(plan.prefetch); });
    if (stopping) return false;
    ready.push_back(std::move(batch));
    changed.notify_all();
    return true;
  }
};

Loader::Loader(const Corpus& corpus, SampleOrder order, std::int64_t sequence_length, LoaderPlan plan) {
  validate(plan);
  if (sequence_length < 1 || corpus.tokens() - 1 < sequence_length)
    throw Error(ErrorCode::kBadInput, "a sequence of ", sequence_length, " does not fit a corpus of ", corpus.tokens(),
                " tokens");
  impl_ = std::make_unique<Impl>(corpus, order, sequence_length, plan);
}

Loader::~Loader() = default;

MicroBatch Loader::next() {
  std::unique_lock lock(impl_->mutex);
  if (impl_->left == 0) throw Error(ErrorCode::kBug, "no micro-batch is left before step ", impl_->plan.last_step);
  impl_->changed.wait(lock, [&] { return !impl_->ready.empty() || impl_->failure; });
  if (impl_->ready.empty()) std::rethrow_exception(impl_->failure);
  MicroBatch batch = std::move(impl_->ready.front());
  impl_->ready.pop_front();
  --impl_->left;
  impl_->changed.notify_all();
  return batch;
}

EvaluationBatches::EvaluationBatches(const Corpus& corpus, std::int64_t sequence_length, std::int64_t micro_batch)
    : corpus_(&corpus), length_(sequence_length), micro_batch_(micro_batch) {
  if (sequence_length < 1 || micro_batch < 1)
    throw Error(ErrorCode::kBadInput, "evaluation needs a sequence length and a micro-batch of 1 or more, got ",
                sequence_length, " and ", micro_batch);
  if (corpus.tokens() - 1 < sequence_length)
    throw Error(ErrorCode::kBadInput, "the split to evaluate holds ", corpus.tokens(), " tokens; a sequence of ",
                sequence_length, " needs one more than its length: take a shorter sequence or set more text aside");
  windows_ = (targets() + length_ - 1) / length_;
}

std::int64_t EvaluationBatches::count() const { return (windows_ + micro_batch_ - 1) / micro_batch_; }
std::int64_t EvaluationBatches::targets() const { return corpus_->tokens() - 1; }

MicroBatch EvaluationBatches::batch(std::int64_t index) const {
  if (index < 0 || index >= count())
    throw Error(ErrorCode::kBug, "evaluation batch ", index, " is outside of the ", count(), " there are");
  MicroBatch batch = empty_batch(0, index, micro_batch_, length_);
  std::vector<TokenId> window;
  std::vector<SampleId> samples;
  for (std::int64_t row = 0; row < std::min(micro_batch_, windows_ - index * micro_batch_); ++row) {
    const std::int64_t number = index * micro_batch_ + row;
    const std::int64_t begin = std::min(number * length_, targets() - length_);
    fill_row(*corpus_, begin, number * length_ - begin, row, window, batch);
    samples.push_back({number, begin});
  }
  batch.samples_hash = hash_of(samples);
  return batch;
}

}  // namespace trireme::data
