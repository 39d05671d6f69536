#pragma once
#include <cstdint>

#include "train/config/train_config.h"

namespace trireme::train {

/// The learning rate of a step (counted from 1): rises in a straight line over the warm-up steps, then stays (constant)
/// or follows half a cosine down to final-ratio of the peak at the last step (Loshchilov and Hutter 2017,
/// arXiv:1608.03983).
double learning_rate(const TrainConfig& config, std::int64_t step);

}  // namespace trireme::train
