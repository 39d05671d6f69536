#pragma once
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "models/checkpoint/checkpoint.h"
#include "models/parameters.h"
#include "models/stored_type.h"

namespace trireme::models {

/// Which of a checkpoint's weights: those that training goes on from, or their moving average (optimizer.ema-decay).
enum class Weights { kCurrent, kAverage };

/// A model on disk, whatever it lies in: what is needed to build it, its weights under our names, the texts that go
/// with it. Safe to use from many threads.
class ModelSource {
 public:
  virtual ~ModelSource() = default;
  ModelSource(const ModelSource&) = delete;
  ModelSource& operator=(const ModelSource&) = delete;

  /// The directory, for messages.
  virtual std::string where() const = 0;
  /// What model_from_json() takes.
  virtual const std::string& model_json() const = 0;
  /// @throws Error kBadInput when it holds no such weight, or one of another shape
  virtual StoredType type(const Parameter& parameter) const = 0;
  /// Rows [first, first + count) of a parameter's first axis, row-major, in the stored type. @throws Error kCorrupt,
  /// kIo
  virtual void read_rows(const Parameter& parameter, std::int64_t first, std::int64_t count, void* out) const = 0;
  /// tokenizer.json, or another file that goes with the model (kCompanionFiles); nothing where there is none.
  virtual std::optional<std::string> companion(const std::string& name) const = 0;
  /// WeightsHash of the weights, where it was written down together with them.
  virtual std::optional<std::string> known_weights_hash() const { return std::nullopt; }
  /// All of a parameter where it lies in memory already, in the stored type and at a multiple of its size; null where
  /// it does not. It stays there as long as this lives.
  virtual const void* mapped(const Parameter&) const { return nullptr; }

  /// All of a parameter.
  void read(const Parameter& parameter, void* out) const { read_rows(parameter, 0, parameter.shape.at(0), out); }

 protected:
  ModelSource() = default;
};

/// visit(first, count): rows [begin, end) of a parameter's first axis in pieces of some MiB, for who reads them one
/// after the other.
template <class Visit>
void for_row_pieces(const Parameter& parameter, StoredType type, std::int64_t begin, std::int64_t end, Visit visit) {
  constexpr std::int64_t kPieceBytes = std::int64_t{4} << 20;
  if (parameter.elements() == 0) return;
  const std::int64_t row =
      parameter.elements() / parameter.shape[0] * static_cast<std::int64_t>(bytes_per_element(type));
  const std::int64_t at_a_time = std::max<std::int64_t>(1, kPieceBytes / row);
  for (std::int64_t first = begin; first < end; first += at_a_time) visit(first, std::min(at_a_time, end - first));
}

/// A checkpoint's weights.
class CheckpointSource final : public ModelSource {
 public:
  /// @throws Error kBadInput when no average was kept
  explicit CheckpointSource(Checkpoint checkpoint, Weights weights = Weights::kCurrent);
  const Checkpoint& checkpoint() const { return checkpoint_; }
  Weights weights() const { return weights_; }

  std::string where() const override { return checkpoint_.directory().string(); }
  const std::string& model_json() const override { return checkpoint_.model_json(); }
  StoredType type(const Parameter& parameter) const override;
  void read_rows(const Parameter& parameter, std::int64_t first, std::int64_t count, void* out) const override;
  std::optional<std::string> companion(const std::string& name) const override { return checkpoint_.companion(name); }
  std::optional<std::string> known_weights_hash() const override;

 private:
  Checkpoint checkpoint_;
  Weights weights_;
  std::string prefix_;
};

/// Whether its model has adapters.
bool has_adapters(const ModelSource& source);

struct OpenOptions {
  std::string step = "newest";          ///< of a run
  Weights weights = Weights::kCurrent;  ///< of a run or checkpoint
  std::filesystem::path base{};         ///< of adapters: the model that they change; empty: where they say that it is
  bool whole = false;                   ///< refuses adapters: for who opens a base
};

/// Opens what a user calls MODEL: a run, a checkpoint (open_model), a Hugging Face directory, or one of adapters in
/// PEFT's format. Adapters are opened together with their base.
/// @throws Error kNotFound, kCorrupt, kBadInput; kUsage for an option that has no meaning for what it is
std::unique_ptr<ModelSource> open_source(const std::filesystem::path& model, const OpenOptions& options = {});

}  // namespace trireme::models
