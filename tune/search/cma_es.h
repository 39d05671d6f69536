#pragma once
#include <memory>

#include "tune/search/method.h"

namespace trireme::tune {

/// Covariance matrix adaptation (cma_distribution.h): draws generations of trials from a normal distribution over
/// positions, which after each generation moves towards its better half and takes on the shape that led there. For one
/// objective, mostly real parameters, and some hundred trials or more.
///
/// - A generation ends as soon as enough of its trials have (4 + 3 ln n of them for n parameters). Pending ones hold up
///   nothing: more trials are drawn from the same distribution meanwhile, and what comes in late is not learned from.
///   The note of a trial is its generation, its attempt, and the trials that ended the generation before, so that a
///   search which is opened again finds the same distribution however late trials came in.
/// - Numbers that are whole or have steps are rounded, with a least deviation of a quarter of a level.
/// - Choices without order are drawn by probabilities that move towards the better half's.
/// - A parameter that is not there in a trial still has a position, which is learned from as any other's is.
/// - A failed trial is never of the better half; when a whole generation fails, the search starts again elsewhere.
/// - When it no longer moves, or values no longer change, it starts again elsewhere with generations twice as large:
///   Auger & Hansen 2005, "A restart CMA evolution strategy with increasing population size" (IPOP).
/// - Enqueued trials are not learned from. Where draws break constraints or were tried, trials are random ones.
///
/// @throws Error kUsage for several objectives, and where no parameter has an order
std::unique_ptr<Method> make_cma_es(const MethodContext& context);

}  // namespace trireme::tune
