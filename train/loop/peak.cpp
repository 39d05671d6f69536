#include "train/loop/peak.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>

#include <algorithm>
#include <chrono>

#include "models/kernels/gemm.h"

namespace trireme::train {

double measured_peak_flops(at::ScalarType compute_type) {
  const at::ScalarType type = models::product_type(compute_type);
  using Clock = std::chrono::steady_clock;
  const at::NoGradGuard no_grad;
  constexpr std::int64_t kSize = 768;
  constexpr double kFlops = 2.0 * kSize * kSize * kSize;
  const at::Tensor a = at::ones({kSize, kSize}, type), b = at::ones({kSize, kSize}, type);
  at::Tensor c = at::matmul(a, b);  // first call: the library picks its kernel
  double best = 0;
  const auto start = Clock::now();
  do {
    const auto begin = Clock::now();
    at::matmul_out(c, a, b);
    best = std::max(best, kFlops / std::chrono::duration<double>(Clock::now() - begin).count());
  } while (Clock::now() - start < std::chrono::milliseconds(25));
  return best;
}

}  // namespace trireme::train
