#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trireme::models {

/// How a parameter starts: constant, or normal with this standard deviation.
struct Init {
  enum Kind { kZeros, kOnes, kNormal } kind = kZeros;
  double deviation = 0;
  static Init zeros() { return {kZeros, 0}; }
  static Init ones() { return {kOnes, 0}; }
  static Init normal(double deviation) { return {kNormal, deviation}; }
};

/// What a parameter does in the forward pass.
enum class Role {
  kMatrix,  ///< every token is multiplied by it
  kTable,   ///< each token looks up one row
  kNorm,    ///< scales what a norm gives
  kBias,    ///< is added
};

/// A weight by its canonical name: "blocks.0.attention.query.weight". The name decides its initial values and its place
/// in checkpoints, so it is part of the format.
struct Parameter {
  std::string name;
  std::vector<std::int64_t> shape;
  Init init;
  Role role = Role::kMatrix;
  /// Of the tokens that a matrix multiplies: less than 1 for one of several experts.
  double share = 1;
  /// Another parameter whose storage this one shares. It still is a leaf of its own with its own gradient, so that the
  /// two gradients are summed once a step, in every layout, and not once a micro-batch.
  const Parameter* tied_to = nullptr;
  /// Training leaves it as it is: it has no gradient, and no place in what training keeps.
  bool frozen = false;
  /// What forward reads. Empty until bind() of whoever owns the memory: trainer, loader or test.
  at::Tensor value;

  std::int64_t elements() const {
    std::int64_t product = 1;
    for (const std::int64_t size : shape) product *= size;
    return product;
  }
  /// Operations of forward and backward for each token: two for each element of a matrix, and for the gradients of what
  /// it multiplies and, unless it is frozen, of itself.
  double training_flops() const {
    return role == Role::kMatrix ? (frozen ? 4 : 6) * share * static_cast<double>(elements()) : 0;
  }
};

/// The part of the model that a parameter belongs to: "blocks.0" of "blocks.0.attention.query.weight", "norm" of
/// "norm.weight". Those of one part follow each other in a ParameterList.
std::string_view group_of(std::string_view name);

/// "blocks.7.attention.query.weight" -> {7, "attention.query.weight"}; -1 and the name itself for what is in no block.
std::pair<std::int64_t, std::string_view> split_block_name(std::string_view name);

/// Whether a name is that of a part of an adapter (layers/adapter.h).
bool is_adapter(std::string_view name);

/// All parameters of a model in the order of the forward pass; layers add theirs while they are built and keep the
/// reference. Addresses are stable.
class ParameterList {
 public:
  ParameterList() = default;
  ParameterList(const ParameterList&) = delete;
  ParameterList& operator=(const ParameterList&) = delete;

  Parameter& add(std::string name, std::vector<std::int64_t> shape, Init init, Role role, double share = 1);
  /// Shares the storage of `other`. Not in checkpoints.
  Parameter& add_tied(std::string name, const Parameter& other, Role role);

  std::deque<Parameter>& all() { return parameters_; }
  const std::deque<Parameter>& all() const { return parameters_; }
  /// Elements in storage of their own: what a model's size means.
  std::int64_t elements() const;
  /// Of those, what training changes.
  std::int64_t trained_elements() const;
  /// Freezes all but adapters.
  void freeze_but_adapters();

 private:
  std::deque<Parameter> parameters_;
  std::set<std::string> names_;
};

/// Gives every parameter fresh memory of this type on the CPU, uninitialised.
void allocate(ParameterList& parameters, at::ScalarType type);

/// Elements [begin, begin + count) of a parameter's initial values, row-major: a function of seed and name alone.
void initial_values(const Parameter& parameter, std::uint64_t seed, std::int64_t begin, std::int64_t count, float* out);
void initial_values(const Parameter& parameter, std::uint64_t seed, std::int64_t begin, std::int64_t count,
                    double* out);

}  // namespace trireme::models
