#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/stored_type.h"

namespace trireme::models {

/// Of the names of tensors: weights, and their moving average where training kept one.
inline constexpr const char *kWeightsPrefix = "weights/", *kAveragePrefix = "ema/";

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

  /// Reads that follow each other: of those that want parts of the same slice only the first one reads it. Of one
  /// thread; the checkpoint outlives it.
  class Reader {
   public:
    explicit Reader(const Checkpoint& checkpoint);
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    /// As Checkpoint::read.
    void read(const std::string& name, const std::vector<std::int64_t>& offset, const std::vector<std::int64_t>& size,
              void* out);
    /// Says what will be read, in that order: it is read ahead, past the page cache (ReadAhead). For what is read once.
    void expect(const std::string& name, const std::vector<std::int64_t>& offset,
                const std::vector<std::int64_t>& size);

   private:
    struct State;
    std::unique_ptr<State> state_;
  };

  const std::filesystem::path& directory() const;
  const std::string& model_json() const;
  const std::string& training_json() const;
  const std::string& weights_hash() const;
  /// Of the manifest's bytes: two that agree in it are the same checkpoint, to the last byte.
  const std::string& identity() const;
  /// tokenizer.json, or another file that goes with the model (kCompanionFiles); nothing where there is none.
  /// @throws Error kCorrupt
  std::optional<std::string> companion(const std::string& name) const;
  /// Empty where there is none. @throws Error kCorrupt
  std::string tokenizer_json() const;

  /// What is wrong with all that read() does not look at, a line each: bytes around tensors, tokenizer.json, sizes of
  /// files, strange files. With every tensor read, every byte is then checked.
  /// @param part  of `parts`: each of several readers looks at a part of the files
  std::vector<std::string> faults_outside_tensors(int part = 0, int parts = 1) const;

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

/// What is wrong with the files of a checkpoint, a line each; empty when every byte is as it was saved. Reads every
/// byte once and checks it against the manifest's checksums: enough to choose a checkpoint by, at several times
/// verify()'s speed.
std::vector<std::string> check_files(const std::filesystem::path& checkpoint);

}  // namespace trireme::models
