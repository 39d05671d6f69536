#pragma once
#include <chrono>
#include <cstddef>
#include <string>

namespace trireme {

/// How far a long piece of work is, told to a person on stderr. A terminal gets one line with a bar, rewritten in place
/// and cut to its width; anything else gets a plain line every few seconds, without control characters. NO_COLOR takes
/// the colour away (no-color.org). One at a time, from one thread.
///
///     LiveLine line;
///     while (work()) if (line.due()) line.show(done / all, "12 of 30 files");
class LiveLine {
 public:
  LiveLine();
  /// What is shown stays.
  ~LiveLine();
  LiveLine(const LiveLine&) = delete;
  LiveLine& operator=(const LiveLine&) = delete;

  /// Whether it is time to show something: ten times a second on a terminal, every two seconds elsewhere. Costs a look
  /// at the clock.
  bool due() const;
  /// @param fraction  of the work that is done, 0 to 1; below 0 when nobody knows, then without a bar
  /// @param text      what matters most first: a narrow terminal cuts the end off
  void show(double fraction, const std::string& text);
  /// What is shown stays, and the next one goes on a line of its own.
  void keep();
  /// What is shown goes. A plain line cannot.
  void clear();
  /// A line that stays, in place of what is shown.
  void line(const std::string& text);

 private:
  using Clock = std::chrono::steady_clock;
  bool terminal_, colour_, shown_ = false;
  Clock::time_point last_ = Clock::now();
};

/// Whether a terminal may be given colours: NO_COLOR is not set, or empty.
bool wants_colour();
/// A bar of so many cells, a share of them filled.
std::string progress_bar(double fraction, std::size_t cells, bool colour);

}  // namespace trireme
