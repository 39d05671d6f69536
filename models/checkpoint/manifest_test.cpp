#include "models/checkpoint/manifest.h"

#include <gmock/gmock.h>

#include <functional>

#include "core/base/hash.h"

namespace trireme::models {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

// The rule of docs/formats/checkpoint.md, independent of the code: 32 digits from byte 15.
std::string sealed(std::string text) {
  text.replace(15, 32, 32, '0');
  return text.replace(15, 32, xxh3_128_hex(text));
}

Manifest sound() {
  Manifest manifest;
  const std::string checksum(32, 'a');
  manifest.files["tokenizer.json"] = {10, checksum};
  manifest.files["rank-00000.h5"] = {4096, checksum};
  manifest.tensors["weights/a"] = {StoredType::kFloat32,
                                   {4, 3},
                                   {{"rank-00000.h5", 2048, 24, {{0, 0}, {2, 3}}, checksum},
                                    {"rank-00000.h5", 2072, 24, {{2, 0}, {2, 3}}, checksum}}};
  manifest.model = {{"family", "llama"}};
  manifest.weights_hash = std::string(64, 'b');
  return manifest;
}

// The sound manifest with one place of its text changed and its checksum made right again: damage by intent.
std::string forged(const std::string& from, const std::string& to) {
  std::string text = sound().to_text();
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return sealed(text.replace(at, from.size(), to));
}

std::string refusal(const std::string& text) {
  try {
    Manifest::parse(text, "M");
  } catch (const Error& error) {
    EXPECT_TRUE(error.code() == ErrorCode::kCorrupt || error.code() == ErrorCode::kBadInput);
    return error.what();
  }
  return "accepted";
}

TEST(Manifest, ReadsWhatItWrote) {
  const std::string text = sound().to_text();
  EXPECT_EQ(text, sealed(text));
  const Manifest read = Manifest::parse(text, "M");
  EXPECT_EQ(read.to_text(), text);
  EXPECT_EQ(nlohmann::json::parse(text).dump(), nlohmann::json::parse(read.to_text()).dump());
}

TEST(Manifest, FindsEveryFlippedBitAndEveryCutOfItsText) {
  const std::string text = sound().to_text();
  for (std::size_t bit = 0; bit < 8 * text.size(); ++bit) {
    std::string damaged = text;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    EXPECT_NE(refusal(damaged), "accepted") << "bit " << bit;
  }
  for (std::size_t size = 0; size < text.size(); ++size) EXPECT_NE(refusal(text.substr(0, size)), "accepted") << size;
  EXPECT_NE(refusal(text + "\n"), "accepted");
  EXPECT_NE(refusal(" " + text), "accepted");
}

TEST(Manifest, RefusesUpperCaseHex) {
  std::string text = sound().to_text();
  for (std::size_t i = 15; i < 47; ++i) text[i] = static_cast<char>(std::toupper(text[i]));
  EXPECT_THAT(refusal(text), HasSubstr("lower-case"));
  EXPECT_THAT(refusal(forged("aaaaaaaa", "AAAAAAAA")), HasSubstr("lower-case"));
  EXPECT_THAT(refusal(forged("bbbbbbbb", "BBBBBBBB")), HasSubstr("lower-case"));
}

TEST(Manifest, RefusesUnknownVersionsTypesAndFormatsByName) {
  EXPECT_THAT(refusal(forged("\"version\": 2", "\"version\": 3")), HasSubstr("version 3"));
  EXPECT_THAT(refusal(forged("\"float32\"", "\"float8\"")), HasSubstr("float8"));
  EXPECT_THAT(refusal(forged("trireme-checkpoint", "trireme-corpus")), HasSubstr("trireme-corpus"));
}

TEST(Manifest, RefusesNumbersThatOverflowAreNegativeOrFractions) {
  for (const char* shape : {"[-4,3]", "[4.0,3]", "[18446744073709551617,3]", "[9223372036854775808,3]", "[1e400,3]",
                            "[\"4\",3]", "[true,3]", "[null,3]", "4"})
    EXPECT_NE(refusal(forged("\"shape\":[4,3]", "\"shape\":" + std::string(shape))), "accepted") << shape;
  EXPECT_THAT(refusal(forged("\"shape\":[4,3]", "\"shape\":[4294967296,4294967296]")), HasSubstr("impossible shape"));
  EXPECT_THAT(refusal(forged("\"bytes\":24", "\"bytes\":-24")), HasSubstr("bytes is -24"));
  EXPECT_THAT(refusal(forged("\"bytes\":24", "\"bytes\":28")), HasSubstr("states 28 bytes"));
  EXPECT_THAT(refusal(forged("\"file_offset\":2048", "\"file_offset\":9223372036854775807")), HasSubstr("leaves"));
  EXPECT_THAT(refusal(forged("\"file_offset\":2048", "\"file_offset\":4073")), HasSubstr("leaves"));
  EXPECT_THAT(refusal(forged("\"file_offset\":2048", "\"file_offset\":2049")), HasSubstr("share bytes"));
  // 2^62 elements of 4 bytes are 0 bytes, modulo 2^64.
  EXPECT_NE(
      refusal(forged("\"bytes\":24,\"file\":\"rank-00000.h5\",\"file_offset\":2048,\"offset\":[0,0],\"size\":[2,3]",
                     "\"bytes\":0,\"file\":\"rank-00000.h5\",\"file_offset\":2048,\"offset\":[0,0],\"size\":"
                     "[2147483648,2147483648]")),
      "accepted");
}

TEST(Manifest, RefusesSlicesThatDoNotTile) {
  EXPECT_THAT(refusal(forged("\"offset\":[2,0]", "\"offset\":[1,0]")), HasSubstr("overlap"));
  EXPECT_THAT(refusal(forged("\"shape\":[4,3]", "\"shape\":[5,3]")), HasSubstr("3 of 15 elements are in no slice"));
  EXPECT_THAT(refusal(forged("\"offset\":[2,0]", "\"offset\":[3,0]")), HasSubstr("outside"));
  EXPECT_THAT(refusal(forged("\"offset\":[2,0]", "\"offset\":[2]")), HasSubstr("outside"));
}

TEST(Manifest, RefusesFileNamesThatLeaveTheDirectory) {
  for (const char* name : {"../rank-00000.h5", "/etc/passwd", "rank-0.h5", "rank-00000.h5/../x", "manifest.json", "",
                           "rank-0000a.h5", "rank-00000.h5\\u0000"})
    EXPECT_THAT(refusal(forged("\"rank-00000.h5\": {", "\"" + std::string(name) + "\": {")),
                HasSubstr("is not the name of a checkpoint's file"))
        << name;
  EXPECT_THAT(refusal(forged("\"file\":\"rank-00000.h5\"", "\"file\":\"../x\"")), HasSubstr("no rank file"));
  EXPECT_THAT(refusal(forged("\"file\":\"rank-00000.h5\"", "\"file\":\"tokenizer.json\"")), HasSubstr("no rank file"));
}

TEST(Manifest, RefusesKeysThatComeTwice) {
  const std::string entry = "\"weights/a\": {\"shape\":[0],\"slices\":[],\"type\":\"float32\"},\n\"weights/a\"";
  EXPECT_THAT(refusal(forged("\"weights/a\"", entry)), HasSubstr("\"weights/a\" twice"));
  EXPECT_THAT(refusal(forged("\"version\": 2", "\"version\": 2, \"version\": 2")), HasSubstr("twice"));
}

TEST(Manifest, RefusesTensorNamesWithMeaningToAFileSystem) {
  for (const char* name : {"weights/../a", "/weights", "weights/", "", "weights//a", "weights/a@0", "weights/.", "w a"})
    EXPECT_THAT(refusal(forged("\"weights/a\"", "\"" + std::string(name) + "\"")), HasSubstr("not allowed")) << name;
}

TEST(Manifest, RefusesNestingThatWouldExhaustTheStack) {
  std::string deep(100000, '[');
  EXPECT_THAT(refusal(forged("\"model\": {", "\"model\": " + deep)), HasSubstr("nested deeper"));
}

TEST(Manifest, RefusesWhatIsMissingOrOfAnotherKind) {
  for (const char* key : {"files", "format", "model", "tensors", "training", "version", "weights_hash"})
    EXPECT_NE(refusal(forged("\"" + std::string(key) + "\"", "\"x\"")), "accepted") << key;
  EXPECT_THAT(refusal(forged("\"model\": {\"family\":\"llama\"}", "\"model\": []")),
              HasSubstr("model is not an object"));
  EXPECT_NE(refusal(""), "accepted");
  EXPECT_NE(refusal("{}"), "accepted");
}

}  // namespace
}  // namespace trireme::models
