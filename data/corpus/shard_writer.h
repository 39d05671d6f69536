#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "data/corpus/index.h"
#include "data/corpus/token_row.h"

namespace trireme::data {

/// Writes one shard file while its tokens come in, so that memory does not grow with the shard: 1 MiB and 8 bytes a
/// document. Tokens go to the disk in whole blocks, one behind the other, and each block begins at a multiple of 1 MiB
/// in the file, which is what striped file systems like; HDF5's own structure lies before and behind them.
class ShardWriter {
 public:
  /// @throws Error kIo when the file exists or cannot be made
  ShardWriter(const std::filesystem::path& directory, Split split, std::size_t number, const CorpusIndex& index);
  ~ShardWriter();
  ShardWriter(const ShardWriter&) = delete;
  ShardWriter& operator=(const ShardWriter&) = delete;

  std::uint64_t tokens() const;
  std::uint64_t documents() const;
  /// Documents [first, last) of `row`. @throws Error kIo
  void add(const TokenRow& row, std::size_t first, std::size_t last);
  /// Writes what is left, syncs the file and describes it. Call it once, on any thread. @throws Error kIo
  ShardEntry finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trireme::data
