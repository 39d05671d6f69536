#include "train/loop/event_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <bit>
#include <boost/crc.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/log.h"

namespace trireme::train {
namespace {

static_assert(std::endian::native == std::endian::little, "protobuf and TFRecord are little-endian");

constexpr std::size_t kFlushAt = 1 << 20, kGiveUpAt = 16 << 20;

template <class Value>
void append_raw(std::string& out, Value value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// protobuf's wire format: a field is its number and type, then a varint, 4 or 8 bytes, or a length and bytes.
enum WireType { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}
void append_key(std::string& out, int field, WireType type) {
  append_varint(out, static_cast<std::uint64_t>(field << 3 | type));
}
void append_integer(std::string& out, int field, std::int64_t value) {
  append_key(out, field, kVarint);
  append_varint(out, static_cast<std::uint64_t>(value));
}
void append_bytes(std::string& out, int field, std::string_view bytes) {
  append_key(out, field, kBytes);
  append_varint(out, bytes.size());
  out += bytes;
}

std::string event_header(std::int64_t step, double time) {
  std::string event;
  append_key(event, 1, kFixed64);  // Event.wall_time
  append_raw(event, time);
  append_integer(event, 2, step);  // Event.step
  return event;
}

}  // namespace

std::uint32_t masked_crc32c(std::string_view bytes) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return std::rotr(static_cast<std::uint32_t>(crc.checksum()), 15) + 0xA282EAD8u;
}

EventFile::EventFile(std::filesystem::path path, double time) : path_(std::move(path)) {
  file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file_ < 0) throw Error(ErrorCode::kIo, "cannot create ", path_.string(), ": ", system_reason(errno));
  std::string version = event_header(0, time);
  append_bytes(version, 3, "brain.Event:2");  // Event.file_version
  record(version);
  std::string log, start = event_header(0, time);
  append_integer(log, 1, 1);    // SessionLog.status = START: steps from this event's on are void
  append_bytes(start, 7, log);  // Event.session_log
  record(start);
}

EventFile::~EventFile() {
  if (file_ >= 0) ::close(file_);
}

EventFile::EventFile(EventFile&& other) noexcept { *this = std::move(other); }

EventFile& EventFile::operator=(EventFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(file_, other.file_);
  std::swap(event_, other.event_);
  std::swap(summary_, other.summary_);
  std::swap(pending_, other.pending_);
  return *this;
}

void EventFile::begin(std::int64_t step, double time) {
  event_ = event_header(step, time);
  summary_.clear();
}

void EventFile::scalar(std::string_view tag, double value) {
  std::string entry;
  append_bytes(entry, 1, tag);     // Value.tag
  append_key(entry, 2, kFixed32);  // Value.simple_value
  append_raw(entry, static_cast<float>(value));
  append_bytes(summary_, 1, entry);  // Summary.value
}

void EventFile::text(std::string_view tag, std::string_view text) {
  std::string shown = "    ";
  for (const char c : text) {
    shown += c;
    if (c == '\n') shown += "    ";
  }
  std::string plugin, metadata, tensor, entry;
  append_bytes(plugin, 1, "text");    // PluginData.plugin_name
  append_bytes(metadata, 1, plugin);  // SummaryMetadata.plugin_data
  append_integer(metadata, 4, 2);     // SummaryMetadata.data_class = DATA_CLASS_TENSOR
  append_integer(tensor, 1, 7);       // TensorProto.dtype = DT_STRING
  append_bytes(tensor, 2, "");        // TensorProto.tensor_shape, of a scalar
  append_bytes(tensor, 8, shown);     // TensorProto.string_val
  append_bytes(entry, 1, tag);        // Value.tag
  append_bytes(entry, 8, tensor);     // Value.tensor
  append_bytes(entry, 9, metadata);   // Value.metadata
  append_bytes(summary_, 1, entry);   // Summary.value
}

void EventFile::end() {
  if (summary_.empty()) return;
  append_bytes(event_, 5, summary_);  // Event.summary
  record(event_);
}

void EventFile::record(std::string_view event) {
  if (file_ < 0) return;
  std::string length;
  append_raw(length, static_cast<std::uint64_t>(event.size()));
  pending_ += length;
  append_raw(pending_, masked_crc32c(length));
  pending_ += event;
  append_raw(pending_, masked_crc32c(event));
  if (pending_.size() < kFlushAt) return;
  try {
    flush();
  } catch (const Error&) {
    if (pending_.size() < kGiveUpAt) return;  // flush() says it
    log_warning("nothing more is written to " + path_.string() + ", which takes nothing");
    pending_.clear();
    ::close(std::exchange(file_, -1));
  }
}

void EventFile::flush() {
  std::string_view left = pending_;
  while (!left.empty()) {
    const ssize_t put = ::write(file_, left.data(), left.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) {
      const int reason = errno;
      pending_.erase(0, pending_.size() - left.size());  // the rest may follow later
      throw Error(ErrorCode::kIo, "cannot write ", path_.string(), ": ", system_reason(reason));
    }
    left.remove_prefix(static_cast<std::size_t>(put));
  }
  pending_.clear();
}

void EventFile::sync() {
  flush();
  if (file_ >= 0 && ::fsync(file_) != 0)
    throw Error(ErrorCode::kIo, "cannot sync ", path_.string(), ": ", system_reason(errno));
}

}  // namespace trireme::train
