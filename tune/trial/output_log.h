#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "core/base/descriptor.h"

namespace trireme::tune {

/// One stream of a command's output: all of it goes to the end of a file, its newest bytes stay in memory.
class OutputLog {
 public:
  /// @param header  a line of its own that is written first: attempts follow one another in a file
  /// @throws Error kIo, kNotFound
  OutputLog(const std::filesystem::path& path, const std::string& header);

  /// From now on `pipe` is where output comes from.
  void follow(Descriptor pipe) { pipe_ = std::move(pipe); }
  /// For poll(2); -1 behind the end.
  int descriptor() const { return pipe_.get(); }

  /// Takes what is there, up to a limit, so that a command that writes without end does not keep us from all else.
  /// @param look  sees the bytes too
  /// Where the file takes no more (the disk is full) a warning says so, once, and from then on what comes is only seen.
  /// @returns whether there was any
  bool take(const std::function<void(std::string_view)>& look);

  /// The last line that is not blank, on one line of at most so many characters.
  std::string last_line(std::size_t limit) const;

 private:
  // @returns 0, or errno of what the file did not take
  int write(std::string_view bytes);

  std::filesystem::path path_;
  Descriptor file_, pipe_{-1};
  std::string tail_;
};

}  // namespace trireme::tune
