#include "train/optim/adamw.h"

#include <ATen/Parallel.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>

#include "train/optim/flat_math.h"

namespace trireme::train {

AdamW::AdamW(const OptimizerConfig& config, FlatParameters& parameters)
    : config_(config),
      parameters_(parameters),
      first_(at::zeros_like(parameters.masters())),
      second_(at::zeros_like(parameters.masters())) {
  if (config.ema_decay > 0) average_ = at::zeros_like(parameters.masters());
  constexpr std::int64_t kPiece = 8192;
  for (const auto& entry : parameters.entries()) {
    if (entry.tied_begin >= 0) continue;
    const double decay = entry.parameter->role == models::Role::kMatrix ? config.weight_decay : 0;
    for (std::int64_t done = 0; done < entry.count; done += kPiece)
      pieces_.push_back({entry.begin + done, std::min(kPiece, entry.count - done), decay});
  }
}

void AdamW::update(std::int64_t step, double learning_rate, double gradient_scale, const at::Tensor& gradients) {
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
    T* const weights = parameters_.masters().mutable_data_ptr<T>();
    const T* const gradient = gradients.const_data_ptr<T>();
    T *const first = first_.mutable_data_ptr<T>(), *const second = second_.mutable_data_ptr<T>();
    // An update gives the same bits at any cut, so pieces may go to any thread.
    at::parallel_for(0, static_cast<std::int64_t>(pieces_.size()), 1, [&](std::int64_t from, std::int64_t to) {
      for (std::int64_t i = from; i < to; ++i) {
        const Piece& piece = pieces_[static_cast<std::size_t>(i)];
        AdamWStep mine = numbers;
        mine.weight_decay = piece.weight_decay;
        adamw_update(mine, weights + piece.begin, gradient + piece.begin, first + piece.begin, second + piece.begin,
                     piece.count);
        if (average) average_into(average + piece.begin, weights + piece.begin, share, piece.count);
        parameters_.publish(piece.begin, piece.count);
      }
    });
  };
  if (parameters_.master_type() == at::kDouble)
    run(double{});
  else
    run(float{});
}

void AdamW::swap_average() {
  const auto swap = [&]<class T>(T) {
    T* const weights = parameters_.masters().mutable_data_ptr<T>();
    std::swap_ranges(weights, weights + parameters_.size(), average_.mutable_data_ptr<T>());
  };
  if (parameters_.master_type() == at::kDouble)
    swap(double{});
  else
    swap(float{});
  parameters_.publish();
}

}  // namespace trireme::train
