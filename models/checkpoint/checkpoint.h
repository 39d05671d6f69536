#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/hash.h"
#include "core/comm/communicator.h"

namespace trireme::models {

/// Element types that a checkpoint can hold, as they are spelt in manifests: "float32", "float64", "bfloat16".
enum class StoredType { kFloat32, kFloat64, kBfloat16 };
std::string_view type_name(StoredType type);
std::optional<StoredType> stored_type(std::string_view name);
std::size_t bytes_per_element(StoredType type);

/// A box of a tensor in this process's memory, row-major and contiguous. A box may be empty, as the share of a rank
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
};

/// Bytes that slices of a written tensor are best cut to: readers that want a part of it read and check whole slices.
inline constexpr std::int64_t kSliceBytes = std::int64_t{4} << 20;

/// Of the names of tensors: weights, and their moving average where training kept one.
inline constexpr const char *kWeightsPrefix = "weights/", *kAveragePrefix = "ema/";

/// Hash of named weights that does not depend on how they are split, so that a trainer, a checkpoint and a server agree
/// on what they hold: SHA-256 over every tensor named "weights/...", in order of name: name, type, shape and the hashes
/// of its row-major bytes in pieces of 4 MiB. Definition: docs/formats/checkpoint.md.
class WeightsHash {
 public:
  /// The part of one whole tensor: SHA-256 over its name, type, shape and piece hashes, 64 hex digits.
  static std::string of_tensor(const std::string& name, StoredType type, const std::vector<std::int64_t>& shape,
                               const void* data);

  /// For who never holds a tensor whole: pieces of 4 MiB, the last one shorter, may be hashed wherever they are.
  static constexpr std::size_t kPieceBytes = std::size_t{4} << 20;
  static std::string of_piece(const void* bytes, std::size_t size);
  /// For who has the bytes of a tensor in order, but not at once.
  class Tensor {
   public:
    void update(const void* bytes, std::size_t size);
    /// What of_tensor gives; ends the stream.
    std::string part(const std::string& name, StoredType type, const std::vector<std::int64_t>& shape);

   private:
    std::vector<std::string> pieces_;
    std::unique_ptr<Sha256> piece_;
    std::size_t left_ = 0;  // bytes that its piece has room for
  };
  /// What of_tensor gives, from the hashes of all its pieces in order.
  static std::string of_pieces(const std::string& name, StoredType type, const std::vector<std::int64_t>& shape,
                               const std::vector<std::string>& pieces);

  /// Adds one tensor's part, in any order. @throws Error kBug when the name was added before or is not "weights/..."
  void add(const std::string& name, std::string part);
  std::string hex() const;

 private:
  std::vector<std::pair<std::string, std::string>> parts_;
};

struct CheckpointContent {
  std::vector<TensorSlice> slices;  ///< this rank's; every element of every tensor is in one slice of one rank
  std::string model_json;      ///< an object, all that is needed to build the module; the same on all ranks, as are:
  std::string training_json;   ///< an object, the trainer's own: step, tokens, position in the data, result so far
  std::string tokenizer_json;  ///< kept byte for byte
  /// Where set, of slices that do not lie in memory together: the bytes of slices[i], asked for once each, in order,
  /// those without elements left out; needed until the next is asked for. TensorSlice::data is not read then.
  std::function<const void*(std::size_t i)> data;
  /// WeightsHash over all tensors "weights/...", asked for on all ranks once all have written; verify() recomputes it.
  std::function<std::string()> weights_hash;
};

/// Writes `directory`, called by all ranks: each writes one HDF5 file (none when it has no slices), rank 0 the manifest
/// and tokenizer.json; all is synced under a temporary name beside it before one rename makes it the checkpoint.
/// Returns on every rank after the rename is durable. The parent must be on a file system that all ranks share; it is
/// made.
///
/// A checkpoint that is already there, of a timeline that the run has left or a damaged one, changes places with the
/// new one in that same rename and is removed after it: at no moment is there none.
///
/// @throws Error kIo on every rank, with the rank and the reason, when it failed on any; then what stood under that
/// name before stands there still and nothing half-written is left. kBug likewise, for slices that do not tile their
/// tensors or texts that are not JSON objects. kPeerLost passes through: then the checkpoint may have been committed,
/// and is whole if it was; a temporary may stay until prune_checkpoints.
void write_checkpoint(Communicator& world, const std::filesystem::path& directory, const CheckpointContent& content);

/// A checkpoint opened for reading: its manifest is read and checked, tensors are read by offset and checked slice by
/// slice. Safe to use from many threads.
class Checkpoint {
 public:
  /// Reads the manifest and compares the sizes of the files with it; no data is read.
  /// @throws Error kNotFound, kCorrupt, naming the file; kBadInput for a format version that is not known
  static Checkpoint open(const std::filesystem::path& directory);
  Checkpoint(Checkpoint&&) noexcept;
  Checkpoint& operator=(Checkpoint&&) noexcept;
  ~Checkpoint();

  struct Tensor {
    std::string name;
    StoredType type;
    std::vector<std::int64_t> shape;
  };
  const std::vector<Tensor>& tensors() const;  ///< in order of name
  bool has(const std::string& name) const;
  /// A box of a tensor into `out`, in the stored type. The slices it touches are read whole and checked; when it
  /// throws, `out` holds nothing of use.
  /// @throws Error kNotFound, kCorrupt (file, tensor, byte range), kBadInput for a box outside the tensor
  void read(const std::string& name, const std::vector<std::int64_t>& offset, const std::vector<std::int64_t>& size,
            void* out) const;
  void read(const std::string& name, void* out) const;  ///< the whole tensor

  const std::filesystem::path& directory() const;
  const std::string& model_json() const;
  const std::string& training_json() const;
  const std::string& weights_hash() const;
  std::string tokenizer_json() const;  ///< @throws Error kCorrupt

  /// Everything that is wrong, a line each, naming file, tensor and byte range; empty when sound. Reads every byte of
  /// every file, recomputes weights_hash, opens the HDF5 files as such, and names files that the manifest does not
  /// know. Holds the largest of the weights in memory. @throws Error kNotFound when the directory is gone
  std::vector<std::string> verify() const;

 private:
  struct Impl;
  explicit Checkpoint(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Checkpoint::verify for a directory that may not even open.
std::vector<std::string> verify_checkpoint(const std::filesystem::path& directory);

/// Steps that a run has committed, ascending; none when it has no checkpoints.
std::vector<std::int64_t> checkpoint_steps(const std::filesystem::path& run);
/// run/checkpoints/step-00000200
std::filesystem::path checkpoint_path(const std::filesystem::path& run, std::int64_t step);

/// The validation loss of exactly these weights, as the trainer wrote it into the checkpoint; nothing when it did not
/// evaluate at this step.
std::optional<double> evaluated_loss(const Checkpoint& checkpoint);
struct EvaluatedStep {
  std::int64_t step;
  double loss;
};
/// The evaluated checkpoints of a run, lowest loss first, of equal ones the newest. Those that do not open are left
/// out.
std::vector<EvaluatedStep> best_checkpoints(const std::filesystem::path& run);

/// Removes all but the newest `keep` (0: all stay) and the best `keep_best`, and what crashed saves left behind. Only
/// checkpoints that open count, so that damaged ones never push out the last that can be used. Call it while no save of
/// this run is under way. What cannot be removed is named in a warning.
void prune_checkpoints(const std::filesystem::path& run, std::int64_t keep, std::int64_t keep_best = 0);
/// Removes the checkpoints of later steps, newest first, for a run that goes on from `step` by choice: left there, the
/// next start would take up the timeline that was given up. Those among the best `keep_best` are not deleted but get
/// another name ("step-00000100.left-1700000000"). What cannot be removed is named in a warning.
void remove_checkpoints_after(const std::filesystem::path& run, std::int64_t step, std::int64_t keep_best = 0);

/// The checkpoints that MODEL names: that directory itself, or those of a run, oldest first, sound or not.
/// @throws Error kNotFound when it is neither
std::vector<std::filesystem::path> checkpoint_directories(const std::filesystem::path& model);

/// What is wrong with the files of a checkpoint, a line each; empty when every byte is as it was saved. Reads every
/// byte once and checks it against the manifest's checksums: enough to choose a checkpoint by, at several times
/// verify()'s speed.
std::vector<std::string> check_files(const std::filesystem::path& checkpoint);

/// Gives checkpoints of steps after `step` another name ("step-00000100.damaged-1700000000"): they were found damaged,
/// and a run that goes on before them must neither count them as kept nor come back to them. Nothing is deleted.
/// @throws Error kIo
void set_aside_checkpoints_after(const std::filesystem::path& run, std::int64_t step);

/// Opens what a user calls MODEL: a checkpoint directory, or a run: then its newest sound checkpoint, with damaged ones
/// named in a warning and passed over. Sound means that every byte of every file was read and holds, since a reader
/// that meets damage later can no longer choose another. Of many ranks let one choose and tell the others the
/// directory.
/// @param step  of a run: "newest", "best" (the lowest validation loss) or a step; the first two pass over damage
/// @throws Error kNotFound, kCorrupt, with what was looked at; kUsage for another `step`
Checkpoint open_model(const std::filesystem::path& model, const std::string& step = "newest");

}  // namespace trireme::models
