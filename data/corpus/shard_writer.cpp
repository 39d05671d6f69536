#include "data/corpus/shard_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "core/base/descriptor.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/hash.h"
#include "core/hdf5/hdf5.h"

namespace trireme::data {
namespace {

// Where tokens begin in a file that holds a block of them or more: HDF5 aligns datasets of this size, and what lies
// before is some kilobytes.
constexpr std::uint64_t kTokensOffset = kCorpusBlockBytes;
// The kernel is told to begin writing this often, so that the sync at the end waits for little.
constexpr std::uint64_t kWriteBackBytes = std::uint64_t{8} << 20;

}  // namespace

struct ShardWriter::Impl {
  Impl(const fs::path& directory, Split split_, std::size_t number_, const CorpusIndex& index_)
      : split(split_),
        number(number_),
        storage(index_.storage()),
        tokenizer_hash(index_.tokenizer_hash),
        path(directory / shard_file_name(split, number)),
        file(hdf5::File::create(path, kTokensOffset)),
        out(::open(path.c_str(), O_RDWR | O_CLOEXEC)) {
    if (out.get() < 0) fail("open", errno);
    entry.file = path.filename().string();
    entry.element_bytes = storage.element_bytes();
    block.reserve(kCorpusBlockBytes);
  }

  [[noreturn]] void fail(const char* operation, int error_number) const {
    throw Error(ErrorCode::kIo, "cannot ", operation, " ", path.string(), ": ", system_reason(error_number));
  }

  void write(std::string_view bytes, std::uint64_t offset) const {
    while (!bytes.empty()) {
      const ssize_t put = ::pwrite(out.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) fail("write", errno);
      bytes.remove_prefix(static_cast<std::size_t>(put));
      offset += static_cast<std::uint64_t>(put);
    }
  }

  void append(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::size_t part = std::min<std::size_t>(bytes.size(), kCorpusBlockBytes - block.size());
      block.append(bytes.substr(0, part));
      bytes.remove_prefix(part);
      if (block.size() == kCorpusBlockBytes) flush_block(kTokensOffset);
    }
  }

  void flush_block(std::uint64_t tokens_offset) {
    if (block.empty()) return;
    entry.block_checksums.push_back(xxh3_128_hex(block));
    write(block, tokens_offset + written);
    written += block.size();
    block.clear();
    if (written % kWriteBackBytes == 0)
      ::sync_file_range(out.get(), static_cast<off_t>(tokens_offset + written - kWriteBackBytes), kWriteBackBytes,
                        SYNC_FILE_RANGE_WRITE);  // a hint: an error comes back from the sync
  }

  // HDF5's structure around the tokens, most of which lie in the file already: the dataset is made last, when its size
  // is known, and its place follows from the alignment.
  void write_structure() {
    file.set_attribute("", "trireme-format", "corpus-shard");
    file.set_attribute("", "version", std::vector<std::uint64_t>{1});
    file.set_attribute("", "split", std::string(split_name(split)));
    file.set_attribute("", "shard", std::vector<std::uint64_t>{number});
    file.set_attribute("", "vocabulary-size", std::vector<std::uint64_t>{storage.vocabulary_size});
    file.set_attribute("", "end-of-text", std::vector<std::uint64_t>{storage.end_of_text});
    file.set_attribute("", "tokenizer-hash", tokenizer_hash);
    file.set_attribute("", "text-bytes", std::vector<std::uint64_t>{entry.text_bytes});
    file.reserve("tokens", entry.element_bytes == 2 ? hdf5::Type::kUint16 : hdf5::Type::kUint32, {entry.tokens});
    entry.tokens_offset = file.offset("tokens");
    if (written > 0 && entry.tokens_offset != kTokensOffset)
      throw Error(ErrorCode::kBug, "HDF5 puts the tokens of ", path.string(), " at byte ", entry.tokens_offset,
                  " of the file, not at ", kTokensOffset);
    file.write("document-offsets", hdf5::Type::kUint64, {entry.documents + 1}, document_offsets.data());
    entry.documents_offset = file.offset("document-offsets");
    file.close();
  }

  // Size and checksum, read back from the page cache: the beginning of the file is written last.
  void measure() {
    Xxh3Stream checksum;
    for (;;) {
      block.resize(kCorpusBlockBytes);
      const ssize_t got = ::pread(out.get(), block.data(), block.size(), static_cast<off_t>(entry.bytes));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail("read", errno);
      if (got == 0) break;
      checksum.update(block.data(), static_cast<std::size_t>(got));
      entry.bytes += static_cast<std::uint64_t>(got);
    }
    entry.checksum = checksum.hex128();
  }

  Split split;
  std::size_t number;
  TokenStorage storage;
  std::string tokenizer_hash;
  fs::path path;
  hdf5::File file;
  Descriptor out;
  ShardEntry entry;
  std::string block;          // tokens that are not in the file yet
  std::uint64_t written = 0;  // bytes of tokens that are
  std::vector<std::uint64_t> document_offsets = {0};
};

ShardWriter::ShardWriter(const fs::path& directory, Split split, std::size_t number, const CorpusIndex& index)
    : impl_(std::make_unique<Impl>(directory, split, number, index)) {}

ShardWriter::~ShardWriter() = default;

std::uint64_t ShardWriter::tokens() const { return impl_->entry.tokens; }
std::uint64_t ShardWriter::documents() const { return impl_->entry.documents; }

void ShardWriter::add(const TokenRow& row, std::size_t first, std::size_t last) {
  if (first == last) return;
  const auto& documents = row.documents();
  const TokenRow::Document begin = first > 0 ? documents[first - 1] : TokenRow::Document{};
  const TokenRow::Document end = documents[last - 1];
  ShardEntry& entry = impl_->entry;
  impl_->append(std::string_view(row.bytes())
                    .substr(begin.end * entry.element_bytes, (end.end - begin.end) * entry.element_bytes));
  for (std::size_t i = first; i < last; ++i)
    impl_->document_offsets.push_back(entry.tokens + documents[i].end - begin.end);
  entry.tokens += end.end - begin.end;
  entry.documents += last - first;
  entry.text_bytes += end.text_bytes - begin.text_bytes;
}

ShardEntry ShardWriter::finish() {
  ShardEntry& entry = impl_->entry;
  impl_->write_structure();
  impl_->flush_block(entry.tokens_offset);
  entry.documents_checksum = xxh3_128_hex(impl_->document_offsets.data(), entry.document_bytes());
  if (::fsync(impl_->out.get()) != 0) impl_->fail("sync", errno);
  impl_->measure();
  if (impl_->out.close() != 0) impl_->fail("close", errno);
  return std::move(entry);
}

}  // namespace trireme::data
