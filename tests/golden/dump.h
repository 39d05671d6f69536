#pragma once
#include <ATen/core/Tensor.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/files.h"

/// How the programs of this folder hand tensors to the scripts beside them (oracle.py reads them): OUT/data.bin, their
/// row-major bytes one behind the other, and OUT/index.json, which tells name, type, shape and offset of each. All
/// numbers are little-endian.
namespace trireme {

class Dump {
 public:
  void add(const std::string& name, const at::Tensor& tensor) {
    const at::Tensor row = tensor.detach().contiguous();
    const auto type = row.scalar_type();
    index_.push_back({{"name", name},
                      {"type", type == at::kDouble ? "float64"
                               : type == at::kLong ? "int64"
                                                   : "float32"},
                      {"shape", std::vector<std::int64_t>(row.sizes().begin(), row.sizes().end())},
                      {"offset", bytes_.size()}});
    bytes_.append(static_cast<const char*>(row.const_data_ptr()), row.nbytes());
  }

  void write(const fs::path& directory) const {
    fs::create_directories(directory);
    write_file_atomically(directory / "data.bin", bytes_);
    write_file_atomically(directory / "index.json", index_.dump());
  }

 private:
  nlohmann::json index_ = nlohmann::json::array();
  std::string bytes_;
};

/// A file of int64. @throws Error kBadInput when it holds another number of them
inline std::vector<std::int64_t> read_ids(const std::string& path, std::int64_t count) {
  const std::string bytes = read_file(path);
  std::vector<std::int64_t> ids(static_cast<std::size_t>(count));
  if (bytes.size() != ids.size() * sizeof(std::int64_t))
    throw Error(ErrorCode::kBadInput, path, " holds ", bytes.size(), " bytes; ", ids.size(), " ids are due");
  std::memcpy(ids.data(), bytes.data(), bytes.size());
  return ids;
}

}  // namespace trireme
