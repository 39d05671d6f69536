#include <gmock/gmock.h>

#include <cmath>
#include <fstream>

#include "core/base/base64.h"
#include "core/base/durable.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/hash.h"
#include "core/base/random.h"
#include "core/base/text.h"
#include "core/base/write_behind.h"

namespace trireme {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(Error, IsOneLineWhateverItsPartsHold) {
  EXPECT_STREQ(Error(ErrorCode::kUsage, "no key ", "a\nb\x1b[2J\x7F\t€", ", allowed: ", 1).what(),
               "no key a\\nb\\x1b[2J\\x7f\\x09€, allowed: 1");
}

// Known answers of the Random123 distribution (kat_vectors).
TEST(Philox, GivesTheKnownAnswersOfItsAuthors) {
  EXPECT_THAT(philox4x32({0, 0, 0, 0}, {0, 0}), ElementsAre(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
  EXPECT_THAT(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
              ElementsAre(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd));
  EXPECT_THAT(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
              ElementsAre(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1));
}

TEST(RandomStream, NormalNumbersDoNotDependOnHowTheRowIsCut) {
  const RandomStream stream(7, "weights/a");
  std::vector<float> whole(1000), pieces(1000);
  stream.fill_normal(whole.data(), 5, whole.size(), 0.5f);
  for (std::size_t at = 0, step = 1; at < pieces.size(); at += step, step = step * 2 + 1) {
    const std::size_t size = std::min(step, pieces.size() - at);
    stream.fill_normal(pieces.data() + at, 5 + at, size, 0.5f);
  }
  EXPECT_EQ(whole, pieces);
}

TEST(RandomStream, NormalNumbersHaveTheMomentsOfTheNormalDistribution) {
  std::vector<float> values(1 << 20);
  RandomStream(1, "x").fill_normal(values.data(), 0, values.size(), 1.0f);
  double mean = 0, second = 0, fourth = 0, beyond2 = 0;
  for (const float v : values) {
    mean += v;
    second += double{v} * v;
    fourth += std::pow(double{v}, 4);
    beyond2 += std::abs(v) > 2;
  }
  const double n = static_cast<double>(values.size());
  EXPECT_NEAR(mean / n, 0, 5 / std::sqrt(n));
  EXPECT_NEAR(second / n, 1, 8 / std::sqrt(n));
  EXPECT_NEAR(fourth / n, 3, 60 / std::sqrt(n));
  EXPECT_NEAR(beyond2 / n, 0.0455003, 0.002);
}

TEST(RandomStream, OtherSeedsAndNamesGiveOtherNumbers) {
  EXPECT_NE(RandomStream(1, "a").bits(0), RandomStream(2, "a").bits(0));
  EXPECT_NE(RandomStream(1, "a").bits(0), RandomStream(1, "b").bits(0));
  EXPECT_NE(RandomStream(1, "a").bits(0), RandomStream(1, "a").bits(1));
  EXPECT_EQ(RandomStream(1, "a").bits(3), RandomStream(1, "a").bits(3));
}

TEST(Hash, GivesPublishedValues) {
  EXPECT_EQ(xxh3_128_hex(""), "99aa06d3014798d86001c324468d497f");
  Sha256 sha;
  sha.update("abc");
  EXPECT_EQ(sha.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Xxh3Stream stream;
  stream.update("ab", 2);
  stream.update("c", 1);
  EXPECT_EQ(stream.hex128(), xxh3_128_hex("abc"));
}

TEST(RandomStream, BitsOfARowDependOnItsPlaceAndArePhiloxs) {
  const RandomStream stream(3, "dropout");
  std::vector<std::uint32_t> whole(300), part(150), other(300);
  stream.fill_bits(whole.data(), whole.size(), {7, 8, 9});
  stream.fill_bits(part.data(), part.size(), {7, 8, 9});
  EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin()));
  for (const std::array<std::uint32_t, 3> place : {std::array{8u, 8u, 9u}, {7u, 9u, 9u}, {7u, 8u, 8u}}) {
    stream.fill_bits(other.data(), other.size(), place);
    EXPECT_NE(other, whole);
  }
  // Of place (0, lane), where bits() draws from as well: words 0 and 1 of counter 0 are the first of a group of 32
  // each.
  stream.fill_bits(other.data(), other.size(), {0, 5, 0});
  EXPECT_EQ(std::uint64_t{other[32]} << 32 | other[0], stream.bits(0, 5));
  EXPECT_EQ(std::uint64_t{other[128 + 32 + 3]} << 32 | other[128 + 3], stream.bits(35, 5));
}

TEST(Text, NumbersAreShortAndReadBack) {
  EXPECT_EQ(to_text(3e-4), "3e-04");
  EXPECT_EQ(count_text(1234567), "1.23M");
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(bytes_text(1536), "1.5 KiB");
  EXPECT_EQ(duration_text(3661), "1h01m");
  for (const auto& [text, seconds] : std::vector<std::pair<const char*, double>>{
           {"90", 90}, {"90s", 90}, {"45m", 2700}, {"1h30m", 5400}, {"2d", 172800}, {"1d2h3m4s", 93784}, {"0", 0}})
    EXPECT_EQ(parse_duration(text), seconds) << text;
  for (const char* text : {"", "s", "1x", "1h30", "30m1h", "1m1m", "-1", "1.5h", " 1", "99999999999999999999", "1e3"})
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
}

TEST(Text, NearestNameIsFoundAlsoWithoutItsGroup) {
  const std::vector<std::string> known = {"optimizer.learning-rate", "seed", "model.width"};
  EXPECT_EQ(nearest("optimizer.learning-rat", known), "optimizer.learning-rate");
  EXPECT_EQ(nearest("learning-rate", known), "optimizer.learning-rate");
  EXPECT_EQ(nearest("zzz", known), "");
}

TEST(Text, Utf8IsCheckedByTheTableOfTheStandard) {
  EXPECT_TRUE(is_utf8("grüß \xF0\x9F\x9A\xA3"));
  for (const char* bad : {"\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\x80", "a\xC3"})
    EXPECT_FALSE(is_utf8(bad)) << bad;
  EXPECT_EQ(complete_utf8_prefix("a\xF0\x9F\x9A"), 1u);
  EXPECT_EQ(complete_utf8_prefix("a\xF0\x9F\x9A\xA3"), 5u);
  EXPECT_EQ(complete_utf8_prefix("a\xFF"), 2u);
  EXPECT_EQ(well_formed_utf8("gr\xC3\xBC\xDF!\xFF"), "gr\xC3\xBC\xEF\xBF\xBD!\xEF\xBF\xBD");
  EXPECT_EQ(well_formed_utf8("a\xF0\x9F\x9A"), "a\xEF\xBF\xBD");
}

TEST(Files, AnAtomicWriteReplacesTheWholeFileOrNothing) {
  const fs::path folder = fs::path(testing::TempDir()) / "trireme_files_test";
  fs::create_directories(folder);
  write_file_atomically(folder / "a", "one");
  write_file_atomically(folder / "a", "two");
  EXPECT_EQ(read_file(folder / "a"), "two");
  EXPECT_THAT([&] { write_file_atomically(folder / "none" / "a", "x"); }, ThrowsMessage<Error>(HasSubstr("none/a")));
  EXPECT_THAT([&] { read_file(folder / "b"); }, ThrowsMessage<Error>(HasSubstr("No such file")));
  EXPECT_THAT([&] { read_file(folder / "a", 2); }, ThrowsMessage<Error>(HasSubstr("at most 2")));
  EXPECT_THROW(read_file(folder), Error);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1);
  fs::remove_all(folder);
}

TEST(Durable, AMoveToANewNameNeverReplaces) {
  const fs::path folder = fs::temp_directory_path() / ("trireme-durable-test-" + std::to_string(::getpid()));
  fs::create_directories(folder);
  const fs::path from = folder / "from", to = folder / "to";
  write_new_file(from, "mine", "test");
  write_new_file(to, "theirs", "test");
  EXPECT_FALSE(move_new(from, to, "test"));
  EXPECT_EQ(read_file(from), "mine");
  EXPECT_EQ(read_file(to), "theirs");
  EXPECT_THROW(write_new_file(to, "mine", "test"), Error);
  fs::remove(to);
  EXPECT_TRUE(move_new(from, to, "test"));
  EXPECT_EQ(read_file(to), "mine");
  EXPECT_FALSE(fs::exists(from));
  fs::remove_all(folder);
}

TEST(OneLine, HasNoControlCharactersAndNoMoreThanItsLimit) {
  EXPECT_EQ(one_line(" a\n\n b\tc\x1b[31m\x7f", 99), "a b c [31m");
  EXPECT_EQ(one_line("caf\xC3\xA9\xC2\x9B!", 99), "caf\xC3\xA9 !") << "U+009B begins a sequence on some terminals";
  EXPECT_EQ(one_line("a\xFF", 99), "a\xEF\xBF\xBD");
  EXPECT_EQ(one_line("abcdef", 6), "abcdef");
  EXPECT_EQ(one_line("abcdefg", 6), "abcde…");
  EXPECT_EQ(one_line("abcde fg", 6), "abcde…");
  EXPECT_EQ(one_line("éééé", 3), "éé…");
  EXPECT_EQ(one_line("abc", 0), "");
}

// The examples of RFC 4648, section 10.
TEST(Base64, GivesTheKnownAnswersOfItsPaper) {
  const std::pair<const char*, const char*> known[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : known) EXPECT_EQ(base64(bytes), text);
}

class WriteBehindTest : public testing::Test {
 protected:
  // Of sizes around those of its own buffers; without a period, so that pieces that change places show.
  static std::string bytes(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>((i * 2654435761u) >> 13);
    return text;
  }
  const fs::path file_ = fs::temp_directory_path() / ("write-behind-" + unique_token());
  ~WriteBehindTest() override { fs::remove(file_); }
};

TEST_F(WriteBehindTest, WritesEveryByteInOrder) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kWriteBehindBytes - 1, kWriteBehindBytes,
                                 2 * kWriteBehindBytes + 4097, 5 * kWriteBehindBytes}) {
    fs::remove(file_);
    const std::string due = bytes(size);
    OutputFile file(file_, "test");
    WriteBehind stream(file);
    for (std::size_t at = 0, piece = 1; at < size; at += piece, piece = piece * 3 + 1) {
      piece = std::min(piece, size - at);
      stream.write(due.data() + at, piece);
    }
    stream.finish();
    file.close();
    EXPECT_TRUE(read_file(file_) == due) << size;
  }
}

TEST_F(WriteBehindTest, ToldOfAFailureByALaterCall) {
  OutputFile file("/dev/full", "test", OutputFile::Open::kExisting);
  WriteBehind stream(file);
  const std::string some = bytes(kWriteBehindBytes);
  EXPECT_THAT(
      [&] {
        for (int i = 0; i < 3; ++i) stream.write(some.data(), some.size());
        stream.finish();
      },
      ThrowsMessage<Error>(HasSubstr("No space left")));
}

}  // namespace
}  // namespace trireme
