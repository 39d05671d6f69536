#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/base/random.h"
#include "models/kernels/row_kernels.h"
#include "models/kernels/vector_math.h"

namespace trireme::models {

/// What the masks of one micro-batch depend on beside the places that they are for.
struct DropoutKey {
  std::uint64_t seed = 0;         ///< of the run
  std::int64_t step = 0;          ///< counts from 0
  std::int64_t first_sample = 0;  ///< the micro-batch's first sequence, as the step's global batch counts them
};

/// Which elements dropout keeps at one site: a pure function of seed, step and the site's name, and of where an element
/// stands: sample of the global batch, head, token, channel. So masks depend neither on ranks nor on how a batch is cut
/// into micro-batches, are made again in backward and in a replay, and are nowhere stored.
///
/// Source: Srivastava et al. 2014, "Dropout", JMLR 15; what is kept is divided by 1 - rate, so that serving needs
/// nothing.
class DropoutMask {
 public:
  /// @param site  names the place in the model: "blocks.0.attention"
  DropoutMask(const DropoutKey& key, std::string_view site, double rate);

  struct Row {
    std::int64_t sample = 0;  ///< of the micro-batch
    std::int64_t head = 0, token = 0;
  };

  /// y = x / (1 - rate) where the mask keeps the channel, else 0, for a row of `width` channels. y may be x.
  /// @param scratch  memory, kept from row to row
  /// @param first    number of x's first channel in the row
  template <class T>
  void apply(const Row& row, const T* x, std::int64_t width, T* y, std::vector<std::uint32_t>& scratch,
             std::int64_t first = 0) const {
    draw(row, first + width, scratch);
    dropout_row(x, scratch.data() + first, threshold_, static_cast<math_t<T>>(scale_), width, y);
  }

 private:
  void draw(const Row& row, std::int64_t width, std::vector<std::uint32_t>& words) const;

  RandomStream stream_;
  std::int64_t first_sample_;
  std::uint32_t threshold_;  // words below it drop their element
  double scale_;
};

}  // namespace trireme::models
