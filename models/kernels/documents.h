#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace trireme::models {

/// Documents that share rows of tokens [B, T] (packing): each sees itself alone, and its positions start at 0. Rows are
/// laid end to end, so that all of it is one row of N = B * T tokens; every token belongs to a document.
class Documents {
 public:
  /// @param lengths  in tokens, in order; none is longer than its row has room for
  /// @throws Error kBug  they do not fill rows of `row` tokens
  Documents(const std::vector<std::int64_t>& lengths, std::int64_t row);

  std::int64_t count() const { return static_cast<std::int64_t>(begins_.size()) - 1; }
  /// Its first token; behind the last document: N.
  std::int64_t begin(std::int64_t document) const { return begins_[static_cast<std::size_t>(document)]; }
  std::int64_t length(std::int64_t document) const { return begin(document + 1) - begin(document); }
  std::int64_t tokens() const { return begins_.back(); }
  std::int64_t longest() const { return longest_; }
  /// Of each token within its document, [N] int64.
  const at::Tensor& positions() const { return positions_n_; }

 private:
  std::vector<std::int64_t> begins_;
  std::int64_t longest_ = 0;
  at::Tensor positions_n_;
};

/// Null: every row is one document.
using DocumentsPointer = std::shared_ptr<const Documents>;

}  // namespace trireme::models
