// tokenizer.json, and behind a NUL a text to encode. A spec is the same after it was written and read; where the file
// asks for nothing that does not come back, text is the same after it was encoded and decoded.
#include <algorithm>

#include "data/tokenizer/byte_alphabet.h"
#include "data/tokenizer/tokenizer.h"
#include "data/tokenizer/tokenizer_json.h"
#include "tests/fuzz/fuzz.h"

using namespace trireme::data;
using trireme::fuzz::require;

namespace {

// "*": 0 stands for the 256 bytes, so that an input can be small and a change of it hits something else.
std::string with_bytes(std::string_view file) {
  constexpr std::string_view kMark = "\"*\": 0";
  std::string json(file);
  const std::size_t at = json.find(kMark);
  if (at == std::string::npos) return json;
  std::string entries;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string escape = byte == '"' || byte == '\\' ? "\\" : "";
    entries += (byte > 0 ? ", \"" : "\"") + escape + spell_bytes(std::string(1, static_cast<char>(byte))) +
               "\": " + std::to_string(byte);
  }
  return json.replace(at, kMark.size(), entries);
}

bool same(const AddedToken& a, const AddedToken& b) {
  return a.id == b.id && a.content == b.content && a.lstrip == b.lstrip && a.rstrip == b.rstrip &&
         a.normalized == b.normalized && a.special == b.special;
}

bool same(const TokenizerSpec& a, const TokenizerSpec& b) {
  return a.add_prefix_space == b.add_prefix_space && a.use_pattern == b.use_pattern &&
         a.ignore_merges == b.ignore_merges && a.vocabulary == b.vocabulary && a.merges == b.merges &&
         std::equal(a.added.begin(), a.added.end(), b.added.begin(), b.added.end(),
                    [](const AddedToken& one, const AddedToken& other) { return same(one, other); });
}

// A file may ask for a space before each text, or for added tokens that swallow white space.
bool gives_text_back(const TokenizerSpec& spec) {
  return !spec.add_prefix_space && std::none_of(spec.added.begin(), spec.added.end(),
                                                [](const AddedToken& token) { return token.lstrip || token.rstrip; });
}

void check_encoding(const std::string& json, const TokenizerSpec& spec, std::string_view text) {
  const Tokenizer tokenizer = Tokenizer::parse(json, "tokenizer.json");
  for (const SpecialText special : {SpecialText::kParse, SpecialText::kPlain}) {
    const std::vector<TokenId> ids = tokenizer.encode(text, special);
    require(ids == tokenizer.encode(text, special), "words from the cache have the same ids");
    const std::string decoded = tokenizer.decode(ids);
    if (gives_text_back(spec)) require(decoded == text, "decode(encode(text)) is the text", decoded);
    if (special == SpecialText::kPlain)
      require(std::none_of(ids.begin(), ids.end(), [&](TokenId id) { return tokenizer.is_special(id); }),
              "plain text has no special token");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto [file, text] = trireme::fuzz::halves(data, size);
  const std::string json = with_bytes(file);
  TokenizerSpec spec;
  if (!trireme::fuzz::accepts([&] { spec = parse_tokenizer_json(json, "tokenizer.json"); })) return 0;
  const std::string written = write_tokenizer_json(spec);
  const bool accepted = trireme::fuzz::accepts(
      [&] { require(same(spec, parse_tokenizer_json(written, "written")), "what is written is the same", written); });
  require(accepted, "what is written is accepted", written);
  trireme::fuzz::accepts([&] { check_encoding(json, spec, text); });
  return 0;
}
