#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace trireme::train {

/// Writes a file that TensorBoard reads: TFRecords, each holding an `Event` message. The few fields used here are
/// encoded by hand, as protobuf's schemas of TensorBoard come with no package of the system.
///
/// Sources: tensorflow/core/lib/io/record_writer.h (length, masked CRC-32C of it, bytes, their masked CRC-32C),
/// tensorboard/compat/proto/{event,summary,tensor}.proto.
class EventFile {
 public:
  EventFile() = default;  ///< writes nothing
  /// Creates the file, with the two events that tell a TensorBoard that is already looking at the folder to forget what
  /// it has read in older files. @param time  seconds since 1970  @throws Error kIo
  EventFile(std::filesystem::path path, double time);
  ~EventFile();
  EventFile(EventFile&& other) noexcept;
  EventFile& operator=(EventFile&& other) noexcept;

  /// Begins an event; what is added up to end() belongs to it. An event without a value is not written.
  void begin(std::int64_t step, double time);
  void scalar(std::string_view tag, double value);
  /// Shown as it is, in a fixed pitch: TensorBoard takes texts for Markdown, and every line is indented to escape that.
  void text(std::string_view tag, std::string_view text);
  void end();
  /// Says what it is called now.
  void has_moved(std::filesystem::path path) { path_ = std::move(path); }

  /// Hands whole records to the system. @throws Error kIo
  void flush();
  /// Makes them durable. @throws Error kIo
  void sync();

 private:
  void record(std::string_view event);

  std::filesystem::path path_;
  int file_ = -1;
  std::string event_, summary_, pending_;
};

/// CRC-32C of RFC 3720, rotated and shifted as TFRecords have it.
std::uint32_t masked_crc32c(std::string_view bytes);

}  // namespace trireme::train
