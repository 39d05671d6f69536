#pragma once
#include "models/config.h"
#include "models/parameters.h"

/// How the weights of every family start. Norms and biases start as nothing: one and zero.
namespace trireme::models {

/// Standard deviation sqrt(2 / (5 * width)) (Nguyen and Salazar 2019, arXiv:1910.05895), which is the 0.02 of GPT-2 and
/// LLaMA at width 1,000 and suits other widths as well.
Init initial(const ModelConfig& config);

/// Of projections that end on the residual stream: less, so that its variance does not grow with depth (Radford et al.
/// 2019, "Language Models are Unsupervised Multitask Learners", section 2.3).
Init initial_output(const ModelConfig& config);

}  // namespace trireme::models
