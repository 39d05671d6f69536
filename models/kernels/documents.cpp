#include "models/kernels/documents.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <numeric>

#include "core/base/error.h"

namespace trireme::models {

Documents::Documents(const std::vector<std::int64_t>& lengths, std::int64_t row) : begins_{0} {
  for (const std::int64_t length : lengths) {
    const std::int64_t begin = begins_.back();
    if (length < 1 || row < 1 || begin % row + length > row)
      throw Error(ErrorCode::kBug, "a document of ", length, " tokens behind ", begin, ", in rows of ", row);
    begins_.push_back(begin + length);
    longest_ = std::max(longest_, length);
  }
  if (tokens() == 0 || tokens() % row != 0)
    throw Error(ErrorCode::kBug, "documents of ", tokens(), " tokens do not fill rows of ", row);
  positions_n_ = at::empty({tokens()}, at::kLong);
  auto* const positions = positions_n_.mutable_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < count(); ++i) std::iota(positions + begin(i), positions + begin(i + 1), 0);
}

}  // namespace trireme::models
