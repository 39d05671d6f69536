#pragma once
#include <filesystem>

namespace trireme::train {

/// Shows a run on the terminal and renews what it shows as its log grows, until q, Ctrl-C or Ctrl-D is pressed or a
/// stop is asked for; then the terminal is as before. Where stdout is no terminal, what would be shown is printed once.
/// @throws Error kNotFound when it is no run, kIo
void watch(const std::filesystem::path& run);

}  // namespace trireme::train
