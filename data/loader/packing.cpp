#include "data/loader/packing.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "core/base/error.h"

namespace trireme::data {

Packing::Packing(std::span<const std::int64_t> lengths, std::int64_t row) {
  std::vector<std::int64_t> order(lengths.size());
  std::iota(order.begin(), order.end(), 0);
  const auto length = [&](std::int64_t document) { return lengths[static_cast<std::size_t>(document)]; };
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) { return length(a) > length(b); });
  std::vector<std::vector<std::int64_t>> rows;
  std::map<std::int64_t, std::vector<std::size_t>> with_room;  // rows by how much they have left; none with nothing
  for (const std::int64_t document : order) {
    if (length(document) < 1 || length(document) > row)
      throw Error(ErrorCode::kBug, "a document of ", length(document), " tokens for rows of ", row);
    std::int64_t room = row;
    std::size_t into = rows.size();
    if (const auto found = with_room.lower_bound(length(document)); found != with_room.end()) {
      room = found->first;
      into = found->second.back();
      found->second.pop_back();
      if (found->second.empty()) with_room.erase(found);
    } else {
      rows.emplace_back();
    }
    rows[into].push_back(document);
    if (room > length(document)) with_room[room - length(document)].push_back(into);
  }
  documents_.reserve(lengths.size());
  for (std::vector<std::int64_t>& those : rows) {
    std::sort(those.begin(), those.end());
    documents_.insert(documents_.end(), those.begin(), those.end());
    begins_.push_back(documents_.size());
  }
}

}  // namespace trireme::data
