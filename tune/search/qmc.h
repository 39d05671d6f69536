#pragma once
#include <memory>

#include "tune/search/method.h"

namespace trireme::tune {

/// Draws from the distributions of the space as random search does, but by scrambled points of a Sobol sequence
/// (sobol.h), which fill the space more evenly: there are no holes and no two trials that are nearly the same. Best at
/// numbers of trials that are powers of two.
///
/// The note of a trial is its point's index in the sequence; the next trial takes the next one. Points that break a
/// constraint are left out, and in a space of finitely many points also those that have been tried.
///
/// Parameters beyond the 101st are plain random numbers.
std::unique_ptr<Method> make_qmc(const MethodContext& context);

}  // namespace trireme::tune
