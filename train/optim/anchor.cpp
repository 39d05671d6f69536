#include "train/optim/anchor.h"

#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/error.h"
#include "models/load.h"
#include "train/optim/flat_math.h"
#include "train/optim/gradient_norm.h"

namespace trireme::train {

Anchor::Anchor(Communicator& world, FlatParameters& parameters, const std::vector<std::vector<Unit>>& units,
               double strength, bool measures_importance)
    : world_(world),
      parameters_(parameters),
      units_(units),
      strength_(strength),
      start_(at::zeros({parameters.own_size()}, parameters.master_type())) {
  if (measures_importance) importance_ = at::zeros({parameters.own_size()}, parameters.master_type());
}

void Anchor::start_from(const models::ModelSource& source) {
  parameters_.read(source, [&](const Stretch& stretch) {
    return static_cast<std::byte*>(start_.mutable_data_ptr()) +
           stretch.at * static_cast<std::int64_t>(start_.element_size());
  });
}

// visit(begin, at, weights): whole blocks of what this rank owns: place in the row of weights and in rows of own_size()
// elements, and the masters.
template <class Visit>
void Anchor::for_blocks(const Visit& visit) {
  const auto run = [&]<class T>(T) {
    for (const Stretch& stretch : parameters_.own()) {
      const T* const weights = static_cast<const T*>(parameters_.masters(stretch));
      for (std::int64_t done = 0; done < stretch.count; done += kBlockElements)
        visit(stretch.begin + done, stretch.at + done, weights + done);
    }
  };
  if (parameters_.master_type() == at::kDouble)
    run(double{});
  else
    run(float{});
}

void Anchor::measure(const Sums& sums) {
  for_blocks([&]<class T>(std::int64_t begin, std::int64_t at, const T*) {
    add_squares_into(importance_.mutable_data_ptr<T>() + at, static_cast<const T*>(sums(begin)), kBlockElements);
  });
}

// Squares of what `fill` gives are added as those of a gradient are.
template <class Fill>
double Anchor::norm(const Fill& fill) {
  const auto run = [&]<class T>(T) {
    std::vector<T> block(kBlockElements);
    return gradient_norm(world_, units_, parameters_.master_type(), [&](std::int64_t begin) -> const void* {
      const auto next = std::ranges::upper_bound(parameters_.own(), begin, {}, &Stretch::begin);
      const Stretch& stretch = *(next - 1);
      const std::int64_t in = begin - stretch.begin;
      fill(stretch.at + in, static_cast<const T*>(parameters_.masters(stretch)) + in, block.data());
      return block.data();
    });
  };
  return parameters_.master_type() == at::kDouble ? run(double{}) : run(float{});
}

void Anchor::end_measuring() {
  const double root = norm([&]<class T>(std::int64_t at, const T*, T* out) {
    const T* const importance = importance_.const_data_ptr<T>() + at;
    for (std::int64_t i = 0; i < kBlockElements; ++i) out[i] = std::sqrt(importance[i]);
  });
  std::int64_t elements = 0;
  for (const FlatParameters::Entry& entry : parameters_.entries())
    if (entry.tied_begin < 0) elements += entry.count;
  const double mean = root * root / static_cast<double>(elements);
  if (!(mean > 0) || !std::isfinite(mean))
    throw Error(ErrorCode::kNumeric, "the mean square of gradients on finetune.importance is ", mean,
                ": it says nothing about which weights matter");
  importance_.div_(mean);
}

double Anchor::add_gradients(const MutableSums& sums) {
  for_blocks([&]<class T>(std::int64_t begin, std::int64_t at, const T* weights) {
    const T* const importance = importance_.defined() ? importance_.const_data_ptr<T>() + at : nullptr;
    add_pull_into(static_cast<T*>(sums(begin)), weights, start_.const_data_ptr<T>() + at, importance, strength_,
                  kBlockElements);
  });
  const double root = norm([&]<class T>(std::int64_t at, const T* weights, T* out) {
    const T* const start = start_.const_data_ptr<T>() + at;
    const T* const importance = importance_.defined() ? importance_.const_data_ptr<T>() + at : nullptr;
    for (std::int64_t i = 0; i < kBlockElements; ++i)
      out[i] = (weights[i] - start[i]) * (importance ? std::sqrt(importance[i]) : T(1));
  });
  return strength_ / 2 * root * root;
}

}  // namespace trireme::train
