#include "core/comm/communicator.h"

#include <algorithm>

namespace trireme {

std::vector<std::string> Communicator::all_gather_text(const std::string& mine) {
  const auto ranks = static_cast<std::size_t>(size());
  const std::uint64_t length = mine.size();
  std::vector<std::uint64_t> lengths(ranks);
  all_gather(&length, sizeof length, lengths.data());
  const std::size_t longest = *std::max_element(lengths.begin(), lengths.end());
  std::vector<std::string> texts(ranks);
  if (longest == 0) return texts;
  std::string padded = mine, all(ranks * longest, '\0');
  padded.resize(longest);
  all_gather(padded.data(), longest, all.data());
  for (std::size_t rank = 0; rank < ranks; ++rank) texts[rank] = all.substr(rank * longest, lengths[rank]);
  return texts;
}

}  // namespace trireme
