#pragma once
#include <memory>

#include "tune/search/method.h"

namespace trireme::tune {

/// Regularised evolution: of the latest 32 trials that are done, eight are picked at random, and the best of these has
/// a child that differs in one parameter. A trial leaves the population by age and not by value, so one that was lucky
/// once does not stay. Simple, needs no distances, and has many trials at a time at no loss.
///
/// - Numbers make a normal step on positions whose size is itself drawn, from half the range to a sixtieth of it;
/// choices
///   take another value as the space's distribution has it. Parameters that a mutation brings in are drawn.
/// - Of several objectives the best is one of the lowest domination rank (pareto.h).
/// - Until 16 trials are done, trials are random ones. So are those that find no child which obeys the constraints and,
///   in a space of finitely many points, is new.
///
/// Source: Real et al. 2019, "Regularized evolution for image classifier architecture search", arXiv:1802.01548,
/// algorithm 1.
std::unique_ptr<Method> make_evolution(const MethodContext& context);

}  // namespace trireme::tune
