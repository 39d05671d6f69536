#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace trireme::data {

/// Which documents share a row of tokens, so that little of it stays empty: the longest first, each into the row that
/// it fills best. A pure function of lengths: every rank and every start finds the same rows. Source: best fit
/// decreasing, Johnson 1974, doi:10.1137/0203025; for training, Ding et al. 2024, arXiv:2404.10830.
class Packing {
 public:
  /// @param lengths  of the documents, each at least 1 and at most `row`
  Packing(std::span<const std::int64_t> lengths, std::int64_t row);

  std::int64_t rows() const { return static_cast<std::int64_t>(begins_.size()) - 1; }
  /// Documents of a row, by number, in ascending order.
  std::span<const std::int64_t> documents(std::int64_t row) const {
    const auto begin = begins_[static_cast<std::size_t>(row)], end = begins_[static_cast<std::size_t>(row) + 1];
    return std::span(documents_).subspan(begin, end - begin);
  }

 private:
  std::vector<std::int64_t> documents_;
  std::vector<std::size_t> begins_ = {0};
};

}  // namespace trireme::data
