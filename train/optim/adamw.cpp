#include "train/optim/adamw.h"

#include <ATen/Parallel.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

#include "train/optim/flat_math.h"

namespace trireme::train {

AdamW::AdamW(const OptimizerConfig& config, FlatParameters& parameters) : config_(config), parameters_(parameters) {
  const auto zeros = [&] { return at::zeros({parameters.own_size()}, parameters.master_type()); };
  first_ = zeros();
  second_ = zeros();
  if (config.ema_decay > 0) average_ = zeros();
  for (const Stretch& stretch : parameters.own()) {
    std::vector<Piece>& pieces = pieces_.emplace_back();
    const std::int64_t stretch_end = stretch.begin + stretch.count;
    for (const auto& entry : parameters.entries()) {
      if (entry.tied_begin >= 0) continue;
      const double decay = entry.parameter->role == models::Role::kMatrix ? config.weight_decay : 0;
      const std::int64_t entry_end = std::min(entry.begin + entry.count, stretch_end);
      for (std::int64_t begin = std::max(entry.begin, stretch.begin), end = 0; begin < entry_end; begin = end) {
        end = std::min(entry_end, (begin / kBlockElements + 1) * kBlockElements);
        pieces.push_back({begin, end - begin, decay});
      }
    }
  }
}

void AdamW::update(std::int64_t step, double learning_rate, double gradient_scale, const Gradients& gradients) {
  const AdamWStep numbers{learning_rate,
                          0,  // each piece's own
                          config_.beta1,
                          config_.beta2,
                          config_.epsilon,
                          gradient_scale,
                          1 - std::pow(config_.beta1, static_cast<double>(step)),
                          1 - std::pow(config_.beta2, static_cast<double>(step))};
  const auto n = static_cast<double>(step);
  const double share = 1 - std::min(config_.ema_decay, (n - 1) / (n + 8));
  const auto run = [&]<class T>(T) {
    T* const average = average_.defined() ? average_.mutable_data_ptr<T>() : nullptr;
    T *const first = first_.mutable_data_ptr<T>(), *const second = second_.mutable_data_ptr<T>();
    parameters_.begin_publish();
    for (std::size_t k = 0; k < pieces_.size(); ++k) {
      const Stretch& stretch = parameters_.own()[k];
      T* const weights = static_cast<T*>(parameters_.masters(stretch));
      // An update gives the same bits at any cut, so pieces may go to any thread.
      at::parallel_for(0, static_cast<std::int64_t>(pieces_[k].size()), 1, [&](std::int64_t from, std::int64_t to) {
        for (std::int64_t i = from; i < to; ++i) {
          const Piece& piece = pieces_[k][static_cast<std::size_t>(i)];
          T* const weight = weights + (piece.begin - stretch.begin);
          const std::int64_t at = stretch.at + (piece.begin - stretch.begin);
          AdamWStep mine = numbers;
          mine.weight_decay = piece.weight_decay;
          adamw_update(mine, weight, static_cast<const T*>(gradients(piece.begin)), first + at, second + at,
                       piece.count);
          if (average) average_into(average + at, weight, share, piece.count);
          parameters_.round(piece.begin, weight, piece.count);
        }
      });
      parameters_.publish(stretch);
    }
    parameters_.end_publish();
  };
  if (parameters_.master_type() == at::kDouble)
    run(double{});
  else
    run(float{});
}

AdamW::AverageInPlace::~AverageInPlace() noexcept(false) {
  optimizer_.swap_average();
  // While an error of this rank passes the others are elsewhere: they would not come, and must not be waited for.
  if (std::uncaught_exceptions() == exceptions_) optimizer_.parameters_.publish();
}

void AdamW::swap_average() {
  const auto swap = [&]<class T>(T) {
    for (const Stretch& stretch : parameters_.own()) {
      T* const weights = static_cast<T*>(parameters_.masters(stretch));
      std::swap_ranges(weights, weights + stretch.count, average_.mutable_data_ptr<T>() + stretch.at);
    }
  };
  if (parameters_.master_type() == at::kDouble)
    swap(double{});
  else
    swap(float{});
}

}  // namespace trireme::train
