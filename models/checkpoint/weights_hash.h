#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/hash.h"
#include "models/checkpoint/checkpoint.h"

namespace trireme::models {

/// Hash of named weights that does not depend on how they are split, so that a trainer, a checkpoint and a server agree
/// on what they hold: SHA-256 over every tensor named "weights/...", in order of name: name, type, shape and the hashes
/// of its row-major bytes in pieces of 4 MiB. Definition: docs/formats/checkpoint.md.
class WeightsHash {
 public:
  /// The part of one whole tensor: SHA-256 over its name, type, shape and piece hashes, 64 hex digits.
  static std::string of_tensor(const std::string& name, StoredType type, const std::vector<std::int64_t>& shape,
                               const void* data);

  /// Hashes of pieces by their number in the tensor.
  using Pieces = std::map<std::uint64_t, std::string>;
  static constexpr std::uint64_t kPieceBytes = std::uint64_t{4} << 20;  ///< the last piece of a tensor may be shorter

  /// For who has some of the bytes of a tensor, in order: hashes the pieces that begin in them.
  class Stream {
   public:
    /// @param begin  place of the first byte in the tensor
    explicit Stream(std::uint64_t begin = 0) : at_(begin) {}
    void update(const void* bytes, std::size_t size);
    /// Place of the next byte.
    std::uint64_t at() const { return at_; }
    /// Those that were seen whole, in a tensor of this many bytes; ends the stream.
    Pieces finish(std::uint64_t tensor_bytes);

   private:
    Pieces pieces_;
    std::unique_ptr<Sha256> piece_;
    std::uint64_t at_;
  };

  /// What of_tensor gives. @throws Error kBug when a piece is missing
  static std::string of_pieces(const std::string& name, StoredType type, const std::vector<std::int64_t>& shape,
                               const Pieces& pieces);

  /// Adds one tensor's part, in any order. @throws Error kBug when the name was added before or is not "weights/..."
  void add(const std::string& name, std::string part);
  std::string hex() const;

 private:
  std::map<std::string, std::string> parts_;
};

}  // namespace trireme::models
