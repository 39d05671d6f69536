#include "models/kernels/dropout.h"

#include <ATen/ops/empty_like.h>

#include <cmath>
#include <string>

#include "models/kernels/blocks.h"
#include "models/kernels/held.h"
#include "models/kernels/ops.h"

namespace trireme::models {

DropoutMask::DropoutMask(const DropoutKey& key, std::string_view site, double rate)
    : stream_(key.seed, "dropout/" + std::to_string(key.step) + "/" + std::string(site)),
      first_sample_(key.first_sample),
      threshold_(static_cast<std::uint32_t>(std::lround(rate * 0x1p32))),  // rate is at most 0.99
      scale_(1 / (1 - rate)) {}

void DropoutMask::draw(const Row& row, std::int64_t width, std::vector<std::uint32_t>& words) const {
  words.resize(static_cast<std::size_t>(width));
  stream_.fill_bits(words.data(), static_cast<std::uint64_t>(width),
                    {static_cast<std::uint32_t>(row.token), static_cast<std::uint32_t>(first_sample_ + row.sample),
                     static_cast<std::uint32_t>(row.head)});
}

namespace ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor dropped(const at::Tensor& input, const DropoutMask& mask) {
  const at::Tensor x = input.contiguous();
  at::Tensor y = at::empty_like(x);
  const std::int64_t tokens = x.size(1), width = x.size(2);
  with_type(x, [&]<class T>(T) {
    for_blocks(x.size(0) * tokens, kBlockRows, [&](std::int64_t, std::int64_t first, std::int64_t last) {
      std::vector<std::uint32_t> scratch;
      for (std::int64_t row = first; row < last; ++row)
        mask.apply({.sample = row / tokens, .token = row % tokens}, x.const_data_ptr<T>() + row * width, width,
                   y.mutable_data_ptr<T>() + row * width, scratch);
    });
  });
  return y;
}

struct Dropout : torch::autograd::Function<Dropout> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const DropoutMask& mask) {
    hold(context, mask);
    return dropped(x, mask);
  }
  static variable_list backward(AutogradContext* context, const variable_list& outer) {
    return {dropped(outer[0], held<DropoutMask>(context)), {}};
  }
};

}  // namespace

at::Tensor dropout(const at::Tensor& x_btc, const DropoutMask& mask) { return Dropout::apply(x_btc, mask); }

}  // namespace ops
}  // namespace trireme::models
