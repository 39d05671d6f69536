#include "models/kernels/kept.h"

#include <ATen/ops/zeros.h>

namespace trireme::models {

void Kept::drop_last() {
  if (results_.empty()) return;
  for (at::Tensor& tensor : results_.back()) tensor = at::zeros({}, tensor.options()).expand(tensor.sizes());
}

void Kept::end_replay() const {
  if (next_ != results_.size())
    throw Error(ErrorCode::kBug, "a replay took ", next_, " of ", results_.size(), " results that were kept");
}

std::vector<at::Tensor> Kept::take() {
  if (next_ == results_.size()) throw Error(ErrorCode::kBug, "a replay asks for more results than were kept");
  return std::move(results_[next_++]);
}

}  // namespace trireme::models
