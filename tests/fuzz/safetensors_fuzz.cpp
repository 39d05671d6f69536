// A safetensors file: what is accepted tiles its bytes, and written again is read as the same.
#include "core/base/error.h"
#include "models/safetensors/safetensors_writer.h"
#include "tests/fuzz/fuzz.h"

using namespace trireme::models;
using trireme::fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // The header's length is made right, which no fuzzer would guess; the first byte says how many bytes of tensors
  // follow.
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  const std::size_t behind = std::min<std::size_t>(static_cast<unsigned char>(input[0]), input.size() - 1);
  const std::string_view text = input.substr(1, input.size() - 1 - behind);
  std::string file(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) file[i] = static_cast<char>(text.size() >> (8 * i));
  file += text;
  const std::uint64_t file_bytes = file.size() + behind;

  SafetensorsHeader header;
  if (!trireme::fuzz::accepts([&] { header = parse_safetensors_header(file, file_bytes, "x"); })) return 0;
  std::uint64_t at = 0;
  for (const SafetensorsEntry& entry : header.entries) {
    require(entry.begin == at && entry.end >= at, "tensors follow each other", entry.name);
    at = entry.end;
  }
  require(header.bytes + at == file_bytes, "tensors fill the file");

  std::vector<SafetensorsEntry> entries = header.entries;
  const std::string written = safetensors_header_text(entries, header.metadata);
  SafetensorsHeader again;
  require(trireme::fuzz::accepts([&] { again = parse_safetensors_header(written, written.size() + at, "x"); }),
          "what is written is accepted", written);
  require(again.metadata == header.metadata && again.entries.size() == header.entries.size(), "nothing is lost",
          written);
  for (std::size_t i = 0; i < entries.size(); ++i)
    require(again.entries[i].begin == header.entries[i].begin && again.entries[i].end == header.entries[i].end &&
                dtype_of(again.entries[i]) == dtype_of(header.entries[i]) &&
                again.entries[i].shape == header.entries[i].shape,
            "a tensor that is written and read is the same", written);
  return 0;
}
