#pragma once
#include "tune/commands/show_study.h"

namespace trireme::tune {

/// `trireme-tune importance`: how much each parameter has to do with each metric, by functional ANOVA and by the
/// Gaussian process (tune/importance/importance.h says what the two mean).
int show_importance(const ShowOptions& options);

}  // namespace trireme::tune
