#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/comm/communicator.h"

namespace trireme::models {

/// Element types that a checkpoint can hold, as they are spelt in manifests: "float32", "float64", "bfloat16".
enum class StoredType { kFloat32, kFloat64, kBfloat16 };

/// A box of a tensor in this process's memory, row-major and contiguous.
struct TensorSlice {
  std::string name;  ///< canonical: "weights/blocks.0.attention.query.weight", "optimizer/first-moment/..."
  StoredType type = StoredType::kFloat32;
  std::vector<std::int64_t> shape;   ///< of the whole tensor
  std::vector<std::int64_t> offset;  ///< of this box, an entry an axis
  std::vector<std::int64_t> size;    ///< of this box
  const void* data = nullptr;
};

/// Hash of named weights that does not depend on how they are split, so that a trainer, a checkpoint and a server agree
/// on what they hold: SHA-256 over every tensor named "weights/...", in order of name: name, type, shape and the hashes
/// of its row-major bytes in pieces of 4 MiB. Definition: docs/formats/checkpoint.md.
class WeightsHash {
 public:
  /// The part of one whole tensor: SHA-256 over its name, type, shape and piece hashes, 64 hex digits.
  static std::string of_tensor(const std::string& name, StoredType type, const std::vector<std::int64_t>& shape,
                               const void* data);
  /// Adds one tensor's part, in any order. @throws Error kBug when the name was added before
  void add(const std::string& name, std::string part);
  std::string hex() const;

 private:
  std::vector<std::pair<std::string, std::string>> parts_;
};

struct CheckpointContent {
  std::vector<TensorSlice> slices;  ///< this rank's; every element of every tensor is in one slice of one rank
  std::string model_json;           ///< all that is needed to build the module; the same on all ranks, as are:
  std::string training_json;        ///< the trainer's own: step, tokens, position in the data, config, result so far
  std::string tokenizer_json;
  std::string weights_hash;
};

/// Writes `directory`, called by all ranks: each writes one HDF5 file, rank 0 the manifest and tokenizer.json; all is
/// synced under a temporary name before one rename makes it the checkpoint. Returns on every rank after the rename is
/// durable. @throws Error kIo on every rank when it failed on any; then nothing of that name exists.
void write_checkpoint(Communicator& world, const std::filesystem::path& directory, const CheckpointContent& content);

/// A checkpoint opened for reading: its manifest is read and checked, tensors are read by offset and checked slice by
/// slice. Safe to use from many threads.
class Checkpoint {
 public:
  /// @throws Error kNotFound, kCorrupt, naming the file
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
  /// A box of a tensor into `out`, in the stored type. The slices it touches are read whole and checked.
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
  /// every file, recomputes weights_hash, and names files that the manifest does not know.
  std::vector<std::string> verify() const;

 private:
  struct Impl;
  explicit Checkpoint(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Steps that a run has committed, ascending.
std::vector<std::int64_t> checkpoint_steps(const std::filesystem::path& run);
/// run/checkpoints/step-00000200
std::filesystem::path checkpoint_path(const std::filesystem::path& run, std::int64_t step);
/// Removes all but the newest `keep` (0: all stay) and what crashed saves left behind.
void prune_checkpoints(const std::filesystem::path& run, std::int64_t keep);

/// Opens what a user calls MODEL: a checkpoint directory, or a run (its newest sound checkpoint; damaged ones are named
/// in a warning and passed over). @throws Error kNotFound, kCorrupt
Checkpoint open_model(const std::filesystem::path& model);

}  // namespace trireme::models
