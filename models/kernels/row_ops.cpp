// The operations of ops.h that are not matrix products: autograd around row_kernels.
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "models/kernels/blocks.h"
#include "models/kernels/ops.h"
#include "models/kernels/row_kernels.h"

namespace trireme::models::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// A vector's gradient, in the type of `like`: partial sums [blocks, width] added in the order of blocks.
at::Tensor summed(const at::Tensor& parts, const at::Tensor& like) {
  at::Tensor sum = at::empty_like(like);
  with_type(like, [&]<class T>(T) {
    const auto* part = parts.const_data_ptr<math_t<T>>();
    T* out = sum.mutable_data_ptr<T>();
    const std::int64_t blocks = parts.size(0), width = parts.size(1);
    for (std::int64_t c = 0; c < width; ++c) {
      math_t<T> value = 0;
      for (std::int64_t block = 0; block < blocks; ++block) value += part[block * width + c];
      store(out + c, value);
    }
  });
  return sum;
}

struct RmsNorm : torch::autograd::Function<RmsNorm> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, const at::Tensor& weight, double offset,
                            double epsilon) {
    const at::Tensor x = input.contiguous();
    const std::int64_t width = x.size(-1), rows = x.numel() / width;
    at::Tensor y = at::empty_like(x), inverse = at::empty({rows}, math_type(x));
    with_type(x, [&]<class T>(T) {
      for_blocks(rows, kBlockRows, [&](std::int64_t, std::int64_t first, std::int64_t last) {
        rms_norm_forward(x.const_data_ptr<T>() + first * width, weight.const_data_ptr<T>(),
                         static_cast<math_t<T>>(offset), epsilon, last - first, width,
                         y.mutable_data_ptr<T>() + first * width, inverse.mutable_data_ptr<math_t<T>>() + first);
      });
    });
    context->save_for_backward({x, weight, inverse});
    context->saved_data["offset"] = offset;
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& outer) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &inverse = saved[2];
    const double offset = context->saved_data["offset"].toDouble();
    const at::Tensor dy = outer[0].contiguous();
    const std::int64_t width = x.size(-1), rows = x.numel() / width, blocks = (rows + kBlockRows - 1) / kBlockRows;
    at::Tensor dx = at::empty_like(x), parts = at::zeros({blocks, width}, math_type(x));
    with_type(x, [&]<class T>(T) {
      using M = math_t<T>;
      M* part = parts.mutable_data_ptr<M>();
      for_blocks(rows, kBlockRows, [&](std::int64_t block, std::int64_t first, std::int64_t last) {
        rms_norm_backward(dy.const_data_ptr<T>() + first * width, x.const_data_ptr<T>() + first * width,
                          weight.const_data_ptr<T>(), static_cast<M>(offset), inverse.const_data_ptr<M>() + first,
                          last - first, width, dx.mutable_data_ptr<T>() + first * width, part + block * width);
      });
    });
    return {dx, summed(parts, weight), {}, {}};
  }
};

struct LayerNorm : torch::autograd::Function<LayerNorm> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, const at::Tensor& weight,
                            const at::Tensor& bias, double epsilon) {
    const at::Tensor x = input.contiguous();
    const std::int64_t width = x.size(-1), rows = x.numel() / width;
    at::Tensor y = at::empty_like(x), mean = at::empty({rows}, math_type(x)), inverse = at::empty_like(mean);
    with_type(x, [&]<class T>(T) {
      using M = math_t<T>;
      for_blocks(rows, kBlockRows, [&](std::int64_t, std::int64_t first, std::int64_t last) {
        layer_norm_forward(x.const_data_ptr<T>() + first * width, weight.const_data_ptr<T>(), bias.const_data_ptr<T>(),
                           epsilon, last - first, width, y.mutable_data_ptr<T>() + first * width,
                           mean.mutable_data_ptr<M>() + first, inverse.mutable_data_ptr<M>() + first);
      });
    });
    context->save_for_backward({x, weight, mean, inverse});
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& outer) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &mean = saved[2], &inverse = saved[3];
    const at::Tensor dy = outer[0].contiguous();
    const std::int64_t width = x.size(-1), rows = x.numel() / width, blocks = (rows + kBlockRows - 1) / kBlockRows;
    at::Tensor dx = at::empty_like(x), weight_parts = at::zeros({blocks, width}, math_type(x));
    at::Tensor bias_parts = at::zeros_like(weight_parts);
    with_type(x, [&]<class T>(T) {
      using M = math_t<T>;
      M *weight_part = weight_parts.mutable_data_ptr<M>(), *bias_part = bias_parts.mutable_data_ptr<M>();
      for_blocks(rows, kBlockRows, [&](std::int64_t block, std::int64_t first, std::int64_t last) {
        layer_norm_backward(
            dy.const_data_ptr<T>() + first * width, x.const_data_ptr<T>() + first * width, weight.const_data_ptr<T>(),
            mean.const_data_ptr<M>() + first, inverse.const_data_ptr<M>() + first, last - first, width,
            dx.mutable_data_ptr<T>() + first * width, weight_part + block * width, bias_part + block * width);
      });
    });
    return {dx, summed(weight_parts, weight), summed(bias_parts, weight), {}};
  }
};

// x [B, H, T, D] in the memory order [B, T, H, D] that projections leave it in, and the result likewise.
at::Tensor rotated(const at::Tensor& x_bhtd, const at::Tensor& cosine, const at::Tensor& sine, double direction) {
  const at::Tensor x = x_bhtd.transpose(1, 2).contiguous();
  at::Tensor y = at::empty_like(x);
  const std::int64_t batch = x.size(0), tokens = x.size(1), heads = x.size(2), width = x.size(3), half = cosine.size(1);
  with_type(x, [&]<class T>(T) {
    using M = math_t<T>;
    const std::int64_t block = std::max<std::int64_t>(1, kBlockElements / (heads * width));
    for (std::int64_t b = 0; b < batch; ++b)
      for_blocks(tokens, block, [&](std::int64_t, std::int64_t first, std::int64_t last) {
        const std::int64_t offset = (b * tokens + first) * heads * width;
        rotate_rows(x.const_data_ptr<T>() + offset, cosine.const_data_ptr<M>() + first * half,
                    sine.const_data_ptr<M>() + first * half, static_cast<M>(direction), last - first, heads, width,
                    2 * half, y.mutable_data_ptr<T>() + offset);
      });
  });
  return y.transpose(1, 2);
}

struct Rotate : torch::autograd::Function<Rotate> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& cosine,
                            const at::Tensor& sine) {
    context->save_for_backward({cosine, sine});
    return rotated(x, cosine, sine, 1);
  }
  static variable_list backward(AutogradContext* context, const variable_list& outer) {
    const variable_list saved = context->get_saved_variables();
    return {rotated(outer[0], saved[0], saved[1], -1), {}, {}};
  }
};

struct Swiglu : torch::autograd::Function<Swiglu> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& gate_in, const at::Tensor& up_in) {
    const at::Tensor gate = gate_in.contiguous(), up = up_in.contiguous();
    at::Tensor y = at::empty_like(gate);
    with_type(gate, [&]<class T>(T) {
      for_blocks(gate.numel(), kBlockElements, [&](std::int64_t, std::int64_t first, std::int64_t last) {
        swiglu_forward(gate.const_data_ptr<T>() + first, up.const_data_ptr<T>() + first, last - first,
                       y.mutable_data_ptr<T>() + first);
      });
    });
    context->save_for_backward({gate, up});
    return y;
  }
  static variable_list backward(AutogradContext* context, const variable_list& outer) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &gate = saved[0], &up = saved[1];
    const at::Tensor dy = outer[0].contiguous();
    at::Tensor dgate = at::empty_like(gate), dup = at::empty_like(up);
    with_type(gate, [&]<class T>(T) {
      for_blocks(gate.numel(), kBlockElements, [&](std::int64_t, std::int64_t first, std::int64_t last) {
        swiglu_backward(dy.const_data_ptr<T>() + first, gate.const_data_ptr<T>() + first,
                        up.const_data_ptr<T>() + first, last - first, dgate.mutable_data_ptr<T>() + first,
                        dup.mutable_data_ptr<T>() + first);
      });
    });
    return {dgate, dup};
  }
};

struct BiasGelu : torch::autograd::Function<BiasGelu> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, const at::Tensor& bias) {
    const at::Tensor x = input.contiguous();
    const std::int64_t width = x.size(-1), rows = x.numel() / width;
    at::Tensor y = at::empty_like(x);
    with_type(x, [&]<class T>(T) {
      for_blocks(rows, kBlockRows, [&](std::int64_t, std::int64_t first, std::int64_t last) {
        bias_gelu_forward(x.const_data_ptr<T>() + first * width, bias.const_data_ptr<T>(), last - first, width,
                          y.mutable_data_ptr<T>() + first * width);
      });
    });
    context->save_for_backward({x, bias});
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& outer) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &bias = saved[1];
    const at::Tensor dy = outer[0].contiguous();
    const std::int64_t width = x.size(-1), rows = x.numel() / width, blocks = (rows + kBlockRows - 1) / kBlockRows;
    at::Tensor dx = at::empty_like(x), parts = at::zeros({blocks, width}, math_type(x));
    with_type(x, [&]<class T>(T) {
      auto* part = parts.mutable_data_ptr<math_t<T>>();
      for_blocks(rows, kBlockRows, [&](std::int64_t block, std::int64_t first, std::int64_t last) {
        bias_gelu_backward(dy.const_data_ptr<T>() + first * width, x.const_data_ptr<T>() + first * width,
                           bias.const_data_ptr<T>(), last - first, width, dx.mutable_data_ptr<T>() + first * width,
                           part + block * width);
      });
    });
    return {dx, summed(parts, bias)};
  }
};

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon, double offset) {
  return RmsNorm::apply(x, weight, offset, epsilon);
}

at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double epsilon) {
  return LayerNorm::apply(x, weight, bias, epsilon);
}

at::Tensor rotate(const at::Tensor& x_bhtd, const at::Tensor& cos, const at::Tensor& sin) {
  return Rotate::apply(x_bhtd, cos.contiguous(), sin.contiguous());
}

at::Tensor gated(const at::Tensor& gate, const at::Tensor& up, Activation activation) {
  if (activation == Activation::kSilu) return Swiglu::apply(gate, up);
  return activated(gate, {}, activation) * up;
}

at::Tensor activated(const at::Tensor& x, const std::optional<at::Tensor>& bias, Activation activation) {
  if (activation == Activation::kGeluTanh && bias) return BiasGelu::apply(x, *bias);
  const at::Tensor y = bias ? x + *bias : x;
  switch (activation) {
    case Activation::kSilu:
      return at::silu(y);
    case Activation::kGelu:
      return at::gelu(y);
    case Activation::kGeluTanh:
      return at::gelu(y, "tanh");
    case Activation::kRelu:
      return at::relu(y);
  }
  throw Error(ErrorCode::kBug, "unknown activation");
}

}  // namespace trireme::models::ops
