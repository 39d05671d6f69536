#pragma once
#include <c10/core/ScalarType.h>

namespace trireme::train {

/// Floating-point operations a second of a square matrix product as layers compute it for this type, on this rank's
/// threads, measured for some tens of milliseconds while the other ranks do the same: what MFU refers to.
double measured_peak_flops(at::ScalarType compute_type);

}  // namespace trireme::train
