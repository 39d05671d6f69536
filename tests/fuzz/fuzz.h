#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/hash.h"

/// What the fuzz targets share. A target is a file X_fuzz.cpp with LLVMFuzzerTestOneInput: it gives bytes to a reader
/// and checks what must hold for any bytes. Under the preset `fuzz` libFuzzer makes the bytes up; in every other build
/// replay_main.cpp takes them from the files of corpus/X.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace trireme::fuzz {

/// Ends the process, which is how a fuzzer learns of a finding.
inline void require(bool holds, std::string_view what, std::string_view seen = "") {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %.*s\n%.*s\n", static_cast<int>(what.size()), what.data(),
               static_cast<int>(seen.size()), seen.data());
  std::abort();
}

/// Whether refusals are told on stderr: of millions a fuzzer should not.
inline bool tell_refusals = false;

/// Whether `read` takes its input. Refusing is right too, by an Error of one line that blames the input; any other
/// exception passes through and is a finding.
template <class Read>
bool accepts(Read&& read) {
  try {
    read();
    return true;
  } catch (const Error& error) {
    require(error.code() != ErrorCode::kBug, "input is not blamed on the program", error.what());
    require(std::string_view(error.what()).find('\n') == std::string_view::npos, "an error is one line", error.what());
    if (tell_refusals) std::fprintf(stderr, "  refused: %s\n", error.what());
    return false;
  }
}

/// The bytes up to the first NUL, and those behind it: two inputs in one file.
struct Halves {
  std::string_view first, second;
};
inline Halves halves(const std::uint8_t* data, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::size_t border = all.find('\0');
  if (border == std::string_view::npos) return {all, {}};
  return {all.substr(0, border), all.substr(border + 1)};
}

/// A text whose checksum of 32 hex digits at byte `at` is made right: over the text with zeros in its place, as
/// docs/formats/ has it for a checkpoint's manifest and a corpus's index. No fuzzer would guess it.
inline std::string sealed(std::string_view bytes, std::size_t at) {
  constexpr std::size_t kDigits = 32;
  std::string text(bytes);
  if (text.size() < at + kDigits) return text;
  text.replace(at, kDigits, kDigits, '0');
  return text.replace(at, kDigits, xxh3_128_hex(text));
}

}  // namespace trireme::fuzz
