#include <gmock/gmock.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/fault_points_testing.h"
#include "models/checkpoint/test_checkpoint.h"
#include "models/safetensors/safetensors_file.h"
#include "models/safetensors/safetensors_folder.h"
#include "models/safetensors/safetensors_writer.h"

namespace trireme::models {
namespace {

using ::testing::HasSubstr;

std::string length_of(std::uint64_t bytes) {
  std::string text(8, '\0');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(bytes >> (8 * i));
  return text;
}

// A file whose header is this text, with so many bytes of tensors behind it.
std::string file_of(const std::string& header, std::size_t bytes) {
  return length_of(header.size()) + header + std::string(bytes, 'x');
}

SafetensorsHeader parsed(const std::string& file) { return parse_safetensors_header(file, file.size(), "x"); }

void expect_refused(const std::string& file, const std::string& message, ErrorCode code = ErrorCode::kCorrupt) {
  EXPECT_THAT([&] { parsed(file); }, throws(code, message)) << file.substr(8, 200);
}

void expect_refused(const std::string& header, std::size_t bytes, const std::string& message) {
  expect_refused(file_of(header, bytes), message);
}

TEST(Safetensors, ReadsWhatTheFormatAllows) {
  const SafetensorsHeader header = parsed(file_of(
      R"( {"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},"__metadata__":{"format":"pt"},)"
      R"("none":{"shape":[0,7],"dtype":"F32","data_offsets":[16,16]},"a":{"data_offsets":[0,4],"dtype":"F32","shape":[]}}   )" +
          1,
      16));
  ASSERT_EQ(header.entries.size(), 3u);
  EXPECT_EQ(header.entries[0].name, "a");
  EXPECT_EQ(header.entries[0].shape, Extents{});
  EXPECT_EQ(header.entries[1].name, "b");
  EXPECT_EQ(header.entries[1].type, StoredType::kBfloat16);
  EXPECT_EQ(header.entries[1].shape, (Extents{2, 3}));
  EXPECT_EQ(header.entries[2].name, "none");
  EXPECT_EQ(header.metadata.at("format"), "pt");
  EXPECT_TRUE(parsed(file_of("{}", 0)).entries.empty());
}

TEST(Safetensors, AHeaderThatLeavesTheFileOrIsTooLargeIsRefused) {
  expect_refused("", "too few");
  expect_refused("1234567", "too few");
  expect_refused(length_of(3) + "{}", "ends after 2");
  expect_refused(length_of(100'000'001), "at most 100000000");
  expect_refused(length_of(~std::uint64_t{0}) + "{}", "at most 100000000");
  expect_refused(length_of(std::uint64_t{1} << 63) + "{}", "at most 100000000");
}

TEST(Safetensors, AHeaderThatIsNoSuchDocumentIsRefused) {
  expect_refused(" {}", 0, "begin with '{'");
  expect_refused("[]", 0, "begin with '{'");
  expect_refused("{", 0, "not JSON");
  expect_refused("{}{}", 0, "not JSON");
  expect_refused("{\"\xff\":1}", 0, "not UTF-8");
  expect_refused(R"({"a":1})", 0, "where it cannot be");
  expect_refused(R"({"a":[]})", 0, "where it cannot be");
  expect_refused(R"({"__metadata__":{"a":1}})", 0, "where it cannot be");
  expect_refused(R"({"__metadata__":{"a":{}}})", 0, "where it cannot be");
  expect_refused(R"({"a":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}})", 4, "where it cannot be");
  expect_refused(R"({"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}})", 4, "where it cannot be");
  expect_refused(R"({"a":{"dtype":7,"shape":[1],"data_offsets":[0,4]}})", 4, "where it cannot be");
  expect_refused(R"({"a":{"dtype":"F32","shape":[1]}})", 4, "has no data_offsets");
  expect_refused(R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", 4, "has no shape");
  expect_refused(R"({"a":{"shape":[1],"data_offsets":[0,4]}})", 4, "has no dtype");
  expect_refused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"stride":[1]}})", 4, "the member \"stride\"");
  std::string deep = "{\"a\":";
  for (int i = 0; i < 100'000; ++i) deep += "[";
  expect_refused(deep, 0, "where it cannot be");
}

TEST(Safetensors, ATensorNamedTwiceIsRefused) {
  const std::string one = R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  expect_refused("{" + one + "," + one + "}", 1, "names \"a\" twice");
  expect_refused(R"({"\u0061":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)" + one + "}", 1, "names \"a\" twice");
  expect_refused(R"({"__metadata__":{"a":"1","a":"2"}})", 0, "twice");
  expect_refused(R"({"__metadata__":{},"__metadata__":{}})", 0, "twice");
  expect_refused(R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1, "\"dtype\" twice");
}

TEST(Safetensors, OtherPublishedTypesArePassedOver) {
  for (const auto& [type, bytes] : {std::pair("BOOL", 3), {"I64", 24}, {"U16", 6}, {"F8_E4M3", 3}}) {
    const auto header = [&](int end) {
      return R"({"a":{"dtype":")" + std::string(type) + R"(","shape":[3],"data_offsets":[0,)" + std::to_string(end) +
             "]}}";
    };
    EXPECT_EQ(parsed(file_of(header(bytes), static_cast<std::size_t>(bytes))).entries.at(0).other_type, type);
    expect_refused(header(bytes + 1), static_cast<std::size_t>(bytes) + 1, "are due");
  }
}

TEST(Safetensors, TypesThatAreNotKnownAreNamed) {
  for (const char* type : {"F4", "F6_E2M3", "f32", "INT", ""})
    expect_refused(file_of(R"({"a":{"dtype":")" + std::string(type) + R"(","shape":[1],"data_offsets":[0,1]}})", 1),
                   "has the type " + std::string(type), ErrorCode::kBadInput);
}

TEST(Safetensors, HolesOverlapsAndBytesThatAreNobodysAreRefused) {
  const auto two = [](const std::string& a, const std::string& b) {
    return R"({"a":{"dtype":"U8","shape":[2],"data_offsets":)" + a +
           R"(},"b":{"dtype":"U8","shape":[2],"data_offsets":)" + b + "}}";
  };
  EXPECT_EQ(parsed(file_of(two("[2,4]", "[0,2]"), 4)).entries[0].name, "b");
  expect_refused(two("[0,2]", "[3,5]"), 5, "behind a hole");
  expect_refused(two("[1,3]", "[3,5]"), 5, "behind a hole");
  expect_refused(two("[0,2]", "[1,3]"), 3, "within one");
  expect_refused(two("[0,2]", "[0,2]"), 2, "within one");
  expect_refused(two("[0,2]", "[2,4]"), 5, "holds 5 bytes of tensors; 4 are due");
  expect_refused(two("[0,2]", "[2,4]"), 3, "holds 3 bytes of tensors; 4 are due");
  expect_refused(two("[2,0]", "[2,4]"), 4, "before it begins");
  expect_refused(two("[0]", "[2,4]"), 4, "two are due");
  expect_refused(two("[0,2,2]", "[2,4]"), 4, "more than two");
}

// Advisory class: sizes that are multiplied before they are checked, so that a product wraps round to what is there.
TEST(Safetensors, AdvisorySizesThatOverflowWhenMultiplied) {
  const auto shaped = [](const std::string& shape, const std::string& type = "F64") {
    return R"({"a":{"dtype":")" + type + R"(","shape":)" + shape + R"(,"data_offsets":[0,8]}})";
  };
  expect_refused(shaped("[4294967296,4294967296]"), 8, "impossible shape");
  expect_refused(shaped("[2305843009213693952,8]"), 8, "impossible shape");
  expect_refused(shaped("[2305843009213693953]"), 8, "impossible shape");  // times 8 is 8 more than 2^64
  expect_refused(shaped("[9223372036854775807]", "U8"), 8, "impossible shape");
  expect_refused(shaped("[4294967296,4294967296,0]"), 8, "");
  std::string axes = "[1";
  for (int i = 0; i < 32; ++i) axes += ",1";
  expect_refused(shaped(axes + "]"), 8, "more than 32 axes");
}

// Advisory class: signed and unsigned numbers mixed, so that a negative or huge one passes a check.
TEST(Safetensors, AdvisorySignedAndUnsignedNumbersMixed) {
  for (const char* number : {"-1", "-9223372036854775808", "18446744073709551615", "9223372036854775808",
                             "18446744073709551616", "1e3", "1.0", "-0.0", "null", "true", "\"1\""}) {
    const std::string text = number;
    expect_refused(R"({"a":{"dtype":"U8","shape":[)" + text + R"(],"data_offsets":[0,1]}})", 1, "");
    expect_refused(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[)" + text + ",1]}}", 1, "");
    expect_refused(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,)" + text + "]}}", 1, "");
  }
}

// Advisory class: path traversal through the names of files.
TEST(SafetensorsIndex, AdvisoryNamesThatLeaveTheDirectory) {
  for (const char* name : {"../x.safetensors", "/etc/x.safetensors", "a/x.safetensors", "..\\\\x.safetensors", "..",
                           ".safetensors", "", "x.bin", "x\\u0000.safetensors", "./x.safetensors"})
    EXPECT_THAT([&] { parse_safetensors_index(R"({"weight_map":{"a":")" + std::string(name) + "\"}}", "i"); },
                throws(ErrorCode::kCorrupt, "no plain name"))
        << name;
}

TEST(SafetensorsIndex, WhatIsNoIndexIsRefused) {
  for (const char* text : {"", "[]", "{}", R"({"weight_map":[]})", R"({"weight_map":{"a":1}})",
                           R"({"weight_map":{"a":"x.safetensors","a":"y.safetensors"}})", "{\"\xff\":1}"})
    EXPECT_THAT([&] { parse_safetensors_index(text, "i"); }, throws(ErrorCode::kCorrupt, "i")) << text;
}

class SafetensorsOnDisk : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::vector<WholeTensor>& tensors) {
    std::vector<SafetensorsEntry> entries;
    for (const WholeTensor& tensor : tensors) entries.push_back({tensor.name, tensor.type, tensor.shape});
    SafetensorsWriter writer(folder_.path() / name, entries, {{"format", "pt"}});
    for (const SafetensorsEntry& entry : writer.entries())
      for (const WholeTensor& tensor : tensors)
        if (tensor.name == entry.name) writer.write(tensor.bytes.data(), tensor.bytes.size());
    writer.finish();
  }
  TemporaryFolder folder_;
};

TEST_F(SafetensorsOnDisk, WhatIsWrittenIsRead) {
  const std::vector<WholeTensor> tensors = {{"a", StoredType::kUint8, {3}},       {"b", StoredType::kBfloat16, {5, 3}},
                                            {"c", StoredType::kFloat64, {2, 2}},  {"d", StoredType::kFloat32, {}},
                                            {"e", StoredType::kFloat16, {0, 4}},  {"f", StoredType::kInt8, {1, 1, 7}},
                                            {"g", StoredType::kFloat32, {300000}}};
  write("model.safetensors", tensors);
  const SafetensorsFile file(folder_.path() / "model.safetensors");
  ASSERT_EQ(file.header().entries.size(), tensors.size());
  EXPECT_EQ(file.header().metadata.at("format"), "pt");
  EXPECT_EQ(file.header().bytes % 8, 0u);
  const SafetensorsFolder folder(folder_.path());
  for (const WholeTensor& tensor : tensors) {
    const auto& found = folder.tensors().at(tensor.name);
    EXPECT_EQ(found.entry.type, tensor.type);
    EXPECT_EQ(found.entry.shape, tensor.shape);
    EXPECT_EQ(found.entry.begin % bytes_per_element(tensor.type), 0u) << tensor.name;
    for (int pass = 0; pass < 2; ++pass) {  // also after it was said that it is not needed
      EXPECT_EQ(std::string(found.data(), found.entry.end - found.entry.begin),
                std::string(tensor.bytes.data(), tensor.bytes.size()))
          << tensor.name;
      found.file->done_with(found.entry, 0, found.entry.end - found.entry.begin);
    }
  }
}

TEST_F(SafetensorsOnDisk, ShardsAreFoundThroughTheIndex) {
  write("model-00001-of-00002.safetensors",
        {{"a", StoredType::kFloat32, {3}}, {"unlisted", StoredType::kFloat32, {1}}});
  write("model-00002-of-00002.safetensors", {{"b", StoredType::kFloat32, {4}}});
  const auto index = [&](const std::map<std::string, std::string>& places) {
    put_content(folder_.path() / "model.safetensors.index.json", safetensors_index_text(places, 28));
  };
  index({{"a", "model-00001-of-00002.safetensors"}, {"b", "model-00002-of-00002.safetensors"}});
  const SafetensorsFolder folder(folder_.path());
  EXPECT_EQ(folder.tensors().size(), 3u);
  EXPECT_EQ(folder.tensors().at("b").entry.shape, Extents{4});
  index({{"a", "model-00002-of-00002.safetensors"}});
  EXPECT_THAT([&] { SafetensorsFolder{folder_.path()}; }, throws(ErrorCode::kCorrupt, "\"a\" is not in model-00002"));
  index({{"a", "model-00003-of-00002.safetensors"}});
  EXPECT_THAT([&] { SafetensorsFolder{folder_.path()}; }, throws(ErrorCode::kCorrupt, "which is not there"));
  EXPECT_THAT([&] { SafetensorsFolder(folder_.path(), "adapter_model"); }, throws(ErrorCode::kNotFound, "neither"));
}

TEST_F(SafetensorsOnDisk, EveryCutIsNoticed) {
  write("model.safetensors", {{"a", StoredType::kFloat32, {3}}, {"b", StoredType::kUint8, {5}}});
  const std::string whole = content_of(folder_.path() / "model.safetensors");
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_THAT([&] { parsed(whole.substr(0, size)); }, ::testing::Throws<Error>()) << size;
  EXPECT_THAT([&] { parsed(whole + "x"); }, throws(ErrorCode::kCorrupt, "are due"));
}

}  // namespace
}  // namespace trireme::models
