#pragma once
#include <atomic>
#include <memory>
#include <span>
#include <utility>

#include "core/base/mapped_file.h"
#include "data/corpus/index.h"

namespace trireme::data {

/// One shard of a corpus, mapped. Blocks of tokens and the document offsets are checked when they are first touched and
/// not again. Safe to use from many threads: two that meet at an unchecked block both check it.
class Shard {
 public:
  /// Checks the file's size and no byte of it. @throws Error kNotFound, kCorrupt, kIo
  Shard(const std::filesystem::path& directory, ShardEntry entry, std::uint64_t vocabulary_size);

  const ShardEntry& entry() const { return entry_; }
  const MappedFile& file() const { return file_; }
  std::string_view token_bytes() const { return {file_.data() + entry_.tokens_offset, entry_.token_bytes()}; }

  /// Tokens [begin, begin + out.size()) of this shard, which must exist. @throws Error kCorrupt naming file and block
  void read(std::uint64_t begin, std::span<TokenId> out) const;
  /// [first, second) of a document of this shard. @throws Error kCorrupt
  std::pair<std::uint64_t, std::uint64_t> document(std::uint64_t index) const;

  /// The checks that read() and document() make on first touch, made now. @throws Error kCorrupt
  void check_block(std::uint64_t block) const;
  void check_documents() const;

 private:
  template <class Element>
  void convert(std::uint64_t begin, std::span<TokenId> out) const;
  std::uint64_t document_offset(std::uint64_t index) const;

  MappedFile file_;
  ShardEntry entry_;
  std::uint64_t vocabulary_size_;
  std::unique_ptr<std::atomic<bool>[]> block_is_sound_;
  std::unique_ptr<std::atomic<bool>> documents_are_sound_;
};

}  // namespace trireme::data
