#pragma once
#include <memory>

#include "tune/search/method.h"

namespace trireme::tune {

/// Tries each point of a space once, the last parameter turning fastest, and ends. Conditions count: parameters that
/// are not there do not multiply. Points that others have tried (enqueued ones) are passed over.
///
/// The note of a trial is its point's place in the row of all points, so that a search which is opened again does not
/// compare with the history what lies before it.
/// @throws Error kUsage naming a parameter that has no end of values
std::unique_ptr<Method> make_grid(const MethodContext& context);

}  // namespace trireme::tune
