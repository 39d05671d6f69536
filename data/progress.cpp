#include "data/progress.h"

#include <algorithm>

#include "core/base/text.h"

namespace trireme::data {

Progress::Progress(std::string what, std::uint64_t bytes_in_all)
    : what_(std::move(what)), bytes_in_all_(bytes_in_all) {}

Progress::~Progress() { live_.clear(); }

void Progress::update(std::uint64_t bytes_done) {
  if (!live_.due()) return;
  const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
  const double done = static_cast<double>(bytes_done), all = static_cast<double>(bytes_in_all_);
  std::string text = what_ + ": " + bytes_text(done);
  if (all > 0) text += " of " + bytes_text(all);
  text += ", " + bytes_text(done / seconds) + "/s";
  if (all > 0 && done > 0) text += ", " + duration_text(seconds * std::max(0.0, all - done) / done) + " left";
  live_.show(all > 0 ? done / all : -1, text);
}

}  // namespace trireme::data
