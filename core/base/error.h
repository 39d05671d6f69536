#pragma once
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace trireme {

/// Why something failed, as far as a caller would act differently on it.
enum class ErrorCode {
  kUsage,        ///< a wrong flag or config: exit status 2
  kBadInput,     ///< a file or request that does not fit
  kNotFound,     ///< a file, checkpoint or tensor that is not there
  kCorrupt,      ///< a checksum or structure that does not hold
  kIo,           ///< a read or write that failed
  kPeerLost,     ///< another rank is gone: exit status 75
  kTakenOver,    ///< another start has become the owner of the run
  kInterrupted,  ///< asked to stop, state is safe: exit status 75
  kOutOfMemory,
  kNumeric,  ///< a loss or gradient that is not finite
  kBug,
};

/// A message with control characters as escapes ("\n", "\x1b"): its parts come from files, names and flags, and neither
/// a second line nor an order to the terminal may come with them.
std::string on_one_line(std::string_view message);

/// The one exception type of Trireme. The message says what was wrong, the value seen, what is allowed and, where it is
/// known, what to do next; it is one line. Parts are streamed: `throw Error(ErrorCode::kIo, "cannot read ", path)`.
class Error : public std::runtime_error {
 public:
  template <class... Parts>
  explicit Error(ErrorCode code, const Parts&... parts)
      : std::runtime_error(on_one_line((std::ostringstream{} << ... << parts).view())), code_(code) {}

  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitResumable = 75;  ///< interrupted, state is safe: start again to go on (EX_TEMPFAIL)

/// The exit status that an error ends a program with.
constexpr int exit_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUsage:
      return kExitUsage;
    case ErrorCode::kPeerLost:
    case ErrorCode::kInterrupted:
      return kExitResumable;
    default:
      return kExitFailed;
  }
}

}  // namespace trireme
