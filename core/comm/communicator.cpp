#include "core/comm/communicator.h"

#include <algorithm>

#include "core/base/error.h"

namespace trireme {

std::vector<std::string> Communicator::all_gather_text(const std::string& mine) {
  // Far above any text that ranks exchange; a length beyond it is a rank that runs other code or is out of step.
  constexpr std::uint64_t kLongest = std::uint64_t{1} << 30;
  if (mine.size() > kLongest)
    throw Error(ErrorCode::kBug, "a text of ", mine.size(), " bytes cannot be gathered; at most ", kLongest, " fit");

  const auto ranks = static_cast<std::size_t>(size());
  const std::uint64_t my_length = mine.size();
  std::vector<std::uint64_t> lengths(ranks);
  all_gather(&my_length, sizeof my_length, lengths.data(), kControl);

  std::uint64_t longest = 0;
  for (std::size_t r = 0; r < ranks; ++r) {
    if (lengths[r] > kLongest)
      throw Error(ErrorCode::kBug, "rank ", r, " announced a text of ", lengths[r], " bytes; at most ", kLongest,
                  " are allowed: ranks are out of step");
    longest = std::max(longest, lengths[r]);
  }

  // Padded to the longest: texts here are short, and equal shares need one call.
  std::string padded = mine;
  padded.resize(longest);
  std::string all(longest * ranks, '\0');
  if (longest > 0) all_gather(padded.data(), longest, all.data(), kControl);

  std::vector<std::string> texts(ranks);
  for (std::size_t r = 0; r < ranks; ++r) texts[r] = all.substr(r * longest, lengths[r]);
  return texts;
}

}  // namespace trireme
