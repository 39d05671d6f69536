#include "data/corpus/byte_source.h"

#include <gmock/gmock.h>
#include <zstd.h>

#include <random>

#include "core/base/error.h"

namespace trireme::data {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

std::string frame_of(const std::string& text, int window_log = 0) {
  const std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx*)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  if (window_log > 0) ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, window_log);
  if (window_log > 0) ZSTD_CCtx_setParameter(context.get(), ZSTD_c_contentSizeFlag, 0);
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  ZSTD_outBuffer out{packed.data(), packed.size(), 0};
  ZSTD_inBuffer in{text.data(), text.size(), 0};
  // Twice, so that the frame does not shrink its window to a known size.
  ZSTD_compressStream2(context.get(), &out, &in, ZSTD_e_continue);
  EXPECT_EQ(ZSTD_compressStream2(context.get(), &out, &in, ZSTD_e_end), 0u);
  packed.resize(out.pos);
  return packed;
}

std::string skippable_frame(std::size_t bytes) {
  std::string frame("\x50\x2A\x4D\x18", 4);
  for (int i = 0; i < 4; ++i) frame += static_cast<char>(bytes >> 8 * i);
  return frame + std::string(bytes, 's');
}

std::string unpacked(const std::string& packed, std::size_t piece = 1000) {
  const auto source = unpack_zstd(memory_source(packed), "text.zst");
  std::string text, room(piece, '\0');
  while (const std::size_t got = source->read(room.data(), room.size())) text.append(room, 0, got);
  EXPECT_EQ(source->read(room.data(), room.size()), 0u) << "the end stays the end";
  EXPECT_EQ(source->bytes_taken(), packed.size());
  return text;
}

std::string text_of(std::size_t bytes) {
  std::mt19937 random(static_cast<unsigned>(bytes));
  std::string text;
  while (text.size() < bytes) text += "word" + std::to_string(random() % 1000) + (random() % 9 ? " " : "\n");
  text.resize(bytes);
  return text;
}

TEST(UnpackZstd, GivesBackWhatWasPackedInPiecesOfAnySize) {
  for (const std::size_t bytes : {0, 1, 1000, 300'000}) {
    const std::string text = text_of(bytes), packed = frame_of(text);
    for (const std::size_t piece : {1, 7, 1000, 128 << 10, 1 << 20})
      EXPECT_EQ(unpacked(packed, piece), text) << bytes << " " << piece;
  }
}

TEST(UnpackZstd, ReadsSeveralFramesAndPassesOverSkippableOnes) {
  const std::string a = text_of(5000), b = text_of(200'000);
  const std::string packed =
      skippable_frame(10) + frame_of(a) + frame_of("") + skippable_frame(200'000) + frame_of(b) + skippable_frame(0);
  for (const std::size_t piece : {5000, 1234, 1 << 20}) EXPECT_EQ(unpacked(packed, piece), a + b) << piece;
}

TEST(UnpackZstd, AFileCutAnywhereIsRefusedByNameAndByte) {
  const std::string first = frame_of(text_of(3000)), packed = first + frame_of(text_of(2000));
  for (std::size_t size = 1; size < packed.size(); ++size) {
    if (size == first.size()) continue;  // a whole frame is a whole file
    EXPECT_THAT([&] { unpacked(packed.substr(0, size)); },
                ThrowsMessage<Error>(AllOf(HasSubstr("text.zst is cut: it ends at byte " + std::to_string(size)))))
        << size;
  }
  EXPECT_THAT([] { unpacked(""); }, ThrowsMessage<Error>(HasSubstr("text.zst is empty")));
}

TEST(UnpackZstd, NoFlippedByteGoesUnnoticed) {
  const std::string text = text_of(2000), packed = frame_of(text);
  for (std::size_t i = 0; i < packed.size(); ++i) {
    std::string damaged = packed;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    try {
      EXPECT_EQ(unpacked(damaged), text) << "byte " << i;  // a bit of the header that means nothing
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("text.zst")) << "byte " << i;
    }
  }
  EXPECT_THAT([&] { unpacked(packed + "garbage"); },
              ThrowsMessage<Error>(AllOf(HasSubstr("text.zst is damaged at byte " + std::to_string(packed.size())),
                                         HasSubstr("frame"))));
  EXPECT_THAT([] { unpacked("plain text"); }, ThrowsMessage<Error>(HasSubstr("text.zst is damaged at byte 0")));
}

TEST(UnpackZstd, RefusesAWindowThatNeedsTooMuchMemory) {
  const std::string text = text_of(1000);
  EXPECT_EQ(unpacked(frame_of(text, 27)), text);
  EXPECT_THAT([&] { unpacked(frame_of(text, 28)); },
              ThrowsMessage<Error>(AllOf(HasSubstr("text.zst"), HasSubstr("window of over 128 MiB"))));
}

}  // namespace
}  // namespace trireme::data
