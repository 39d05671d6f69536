// manifest.json of a checkpoint: what is accepted is written again byte for byte the same, whatever order and white
// space it came in.
#include "models/checkpoint/manifest.h"
#include "tests/fuzz/fuzz.h"

using trireme::models::Manifest;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text = trireme::fuzz::sealed({reinterpret_cast<const char*>(data), size}, 15);
  Manifest manifest;
  if (!trireme::fuzz::accepts([&] { manifest = Manifest::parse(text, "manifest.json"); })) return 0;
  const std::string written = manifest.to_text();
  std::string again;
  const bool accepted = trireme::fuzz::accepts([&] { again = Manifest::parse(written, "manifest.json").to_text(); });
  trireme::fuzz::require(accepted, "what is written is accepted", written);
  trireme::fuzz::require(again == written, "a manifest that is written and read is the same", again);
  return 0;
}
