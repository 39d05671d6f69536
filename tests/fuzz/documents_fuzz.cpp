// Texts as trireme-data reads them. The first byte says the format: bit 0 JSON lines, bit 1 packed by zstd. Documents
// of text are the text byte for byte; packing changes none.
#include <zstd.h>

#include <vector>

#include "core/base/text.h"
#include "data/corpus/documents.h"
#include "tests/fuzz/fuzz.h"

using namespace trireme::data;

namespace {

// A few bytes may unpack to gigabytes, which no reader holds at once but which takes time.
constexpr std::size_t kEnough = std::size_t{8} << 20;

struct Documents {
  std::vector<std::string> texts;
  bool whole = false;  // neither refused nor cut off

  bool operator==(const Documents&) const = default;
};

Documents read(InputFormat format, std::string_view bytes) {
  Documents found;
  std::size_t size = 0;
  trireme::fuzz::accepts([&] {
    DocumentReader reader({memory_input("input", format, bytes)});
    DocumentChunk chunk;
    while (size < kEnough && (found.whole = !reader.next(chunk)) == false) {
      chunk.for_each([&](std::string_view document) {
        size += document.size();
        found.texts.emplace_back(document);
      });
    }
  });
  return found;
}

std::string packed(std::string_view bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 1));
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const InputFormat format{.json_lines = (data[0] & 1) != 0, .zstd = (data[0] & 2) != 0};
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Documents documents = read(format, bytes);
  trireme::fuzz::require(documents == read(format, bytes), "the same bytes are the same documents");
  for (const std::string& text : documents.texts) {
    if (format.json_lines) {
      trireme::fuzz::require(trireme::is_utf8(text), "what JSON holds is UTF-8", text);
    } else {
      trireme::fuzz::require(!text.empty() && text.size() <= DocumentReader::kLongest, "a document has its length");
    }
  }
  if (format.zstd) return 0;
  if (!format.json_lines) {
    std::string joined;
    for (const std::string& text : documents.texts) joined += text;
    trireme::fuzz::require(documents.whole && joined == bytes, "documents one behind the other are the text", joined);
  }
  const std::string zstd = packed(bytes);
  trireme::fuzz::require(documents == read({.json_lines = format.json_lines, .zstd = true}, zstd),
                         "packing changes no document");
  return 0;
}
