#include "train/loop/event_file.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cstring>

#include "core/base/error.h"
#include "core/base/files.h"

namespace trireme::train {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// Reading back with TensorBoard itself is tests/golden/tensorboard_oracle.py; here is what needs no Python.
class EventFileTest : public ::testing::Test {
 protected:
  ~EventFileTest() override { fs::remove(path_); }

  /// The events of the file; a checksum or length that does not hold fails.
  std::vector<std::string> events() const {
    std::vector<std::string> found;
    const std::string file = read_file(path_);
    for (std::size_t at = 0; at < file.size();) {
      std::uint64_t size = 0;
      std::uint32_t length_crc = 0, crc = 0;
      std::memcpy(&size, file.data() + at, 8);
      std::memcpy(&length_crc, file.data() + at + 8, 4);
      EXPECT_EQ(length_crc, masked_crc32c(file.substr(at, 8)));
      found.push_back(file.substr(at + 12, size));
      std::memcpy(&crc, file.data() + at + 12 + size, 4);
      EXPECT_EQ(crc, masked_crc32c(found.back()));
      at += 16 + size;
    }
    return found;
  }

  const fs::path path_ = fs::temp_directory_path() / ("trireme-event-file-" + std::to_string(::getpid()));
};

TEST(MaskedCrc32c, IsThatOfRfc3720Masked) {
  // RFC 3720, appendix B.4: 32 bytes of zeros have CRC 0x8A9136AA; "123456789" has 0xE3069283.
  const auto masked = [](std::uint32_t crc) { return (crc >> 15 | crc << 17) + 0xA282EAD8u; };
  EXPECT_EQ(masked_crc32c(std::string(32, '\0')), masked(0x8A9136AA));
  EXPECT_EQ(masked_crc32c("123456789"), masked(0xE3069283));
}

TEST_F(EventFileTest, AScalarIsTheBytesThatProtobufHas) {
  EventFile file(path_, 0);
  file.begin(300, 1.0);
  file.scalar("a/b", 0.5);
  file.end();
  file.flush();
  ASSERT_EQ(events().size(), 3u);  // version, session start, ours
  EXPECT_THAT(events()[0], HasSubstr("brain.Event:2"));
  const std::string expected = std::string("\x09\0\0\0\0\0\0\xF0\x3F", 9) + "\x10\xAC\x02"  // wall_time 1.0, step 300
                               + "\x2A\x0C\x0A\x0A" +
                               "\x0A\x03"
                               "a/b" +
                               std::string("\x15\0\0\0\x3F", 5);
  EXPECT_EQ(events()[2], expected);
}

TEST_F(EventFileTest, EveryLineOfATextIsIndented) {
  EventFile file(path_, 0);
  file.begin(1, 0);
  file.text("t", "# no heading\n<b>");
  file.end();
  file.flush();
  EXPECT_THAT(events().at(2), HasSubstr("    # no heading\n    <b>"));
}

TEST_F(EventFileTest, AnEventWithoutAValueIsNotWritten) {
  EventFile file(path_, 0);
  file.begin(1, 0);
  file.end();
  file.flush();
  EXPECT_EQ(events().size(), 2u);
}

// Nor does it keep more than some MiB of what it could not write.
TEST_F(EventFileTest, AFileThatTakesNothingEndsNoRun) {
  EventFile file("/dev/full", 0);
  file.begin(1, 0);
  file.text("text", "short");
  file.end();
  EXPECT_THROW(file.flush(), Error);
  for (int mebibyte = 0; mebibyte < 20; ++mebibyte) {
    file.begin(1, 0);
    file.text("text", std::string(1 << 20, 'x'));
    EXPECT_NO_THROW(file.end());
  }
  EXPECT_NO_THROW(file.flush()) << "nothing is left";
}

TEST_F(EventFileTest, AFolderThatIsNotThereIsNamed) {
  EXPECT_THAT([&] { EventFile(path_ / "no" / "file", 0); }, ThrowsMessage<Error>(HasSubstr("no/file")));
}

}  // namespace
}  // namespace trireme::train
