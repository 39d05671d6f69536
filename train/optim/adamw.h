#pragma once
#include <ATen/core/Tensor.h>

#include <exception>
#include <functional>
#include <vector>

#include "train/config/train_config.h"
#include "train/parallel/flat_parameters.h"

namespace trireme::train {

/// AdamW over the weights that a rank owns, and where ema-decay asks for it their moving average.
/// Source: Loshchilov and Hutter 2019, arXiv:1711.05101.
///
/// Matrices decay; norms, biases and embeddings do not. Adam gives the row of a token that is not in the batch no
/// gradient to speak of, yet decay would shrink it at every step, and small embeddings make large gradients in the norm
/// that follows (OLMo 2, arXiv:2501.00656). A matrix that is both embedding and output is an embedding
/// here.
///
/// The average is as wide as the masters. Step n leaves min(ema-decay, (n - 1) / (n + 8)) of it and adds the rest from
/// the weights: it forgets the initial weights within some steps, however slow it is later (so do TensorFlow's
/// averages).
class AdamW {
 public:
  AdamW(const OptimizerConfig& config, FlatParameters& parameters);

  /// The gradients from a place in the row of weights on, to the end of its block, in the masters' type.
  using Gradients = std::function<const void*(std::int64_t begin)>;

  /// Updates the weights and what forward reads of them. Called by all owners.
  /// @param step            counts from 1, for the bias correction
  /// @param gradient_scale  multiplies every gradient first: what clipping asks for
  /// @param gradients       of what this rank owns
  void update(std::int64_t step, double learning_rate, double gradient_scale, const Gradients& gradients);

  /// Rows of FlatParameters::own_size() elements.
  at::Tensor& first_moment() { return first_; }
  at::Tensor& second_moment() { return second_; }
  /// The moving average of the weights, likewise; undefined when none is kept.
  at::Tensor& average() { return average_; }

  /// For as long as it lives the masters, and what forward reads, are the average. One that is kept is needed. Made and
  /// given up by all owners together; when an error ends it, forward is left with the average.
  class AverageInPlace {
   public:
    explicit AverageInPlace(AdamW& optimizer) : optimizer_(optimizer) {
      optimizer_.swap_average();
      optimizer_.parameters_.publish();
    }
    ~AverageInPlace() noexcept(false);  ///< @throws Error kPeerLost
    AverageInPlace(const AverageInPlace&) = delete;
    AverageInPlace& operator=(const AverageInPlace&) = delete;

   private:
    AdamW& optimizer_;
    const int exceptions_ = std::uncaught_exceptions();
  };

 private:
  void swap_average();

  // A part of a block that decays alike, and stays in a core's cache while all is done to it.
  struct Piece {
    std::int64_t begin, count;
    double weight_decay;
  };

  const OptimizerConfig config_;
  FlatParameters& parameters_;
  at::Tensor first_, second_, average_;
  std::vector<std::vector<Piece>> pieces_;  // of each of the parameters' own stretches
};

}  // namespace trireme::train
