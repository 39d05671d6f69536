#pragma once
#include <cstdint>

#include "train/config/train_config.h"

namespace trireme::train {

/// The learning rate of a step (counted from 1): rises in a straight line over the warm-up steps, then
///
/// - constant: stays at the peak;
/// - linear, cosine: falls to final-ratio of the peak at the last step, in a straight line or along half a cosine
///   (Loshchilov and Hutter 2017, arXiv:1608.03983);
/// - wsd (warm-up, stable, decay: Hu et al. 2024, MiniCPM, arXiv:2404.06395): stays at the peak and falls to
///   final-ratio over the last decay-steps alone. The shape 1-sqrt is that of Hägele et al. 2024, arXiv:2405.18392.
///
/// linear and cosine depend on `steps` from the end of the warm-up on, wsd only while it decays: a run that is resumed
/// before its decay with more steps is the run that had them from the start.
double learning_rate(const TrainConfig& config, std::int64_t step);

/// Whether every one of the first `done` steps had the learning rate that it would have in a run of `config`, had that
/// run been planned with `planned` steps.
bool same_learning_rates(const TrainConfig& config, std::int64_t planned, std::int64_t done);

}  // namespace trireme::train
