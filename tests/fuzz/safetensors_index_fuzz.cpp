// model.safetensors.index.json: what is accepted names plain files, and written again is read as the same.
#include "models/safetensors/safetensors_folder.h"
#include "tests/fuzz/fuzz.h"

using namespace trireme::models;
using trireme::fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  std::map<std::string, std::string> places, again;
  if (!trireme::fuzz::accepts([&] { places = parse_safetensors_index(text, "x"); })) return 0;
  for (const auto& [tensor, file] : places)
    require(std::filesystem::path(file).filename() == file && file != "..", "a file lies in the directory", file);
  const std::string written = safetensors_index_text(places, 1);
  require(trireme::fuzz::accepts([&] { again = parse_safetensors_index(written, "x"); }), "what is written is accepted",
          written);
  require(again == places, "an index that is written and read is the same", written);
  return 0;
}
