#include "models/kernels/attention.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "models/kernels/avx512.h"
#include "models/kernels/gemm.h"

namespace trireme::models {
namespace {

// [B, T, H, D] of one batch element and head.
template <class Scalar>
struct Rows {
  Scalar* data;
  std::int64_t stride;  // elements between tokens
};

// What sees itself alone: a row of a batch, or a document of the one row there is.
struct Sequence {
  std::int64_t batch, begin, tokens;
};

class Sequences {
 public:
  Sequences(const at::Tensor& q_bthd, const Documents* documents)
      : rows_(q_bthd.size(0)), tokens_(q_bthd.size(1)), documents_(documents) {
    if (documents && (rows_ != 1 || documents->tokens() != tokens_))
      throw Error(ErrorCode::kBug, "documents of ", documents->tokens(), " tokens in ", rows_, " rows of ", tokens_);
  }
  std::int64_t count() const { return documents_ ? documents_->count() : rows_; }
  std::int64_t longest() const { return documents_ ? documents_->longest() : tokens_; }
  Sequence operator[](std::int64_t i) const {
    return documents_ ? Sequence{0, documents_->begin(i), documents_->length(i)} : Sequence{i, 0, tokens_};
  }

 private:
  std::int64_t rows_, tokens_;
  const Documents* documents_;
};

template <class Scalar>
Rows<const Scalar> rows_of(const at::Tensor& x, const Sequence& of, std::int64_t head) {
  return {static_cast<const Scalar*>(x.const_data_ptr()) + of.batch * x.stride(0) + of.begin * x.stride(1) +
              head * x.stride(2),
          x.stride(1)};
}
template <class Scalar>
Rows<Scalar> writable_rows_of(const at::Tensor& x, const Sequence& of, std::int64_t head) {
  return {
      static_cast<Scalar*>(x.mutable_data_ptr()) + of.batch * x.stride(0) + of.begin * x.stride(1) + head * x.stride(2),
      x.stride(1)};
}

// Memory of one thread, dealt out in aligned pieces.
class Arena {
 public:
  explicit Arena(std::int64_t bytes)
      : memory_(at::empty({bytes}, at::kByte)), next_(memory_.mutable_data_ptr<std::uint8_t>()) {}
  template <class T>
  T* take(std::int64_t count) {
    auto* piece = reinterpret_cast<T*>(next_);
    next_ += bytes<T>(count);
    return piece;
  }
  template <class T>
  static std::int64_t bytes(std::int64_t count) {
    return (count * static_cast<std::int64_t>(sizeof(T)) + 63) / 64 * 64;
  }

 private:
  at::Tensor memory_;
  std::uint8_t* next_;
};

}  // namespace

TRIREME_AVX512_BEGIN
namespace avx512 {
namespace {

// Scores and what is made of them lie [key][32 queries]: a query is a lane, so maxima, sums and masks need no work
// across lanes, and a tile of keys times queries is what the matrix kernels give.
constexpr int kQueries = kColumns;

// Rows of tokens as the left side of products: side by side, each of whole units.
template <class Kind>
class LeftRows {
  using Scalar = typename Kind::Scalar;

 public:
  static std::int64_t bytes(std::int64_t tokens, std::int64_t width) {
    return Arena::bytes<Scalar>(tokens * stride_of(width));
  }
  LeftRows(Arena& arena, std::int64_t tokens, std::int64_t width)
      : width_(width), stride_(stride_of(width)), rows_(arena.take<Scalar>(tokens * stride_)) {}

  void read(Rows<const Scalar> rows, std::int64_t tokens) {
    for (std::int64_t token = 0; token < tokens; ++token) {
      Scalar* to = rows_ + token * stride_;
      std::copy_n(rows.data + token * rows.stride, width_, to);
      std::fill(to + width_, to + stride_, Scalar(0));
    }
  }
  RowsInPlace from(std::int64_t token) const { return {rows_ + token * stride_, stride_ * sizeof(Scalar)}; }

 private:
  // No multiple of 2 KiB: the first cache's sets repeat every 4, and a tile reads 12 rows at once.
  static std::int64_t stride_of(std::int64_t width) {
    const std::int64_t stride = (width + 15) / 16 * 16;
    return stride % 512 == 0 ? stride + 16 : stride;
  }

  std::int64_t width_, stride_;
  Scalar* rows_;
};

// D channels as the rows of products: near-equal panels of at most 12.
struct Channels {
  explicit Channels(std::int64_t width) : width(width), panels((width + kRows - 1) / kRows) {}
  std::int64_t begin(std::int64_t panel) const { return width * panel / panels; }
  std::int64_t width, panels;
};

// [channel panel][key units][12]: the transposed matrix as the left side.
template <class Kind>
TRIREME_TILE void pack_channels(const typename Kind::Scalar* rows, std::int64_t stride, const Channels& channels,
                                std::int64_t tokens, std::uint32_t* out) {
  const std::int64_t units = units_of<Kind>(tokens);
  for (std::int64_t panel = 0; panel < channels.panels; ++panel)
    pack<Kind, kRows>(rows + channels.begin(panel), stride, false, channels.begin(panel + 1) - channels.begin(panel),
                      tokens, out + panel * units * kRows);
}

// Lanes of the first and second vector whose query sees this key.
TRIREME_TILE void visible(std::int64_t key, std::int64_t first_query, __mmask16& low, __mmask16& high) {
  const std::int64_t hidden = key - first_query;
  low = static_cast<__mmask16>(~lanes_below(hidden));
  high = static_cast<__mmask16>(~lanes_below(hidden - 16));
}

// [channel][32 queries] float32, times a factor a query, into rows of tokens.
template <class Scalar>
TRIREME_TILE void store_transposed(const float* from, std::int64_t width, __m512 low, __m512 high, std::int64_t queries,
                                   Scalar* rows, std::int64_t stride) {
  for (int half = 0; half < 2; ++half)
    for (std::int64_t channel = 0; channel < width; channel += 16) {
      __m512i r[16];
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i)
        r[i] = channel + i < width
                   ? _mm512_castps_si512(
                         _mm512_mul_ps(_mm512_loadu_ps(from + (channel + i) * kQueries + half * 16), half ? high : low))
                   : _mm512_setzero_si512();
      transpose16(r);
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i)
        if (half * 16 + i < queries)
          store16(rows + (half * 16 + i) * stride + channel, lanes_below(width - channel), _mm512_castsi512_ps(r[i]));
    }
}

// visit(first, queries): the panels of a sequence.
template <class Visit>
TRIREME_TILE void for_query_panels(std::int64_t tokens, const Visit& visit) {
  for (std::int64_t first = 0; first < tokens; first += kQueries)
    visit(first, std::min<std::int64_t>(kQueries, tokens - first));
}

// Forward of one key head of one sequence after the other, for all query heads that read it.
template <class Kind>
class Forward {
  using Scalar = typename Kind::Scalar;

 public:
  Forward(std::int64_t tokens, std::int64_t width)
      : tokens_(tokens),
        channels_(width),
        depth_units_(units_of<Kind>(width)),
        token_units_(units_of<Kind>(tokens)),
        arena_(LeftRows<Kind>::bytes(tokens, width) +
               Arena::bytes<std::uint32_t>(channels_.panels * kRows * token_units_) +
               Arena::bytes<std::uint32_t>(kQueries * depth_units_) + 2 * Arena::bytes<float>(kQueries * (tokens + 1)) +
               Arena::bytes<float>(kQueries * width)),
        keys_(arena_, tokens, width),
        values_(arena_.template take<std::uint32_t>(channels_.panels * kRows * token_units_)),
        queries_(arena_.template take<std::uint32_t>(kQueries * depth_units_)),
        scores_(arena_.template take<float>(kQueries * (tokens + 1))),
        probabilities_(arena_.template take<std::uint32_t>(kQueries * (tokens + 1))),
        mixed_(arena_.template take<float>(kQueries * width)) {}

  /// @param tokens  of this sequence, at most those that there is room for
  void read(Rows<const Scalar> k, Rows<const Scalar> v, std::int64_t tokens) {
    tokens_ = tokens;
    token_units_ = units_of<Kind>(tokens);
    keys_.read(k, tokens);
    pack_channels<Kind>(v.data, v.stride, channels_, tokens_, values_);
  }

  void run(Rows<const Scalar> q, Rows<Scalar> out, float* logsumexp) {
    for_query_panels(tokens_, [&](std::int64_t first, std::int64_t queries) {
      run_panel(q.data + first * q.stride, q.stride, first, queries, out.data + first * out.stride, out.stride,
                logsumexp + first);
    });
  }

 private:
  void run_panel(const Scalar* q, std::int64_t q_stride, std::int64_t first, std::int64_t queries, Scalar* out,
                 std::int64_t out_stride, float* logsumexp) {
    const std::int64_t width = channels_.width, keys = first + queries;
    pack<Kind, kQueries>(q, q_stride, true, queries, width, queries_);
    const __m512 scale = _mm512_set1_ps(1.0F / std::sqrt(static_cast<float>(width)));
    const __m512 none = _mm512_set1_ps(-INFINITY);
    __m512 top0 = none, top1 = none;
    for (std::int64_t key = 0; key < keys; key += kRows)
      for_tile<Kind>(keys_.from(key), queries_, depth_units_,
                     static_cast<int>(std::min<std::int64_t>(kRows, keys - key)),
                     [&](int row, __m512 x, __m512 y) __attribute__((always_inline)) {
                       __mmask16 low, high;
                       visible(key + row, first, low, high);
                       x = _mm512_mask_mul_ps(none, low, x, scale);
                       y = _mm512_mask_mul_ps(none, high, y, scale);
                       top0 = _mm512_max_ps(top0, x);
                       top1 = _mm512_max_ps(top1, y);
                       _mm512_storeu_ps(scores_ + (key + row) * kQueries, x);
                       _mm512_storeu_ps(scores_ + (key + row) * kQueries + 16, y);
                     });
    // Every query sees itself at least, so the maxima are numbers.
    __m512 sum0 = _mm512_setzero_ps(), sum1 = sum0;
    if (keys % Kind::kDepth != 0) {  // a pair's second key that is not there
      _mm512_storeu_ps(scores_ + keys * kQueries, none);
      _mm512_storeu_ps(scores_ + keys * kQueries + 16, none);
    }
    for (std::int64_t key = 0; key < keys; key += Kind::kDepth) {
      __m512 x[Kind::kDepth], y[Kind::kDepth];
      for (int i = 0; i < Kind::kDepth; ++i) {
        x[i] = exponential16(_mm512_sub_ps(_mm512_loadu_ps(scores_ + (key + i) * kQueries), top0));
        y[i] = exponential16(_mm512_sub_ps(_mm512_loadu_ps(scores_ + (key + i) * kQueries + 16), top1));
        sum0 = _mm512_add_ps(sum0, x[i]);
        sum1 = _mm512_add_ps(sum1, y[i]);
      }
      std::uint32_t* to = probabilities_ + key / Kind::kDepth * kQueries;
      _mm512_storeu_si512(to, Kind::unit(x));
      _mm512_storeu_si512(to + 16, Kind::unit(y));
    }
    for (std::int64_t panel = 0; panel < channels_.panels; ++panel) {
      float* to = mixed_ + channels_.begin(panel) * kQueries;
      for_tile<Kind>(PackedRows{values_ + panel * token_units_ * kRows}, probabilities_, units_of<Kind>(keys),
                     static_cast<int>(channels_.begin(panel + 1) - channels_.begin(panel)),
                     [&](int row, __m512 x, __m512 y) __attribute__((always_inline)) {
                       _mm512_storeu_ps(to + row * kQueries, x);
                       _mm512_storeu_ps(to + row * kQueries + 16, y);
                     });
    }
    const __m512 one = _mm512_set1_ps(1.0F);
    store_transposed(mixed_, width, _mm512_div_ps(one, sum0), _mm512_div_ps(one, sum1), queries, out, out_stride);
    alignas(64) float top[kQueries], sum[kQueries];
    _mm512_store_ps(top, top0), _mm512_store_ps(top + 16, top1);
    _mm512_store_ps(sum, sum0), _mm512_store_ps(sum + 16, sum1);
    for (std::int64_t i = 0; i < queries; ++i) logsumexp[i] = top[i] + std::log(sum[i]);
  }

  std::int64_t tokens_;
  Channels channels_;
  std::int64_t depth_units_, token_units_;
  Arena arena_;
  LeftRows<Kind> keys_;
  std::uint32_t *values_, *queries_;
  float* scores_;
  std::uint32_t* probabilities_;
  float* mixed_;
};

template <class Kind>
class Backward {
  using Scalar = typename Kind::Scalar;

 public:
  Backward(std::int64_t tokens, std::int64_t width)
      : tokens_(tokens),
        channels_(width),
        depth_units_(units_of<Kind>(width)),
        token_units_(units_of<Kind>(tokens)),
        blocks_((width + kColumns - 1) / kColumns),
        arena_(2 * LeftRows<Kind>::bytes(tokens, width) +
               Arena::bytes<std::uint32_t>(channels_.panels * kRows * token_units_) +
               2 * Arena::bytes<std::uint32_t>(kQueries * depth_units_) +
               2 * Arena::bytes<std::uint32_t>(blocks_ * kColumns * kQueryUnits) +
               2 * Arena::bytes<Scalar>(kQueries * (tokens + 1)) +
               Arena::bytes<std::uint32_t>(kQueries * token_units_) + Arena::bytes<float>(kQueries * width) +
               2 * Arena::bytes<float>(tokens * blocks_ * kColumns) + Arena::bytes<float>((2 + kRows) * kQueries + 1)),
        keys_(arena_, tokens, width),
        values_(arena_, tokens, width),
        key_channels_(arena_.template take<std::uint32_t>(channels_.panels * kRows * token_units_)),
        queries_(arena_.template take<std::uint32_t>(kQueries * depth_units_)),
        outer_(arena_.template take<std::uint32_t>(kQueries * depth_units_)),
        query_rows_(arena_.template take<std::uint32_t>(blocks_ * kColumns * kQueryUnits)),
        outer_rows_(arena_.template take<std::uint32_t>(blocks_ * kColumns * kQueryUnits)),
        probabilities_(arena_.template take<Scalar>(kQueries * (tokens + 1))),
        slopes_(arena_.template take<Scalar>(kQueries * (tokens + 1))),
        right_slopes_(arena_.template take<std::uint32_t>(kQueries * token_units_)),
        mixed_(arena_.template take<float>(kQueries * width)),
        key_gradients_(arena_.template take<float>(tokens * blocks_ * kColumns)),
        value_gradients_(arena_.template take<float>(tokens * blocks_ * kColumns)),
        top_(arena_.template take<float>((2 + kRows) * kQueries + 1)),
        weighed_(top_ + kQueries),
        held_(weighed_ + kQueries),
        scale_(held_ + kRows * kQueries) {
    *scale_ = 1.0F / std::sqrt(static_cast<float>(width));
  }

  void read(Rows<const Scalar> k, Rows<const Scalar> v, std::int64_t tokens) {
    tokens_ = tokens;
    token_units_ = units_of<Kind>(tokens);
    keys_.read(k, tokens);
    values_.read(v, tokens);
    pack_channels<Kind>(k.data, k.stride, channels_, tokens_, key_channels_);
    std::fill_n(key_gradients_, tokens_ * blocks_ * kColumns, 0.0F);
    std::fill_n(value_gradients_, tokens_ * blocks_ * kColumns, 0.0F);
  }

  void run(Rows<const Scalar> q, Rows<const Scalar> gradient, Rows<const Scalar> out, const float* logsumexp,
           Rows<Scalar> q_gradient) {
    for_query_panels(tokens_, [&](std::int64_t first, std::int64_t queries) {
      run_panel(q.data + first * q.stride, q.stride, gradient.data + first * gradient.stride, gradient.stride,
                out.data + first * out.stride, out.stride, logsumexp + first, first, queries,
                q_gradient.data + first * q_gradient.stride, q_gradient.stride);
    });
  }

  /// The sums over all query heads.
  void write(Rows<Scalar> k_gradient, Rows<Scalar> v_gradient) const {
    for (std::int64_t token = 0; token < tokens_; ++token)
      for (std::int64_t channel = 0; channel < channels_.width; channel += 16) {
        const __mmask16 lanes = lanes_below(channels_.width - channel);
        const std::int64_t at = token * blocks_ * kColumns + channel;
        store16(k_gradient.data + token * k_gradient.stride + channel, lanes, _mm512_loadu_ps(key_gradients_ + at));
        store16(v_gradient.data + token * v_gradient.stride + channel, lanes, _mm512_loadu_ps(value_gradients_ + at));
      }
  }

 private:
  static constexpr int kQueryUnits = kQueries / Kind::kDepth;

  void run_panel(const Scalar* q, std::int64_t q_stride, const Scalar* gradient, std::int64_t gradient_stride,
                 const Scalar* out, std::int64_t out_stride, const float* logsumexp, std::int64_t first,
                 std::int64_t queries, Scalar* q_gradient, std::int64_t q_gradient_stride) {
    const std::int64_t width = channels_.width, keys = first + queries, query_units = units_of<Kind>(queries);
    pack<Kind, kQueries>(q, q_stride, true, queries, width, queries_);
    pack<Kind, kQueries>(gradient, gradient_stride, true, queries, width, outer_);
    pack<Kind, kColumns>(q, q_stride, false, width, queries, query_rows_);
    pack<Kind, kColumns>(gradient, gradient_stride, false, width, queries, outer_rows_);
    // Of each query: the sum of what its probabilities' gradients weigh, and its scores' logarithm of a sum. A lane
    // without a query has probabilities of zero.
    std::fill_n(weighed_, kQueries, 0.0F);
    std::fill_n(top_, kQueries, INFINITY);
    for (std::int64_t i = 0; i < queries; ++i) {
      __m512 sum = _mm512_setzero_ps();
      for (std::int64_t channel = 0; channel < width; channel += 16) {
        const __mmask16 lanes = lanes_below(width - channel);
        sum = _mm512_fmadd_ps(load16(gradient + i * gradient_stride + channel, lanes),
                              load16(out + i * out_stride + channel, lanes), sum);
      }
      weighed_[i] = _mm512_reduce_add_ps(sum);
      top_[i] = logsumexp[i];
    }
    for (std::int64_t key = 0; key < keys; key += kRows) {
      const int rows = static_cast<int>(std::min<std::int64_t>(kRows, keys - key));
      for_tile<Kind>(keys_.from(key), queries_, depth_units_, rows,
                     [&](int row, __m512 x, __m512 y) __attribute__((always_inline)) {
                       __mmask16 low, high;
                       visible(key + row, first, low, high);
                       const __m512 scale = _mm512_set1_ps(*scale_);
                       x = exponential16(_mm512_fmsub_ps(x, scale, _mm512_load_ps(top_)));
                       y = exponential16(_mm512_fmsub_ps(y, scale, _mm512_load_ps(top_ + 16)));
                       x = _mm512_maskz_mov_ps(low, x);
                       y = _mm512_maskz_mov_ps(high, y);
                       _mm512_store_ps(held_ + row * kQueries, x);
                       _mm512_store_ps(held_ + row * kQueries + 16, y);
                       store16(probabilities_ + (key + row) * kQueries, 0xFFFF, x);
                       store16(probabilities_ + (key + row) * kQueries + 16, 0xFFFF, y);
                     });
      for_tile<Kind>(values_.from(key), outer_, depth_units_, rows,
                     [&](int row, __m512 x, __m512 y) __attribute__((always_inline)) {
                       const __m512 scale = _mm512_set1_ps(*scale_);
                       const float* held = held_ + row * kQueries;
                       x = _mm512_mul_ps(_mm512_load_ps(held), _mm512_sub_ps(x, _mm512_load_ps(weighed_)));
                       y = _mm512_mul_ps(_mm512_load_ps(held + 16), _mm512_sub_ps(y, _mm512_load_ps(weighed_ + 16)));
                       x = _mm512_mul_ps(x, scale);
                       y = _mm512_mul_ps(y, scale);
                       store16(slopes_ + (key + row) * kQueries, 0xFFFF, x);
                       store16(slopes_ + (key + row) * kQueries + 16, 0xFFFF, y);
                     });
    }
    const std::uint32_t* right_slopes = right_side(keys);
    for (std::int64_t key = 0; key < keys; key += kRows) {
      const int rows = static_cast<int>(std::min<std::int64_t>(kRows, keys - key));
      for (std::int64_t block = 0; block < blocks_; ++block) {
        const std::int64_t at = key * blocks_ * kColumns + block * kColumns;
        add_tile(probabilities_ + key * kQueries, outer_rows_ + block * kColumns * query_units, query_units, rows,
                 value_gradients_ + at);
        add_tile(slopes_ + key * kQueries, query_rows_ + block * kColumns * query_units, query_units, rows,
                 key_gradients_ + at);
      }
    }
    for (std::int64_t panel = 0; panel < channels_.panels; ++panel) {
      float* to = mixed_ + channels_.begin(panel) * kQueries;
      for_tile<Kind>(PackedRows{key_channels_ + panel * token_units_ * kRows}, right_slopes, units_of<Kind>(keys),
                     static_cast<int>(channels_.begin(panel + 1) - channels_.begin(panel)),
                     [&](int row, __m512 x, __m512 y) __attribute__((always_inline)) {
                       _mm512_storeu_ps(to + row * kQueries, x);
                       _mm512_storeu_ps(to + row * kQueries + 16, y);
                     });
    }
    const __m512 one = _mm512_set1_ps(1.0F);
    store_transposed(mixed_, width, one, one, queries, q_gradient, q_gradient_stride);
  }

  // Slopes as the right side of products: float32 lies so already.
  const std::uint32_t* right_side(std::int64_t keys) const {
    if constexpr (Kind::kDepth == 1) {
      return reinterpret_cast<const std::uint32_t*>(slopes_);
    } else {
      pack<Kind, kQueries>(slopes_, kQueries, false, kQueries, keys, right_slopes_);
      return right_slopes_;
    }
  }

  void add_tile(const Scalar* left_rows, const std::uint32_t* right, std::int64_t units, int rows, float* sums) const {
    const std::int64_t stride = blocks_ * kColumns;
    for_tile<Kind>(RowsInPlace{left_rows, kQueries * sizeof(Scalar)}, right, units, rows,
                   [&](int row, __m512 x, __m512 y) __attribute__((always_inline)) {
                     float* at = sums + row * stride;
                     _mm512_storeu_ps(at, _mm512_add_ps(_mm512_loadu_ps(at), x));
                     _mm512_storeu_ps(at + 16, _mm512_add_ps(_mm512_loadu_ps(at + 16), y));
                   });
  }

  std::int64_t tokens_;
  Channels channels_;
  std::int64_t depth_units_, token_units_, blocks_;
  Arena arena_;
  LeftRows<Kind> keys_, values_;
  std::uint32_t *key_channels_, *queries_, *outer_, *query_rows_, *outer_rows_;
  Scalar *probabilities_, *slopes_;
  std::uint32_t* right_slopes_;
  float *mixed_, *key_gradients_, *value_gradients_;
  // In memory, so that no register holds them while a tile is summed up (for_tile).
  float *top_, *weighed_;  // of each query of a panel
  float* held_;            // one tile's probabilities, not rounded
  float* scale_;
};

}  // namespace
}  // namespace avx512
TRIREME_AVX512_END

namespace {

template <class Visit>
void with_kind(const at::Tensor& x, Visit visit) {
  if (x.scalar_type() == at::kFloat)
    visit(avx512::Float32{});
  else
    visit(avx512::Bfloat16{});
}

}  // namespace

bool has_fused_attention(const at::Tensor& q_bthd) { return has_matrix_kernels(q_bthd.scalar_type()); }

std::pair<at::Tensor, at::Tensor> fused_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                                  const Documents* documents) {
  const std::int64_t batch = q.size(0), tokens = q.size(1), heads = q.size(2), width = q.size(3), kv_heads = k.size(2);
  const Sequences sequences(q, documents);
  at::Tensor out = at::empty({batch, tokens, heads, width}, q.options());
  at::Tensor logsumexp = at::empty({batch, heads, tokens}, at::kFloat);
  with_kind(q, [&]<class Kind>(Kind) {
    using Scalar = typename Kind::Scalar;
    at::parallel_for(0, sequences.count() * kv_heads, 1, [&](std::int64_t first, std::int64_t last) {
      avx512::Forward<Kind> head(sequences.longest(), width);
      for (std::int64_t i = first; i < last; ++i) {
        const Sequence of = sequences[i / kv_heads];
        const std::int64_t kv = i % kv_heads;
        head.read(rows_of<Scalar>(k, of, kv), rows_of<Scalar>(v, of, kv), of.tokens);
        for (std::int64_t h = kv * heads / kv_heads; h < (kv + 1) * heads / kv_heads; ++h)
          head.run(rows_of<Scalar>(q, of, h), writable_rows_of<Scalar>(out, of, h),
                   logsumexp.mutable_data_ptr<float>() + (of.batch * heads + h) * tokens + of.begin);
      }
    });
  });
  return {out, logsumexp};
}

void fused_attention_backward(const at::Tensor& gradient, const at::Tensor& out, const at::Tensor& logsumexp,
                              const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                              const at::Tensor& q_gradient, const at::Tensor& k_gradient, const at::Tensor& v_gradient,
                              const Documents* documents) {
  const std::int64_t tokens = q.size(1), heads = q.size(2), width = q.size(3), kv_heads = k.size(2);
  const Sequences sequences(q, documents);
  with_kind(q, [&]<class Kind>(Kind) {
    using Scalar = typename Kind::Scalar;
    at::parallel_for(0, sequences.count() * kv_heads, 1, [&](std::int64_t first, std::int64_t last) {
      avx512::Backward<Kind> head(sequences.longest(), width);
      for (std::int64_t i = first; i < last; ++i) {
        const Sequence of = sequences[i / kv_heads];
        const std::int64_t kv = i % kv_heads;
        head.read(rows_of<Scalar>(k, of, kv), rows_of<Scalar>(v, of, kv), of.tokens);
        for (std::int64_t h = kv * heads / kv_heads; h < (kv + 1) * heads / kv_heads; ++h)
          head.run(rows_of<Scalar>(q, of, h), rows_of<Scalar>(gradient, of, h), rows_of<Scalar>(out, of, h),
                   logsumexp.const_data_ptr<float>() + (of.batch * heads + h) * tokens + of.begin,
                   writable_rows_of<Scalar>(q_gradient, of, h));
        head.write(writable_rows_of<Scalar>(k_gradient, of, kv), writable_rows_of<Scalar>(v_gradient, of, kv));
      }
    });
  });
}

}  // namespace trireme::models
