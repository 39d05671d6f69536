#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/comm/communicator.h"
#include "models/checkpoint/checkpoint.h"

/// A checkpoint is written in two steps: any number of writers each write their share into a folder, wherever and in
/// whatever threads they are; then one puts the shares together and gives the folder its name. Nothing here talks to
/// another rank but write_checkpoint().
namespace trireme::models {

/// A box of a tensor in this process's memory, row-major and contiguous. A box may be empty, as the share of a writer
/// that has none of a tensor; a tensor without elements is still declared by at least one empty box.
struct TensorSlice {
  /// Canonical: "weights/blocks.0.attention.query.weight", "optimizer/first-moment/...". Parts of [A-Za-z0-9._+:-]
  /// joined by '/'.
  std::string name;
  StoredType type = StoredType::kFloat32;
  std::vector<std::int64_t> shape;   ///< of the whole tensor
  std::vector<std::int64_t> offset;  ///< of this box, an entry an axis
  std::vector<std::int64_t> size;    ///< of this box
  const void* data = nullptr;
  /// Bytes of the tensor behind those of the box that the next writer writes, needed here for the hash: a piece that
  /// begins in the box is hashed by who has its beginning.
  std::uint64_t hashed_behind = 0;
};

/// Bytes that slices of a written tensor are best cut to: readers that want a part of it read and check whole slices.
inline constexpr std::int64_t kSliceBytes = std::int64_t{4} << 20;

/// Adds the slices of a tensor of which one writer writes all: whole rows, of kSliceBytes unless a row is longer.
void append_row_slices(std::vector<TensorSlice>& slices, const std::string& name, StoredType type,
                       const std::vector<std::int64_t>& shape);

/// A writer with more to write makes several files: parallel file systems spread files, and single ones of terabytes
/// are a burden everywhere.
inline constexpr std::uint64_t kMostFileBytes = std::uint64_t{4} << 30;

/// Where set, of slices that do not lie in memory together: the bytes of slices[i], and behind them those that are
/// hashed; asked for once each, in order, those without elements left out; needed until the next is asked for.
/// TensorSlice::data is not read then.
using SliceData = std::function<const void*(std::size_t i)>;

/// In the name of what commit_checkpoint moved out of the way, before the name that it had.
inline constexpr const char* kReplaced = ".replaced-";

struct CheckpointTexts {
  std::string model_json;      ///< an object, all that is needed to build the module
  std::string training_json;   ///< an object, the trainer's own: step, tokens, position in the data, result so far
  std::string tokenizer_json;  ///< kept byte for byte; empty: none
  /// WeightsHash over all tensors "weights/...". Only where slices of weights are not whole rows: else it is made of
  /// what the writers hash.
  std::string weights_hash;
  /// Other files that go with the model, by name (kCompanionFiles), kept byte for byte.
  std::map<std::string, std::string> companions{};
};

/// Writes this writer's files, HDF5 with a dataset a slice, into `folder` and syncs them; none when it has no elements.
/// @param writer  tells its files from those of the others
/// @returns its share, a text for commit_checkpoint
/// @throws Error kIo, kNotFound when the folder is gone; kBug for slices that cannot be
std::string write_share(const std::filesystem::path& folder, int writer, const std::vector<TensorSlice>& slices,
                        const SliceData& data = {}, std::uint64_t most_file_bytes = kMostFileBytes);

struct Committed {
  std::string weights_hash;
  std::uint64_t bytes = 0;  ///< of all files
};

/// Makes `folder`, into which all writers have written, the checkpoint `directory`: adds tokenizer.json and
/// manifest.json, syncs all, and gives it the name in one rename that replaces nothing. Returns once that is durable. A
/// checkpoint that has the name already changes places with it, and is then called `folder`.
///
/// @param shares  of all writers
/// @throws Error kIo, kNotFound; kBug for slices that do not tile their tensors or texts that are not JSON objects.
///         What stood under that name before stands there still
Committed commit_checkpoint(const std::filesystem::path& folder, const std::filesystem::path& directory,
                            const std::vector<std::string>& shares, const CheckpointTexts& texts);

/// All of it at once, called by all ranks. The folder is made beside `directory`, whose parent is on a file system that
/// all ranks share and is made.
///
/// @throws Error kIo on every rank, with the rank and the reason, when it failed on any; then what stood under that
/// name before stands there still and nothing half-written is left. kBug likewise. kPeerLost passes through: then the
/// checkpoint may have been committed, and is whole if it was.
Committed write_checkpoint(Communicator& world, const std::filesystem::path& directory,
                           const std::vector<TensorSlice>& slices, const CheckpointTexts& texts,
                           const SliceData& data = {});

}  // namespace trireme::models
