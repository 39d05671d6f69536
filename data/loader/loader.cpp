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

// Row `row` of `batch` from the length + 1 tokens of its sequence; the first `known` targets stay -1.
void fill_row(const std::vector<TokenId>& window, std::int64_t known, std::int64_t row, MicroBatch& batch) {
  std::copy(window.begin(), window.end() - 1, batch.tokens.begin() + row * batch.length);
  std::copy(window.begin() + 1 + known, window.end(), batch.targets.begin() + row * batch.length + known);
}

// Of a text's first tokens, the one that has its label. Padding alone is a text of its first one.
std::int64_t label_at(const LabelledText& text, const LabelPlace& place, std::int64_t tokens) {
  if (place.first) return 0;
  std::int64_t at = tokens - 1;
  while (at > 0 && text.ids[static_cast<std::size_t>(at)] == place.padding_id) --at;
  return at;
}

// A labelled text, cut where the sequence ends.
void fill_row(const LabelledText& text, Labels::Of of, const LabelPlace& place, std::int64_t row, MicroBatch& batch) {
  const std::int64_t tokens = std::min(static_cast<std::int64_t>(text.ids.size()), batch.length);
  batch.lengths[static_cast<std::size_t>(row)] = tokens;
  std::copy_n(text.ids.begin(), tokens, batch.tokens.begin() + row * batch.length);
  const auto targets = batch.targets.begin() + row * batch.length;
  if (of == Labels::Of::kTokens)
    std::copy_n(text.labels.begin(), tokens, targets);
  else
    targets[label_at(text, place, tokens)] = text.labels[0];
}

// Texts with answers, one behind the other. A token's target is the next one, where that is to be learnt.
void fill_row(const std::vector<LabelledText>& texts, std::int64_t row, MicroBatch& batch) {
  std::int64_t at = row * batch.length;
  const std::int64_t end = at + batch.length;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto places = static_cast<std::int64_t>(texts[i].ids.size()) - 1;
    std::copy_n(texts[i].ids.begin(), places, batch.tokens.begin() + at);
    std::copy_n(texts[i].labels.begin() + 1, places, batch.targets.begin() + at);
    batch.documents.push_back(places);
    at += places;
  }
  if (at < end) batch.documents.push_back(end - at);
}

// The preferences that a row is about to have.
void announce(std::span<const std::int64_t> numbers, std::int64_t corpus, MicroBatch& batch) {
  auto document = static_cast<std::int64_t>(batch.documents.size());
  for (const std::int64_t number : numbers) {
    batch.preferences.push_back({document, corpus, number});
    document += 2;
  }
}

std::int64_t answers_of(const std::vector<LabelledText>& texts) {
  std::int64_t count = 0;
  for (const LabelledText& text : texts)
    count += std::count_if(text.labels.begin() + 1, text.labels.end(), [](std::int64_t label) { return label >= 0; });
  return count;
}

std::int64_t targets_of(const LabelledText& text, std::int64_t length) {
  const auto end = text.labels.begin() + std::min(length, static_cast<std::int64_t>(text.labels.size()));
  return end - text.labels.begin() - std::count(text.labels.begin(), end, -1);
}

std::uint64_t hash_of(const std::vector<Sample>& samples) {
  static_assert(sizeof(Sample) == 3 * sizeof(std::int64_t), "no padding, whose bytes would be anything");
  return xxh3_64(samples.data(), samples.size() * sizeof(Sample));
}

void validate(const LoaderPlan& plan) {
  const auto require = [](bool holds, const char* what, const auto&... seen) {
    if (!holds) throw Error(ErrorCode::kBadInput, what, seen...);
  };
  require(plan.micro_batch >= 1, "a micro-batch has 1 sequence or more, not ", plan.micro_batch);
  require(plan.micro_batches_per_step >= 1, "a step has 1 micro-batch or more, not ", plan.micro_batches_per_step);
  require(0 <= plan.first && plan.first <= plan.last && plan.last <= plan.micro_batches_per_step, "micro-batches ",
          plan.first, " to ", plan.last, " are not within a step's ", plan.micro_batches_per_step);
  require(plan.stride >= 1, "the stride between micro-batches must be 1 or more, got ", plan.stride);
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
  const TrainingStream& stream;
  const LoaderPlan plan;
  const Augmentation augmentation;

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<MicroBatch> ready;  // guarded by mutex, as is all below
  std::exception_ptr failure;    // met after what is in `ready`
  std::int64_t left = 0;         // micro-batches that next() may still ask for
  bool stopping = false;
  std::thread thread;  // last: it uses all of the above

  Impl(const TrainingStream& stream_, const LoaderPlan& plan_, Augmentation augmentation_)
      : stream(stream_), plan(plan_), augmentation(std::move(augmentation_)) {
    left = (plan.last_step - plan.first_step) * ((plan.last - plan.first + plan.stride - 1) / plan.stride);
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
      std::vector<TokenId> window(static_cast<std::size_t>(stream.sequence_length() + 1));
      for (std::int64_t step = plan.first_step; step < plan.last_step; ++step) {
        const std::int64_t targets = step_targets(step);
        for (std::int64_t index = plan.first; index < plan.last; index += plan.stride) {
          MicroBatch batch = stream.labels().of_answers() ? packed(step, index)
                             : stream.labels().any()      ? labelled(step, index)
                                                          : read(step, index, window);
          batch.step_targets = targets;
          if (!hand_over(std::move(batch))) return;
        }
      }
    } catch (...) {
      const std::scoped_lock lock(mutex);
      failure = std::current_exception();
      changed.notify_all();
    }
  }

  std::int64_t number_of(std::int64_t step, std::int64_t index, std::int64_t row) const {
    return (step * plan.micro_batches_per_step + index) * plan.micro_batch + row;
  }

  // Of all ranks, each of which counts for itself: texts have other numbers of labels.
  std::int64_t step_targets(std::int64_t step) const {
    const std::int64_t samples = plan.micro_batches_per_step * plan.micro_batch;
    if (!stream.labels().any()) return samples * stream.sequence_length();
    if (stream.labels().of == Labels::Of::kTexts) return samples;
    std::int64_t targets = 0;
    for (std::int64_t i = 0; i < samples; ++i) {
      const Sample sample = stream.sample(number_of(step, 0, i));
      targets +=
          stream.labels().of == Labels::Of::kPreferences ? static_cast<std::int64_t>(stream.preferences(sample).size())
          : stream.labels().of == Labels::Of::kAnswers   ? answers_of(stream.packed(sample))
                                                       : targets_of(stream.labelled(sample), stream.sequence_length());
    }
    if (targets == 0 && step == 0)
      throw Error(ErrorCode::kBadInput, "no text of the first step has ",
                  stream.labels().of_answers() ? "an answer" : "a label", " within the first ",
                  stream.sequence_length(), " tokens (data.sequence-length)");
    return std::max<std::int64_t>(1, targets);
  }

  MicroBatch packed(std::int64_t step, std::int64_t index) const {
    MicroBatch batch = empty_batch(step, index, plan.micro_batch, stream.sequence_length());
    std::vector<Sample> samples;
    for (std::int64_t row = 0; row < plan.micro_batch; ++row) {
      samples.push_back(stream.sample(number_of(step, index, row)));
      announce(stream.preferences(samples.back()), samples.back().corpus, batch);
      fill_row(stream.packed(samples.back()), row, batch);
    }
    batch.samples_hash = hash_of(samples);
    return batch;
  }

  MicroBatch labelled(std::int64_t step, std::int64_t index) const {
    MicroBatch batch = empty_batch(step, index, plan.micro_batch, stream.sequence_length());
    batch.lengths.assign(static_cast<std::size_t>(plan.micro_batch), 1);
    std::vector<Sample> samples;
    for (std::int64_t row = 0; row < plan.micro_batch; ++row) {
      samples.push_back(stream.sample(number_of(step, index, row)));
      fill_row(stream.labelled(samples.back()), stream.labels().of, plan.label_place, row, batch);
    }
    batch.samples_hash = hash_of(samples);
    return batch;
  }

  MicroBatch read(std::int64_t step, std::int64_t index, std::vector<TokenId>& window) const {
    MicroBatch batch = empty_batch(step, index, plan.micro_batch, stream.sequence_length());
    std::vector<Sample> samples;
    for (std::int64_t row = 0; row < plan.micro_batch; ++row) {
      const std::int64_t number = number_of(step, index, row);
      samples.push_back(stream.sample(number));
      stream.read(samples.back(), window);
      augmentation.rearrange(number, window);
      fill_row(window, 0, row, batch);
      const auto length = static_cast<std::size_t>(batch.length);
      augmentation.drop(number, std::span(batch.tokens).subspan(static_cast<std::size_t>(row) * length, length));
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
    if (ready.size() == 1) changed.notify_all();
    return true;
  }
};

Loader::Loader(const TrainingStream& stream, LoaderPlan plan, Augmentation augmentation) {
  validate(plan);
  impl_ = std::make_unique<Impl>(stream, plan, std::move(augmentation));
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
  // The thread is woken once half is used up, to fill up again: it mostly shares a core with who computes, and each
  // time that it runs costs that one two changes of context.
  if (static_cast<int>(impl_->ready.size()) <= impl_->plan.prefetch / 2) impl_->changed.notify_all();
  return batch;
}

EvaluationBatches::EvaluationBatches(const Corpus& corpus, std::int64_t sequence_length, std::int64_t micro_batch,
                                     LabelPlace label_place)
    : corpus_(&corpus),
      length_(sequence_length),
      micro_batch_(micro_batch),
      windows_(corpus.documents()),
      label_place_(label_place) {
  if (sequence_length < 1 || micro_batch < 1)
    throw Error(ErrorCode::kBadInput, "evaluation needs a sequence length and a micro-batch of 1 or more, got ",
                sequence_length, " and ", micro_batch);
  if (corpus.labels().of_answers()) {
    rows_.emplace(corpus, sequence_length);
    windows_ = rows_->rows();
  }
  if (corpus.labels().any()) {
    if (windows_ == 0) throw Error(ErrorCode::kBadInput, "the split to evaluate holds no text: set some aside");
    return;
  }
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
  if (corpus_->labels().any() && !rows_) batch.lengths.assign(static_cast<std::size_t>(micro_batch_), 1);
  std::vector<TokenId> window(static_cast<std::size_t>(length_ + 1));
  std::vector<Sample> samples;
  for (std::int64_t row = 0; row < std::min(micro_batch_, windows_ - index * micro_batch_); ++row) {
    const std::int64_t number = index * micro_batch_ + row;
    if (rows_) {
      announce(rows_->preferences(number), 0, batch);
      fill_row(rows_->texts(*corpus_, number), row, batch);
      samples.push_back({number, 0, number});
      continue;
    }
    if (corpus_->labels().any()) {
      fill_row(corpus_->labelled(number), corpus_->labels().of, label_place_, row, batch);
      samples.push_back({number, 0, number});
      continue;
    }
    const std::int64_t begin = std::min(number * length_, targets() - length_);
    corpus_->read(begin, window);
    fill_row(window, number * length_ - begin, row, batch);
    samples.push_back({number, 0, begin});
  }
  if (rows_)
    for (auto row = static_cast<std::int64_t>(samples.size()); row < micro_batch_; ++row)
      batch.documents.push_back(length_);
  batch.samples_hash = hash_of(samples);
  return batch;
}

}  // namespace trireme::data
