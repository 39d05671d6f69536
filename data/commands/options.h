#pragma once
#include <cstdint>
#include <functional>

#include "core/config/field.h"

namespace trireme::data {

// What commands that read text have in common: words of their help, allowed values, and how they end.

inline constexpr const char* kInputHelp =
    "files of text or .jsonl, either also packed (.zst); directories; patterns like 'texts/**/*.txt'; - is standard "
    "input";
inline constexpr const char* kTextFieldHelp = "member of a JSON line that holds its text";
inline constexpr const char* kStdinHelp = "what standard input holds, as the end of a file's name would say it";
inline constexpr const char* kThreadsHelp = "0: all cores; the result does not depend on it";
inline constexpr Allowed kStdinFormats = OneOf("txt", "jsonl", "txt.zst", "jsonl.zst");
inline constexpr Allowed kThreads = Range(0, 1024);

/// Threads for what `threads` says.
int threads_of(std::int64_t asked_for);

/// Runs work that a signal ends without a result. It cannot be resumed, so the exit status is then never 75 ("start
/// again to go on"), but that of the signal.
int unless_stopped(const std::function<void()>& work);

}  // namespace trireme::data
