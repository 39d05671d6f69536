// Stands in for libFuzzer where no fuzzer is built: gives each file of the folders named as arguments to the target.
#include <algorithm>
#include <filesystem>
#include <vector>

#include "core/base/files.h"
#include "tests/fuzz/fuzz.h"

int main(int argc, char** argv) {
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < argc; ++i)
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) files.push_back(entry.path());
  trireme::fuzz::tell_refusals = true;
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    std::fprintf(stderr, "%s\n", file.c_str());  // before it may crash
    const std::string bytes = trireme::read_file(file);
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  }
  if (files.empty()) {
    std::fprintf(stderr, "nothing to replay: name folders that hold inputs\n");
    return 1;
  }
  return 0;
}
