#pragma once
#include <gmock/gmock.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/comm/thread_communicator.h"
#include "models/checkpoint/box.h"
#include "models/checkpoint/checkpoint.h"
#include "models/checkpoint/weights_hash.h"
#include "models/checkpoint/write_checkpoint.h"

/// What the tests of this folder share: a folder that goes away, tensors with known bytes, ways to cut them.
namespace trireme::models {

inline auto throws(ErrorCode code, const std::string& message) {
  return testing::Throws<Error>(testing::AllOf(testing::Property(&Error::code, code),
                                               testing::Property(&Error::what, testing::HasSubstr(message))));
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    static std::atomic<int> number{0};
    path_ = std::filesystem::temp_directory_path() /
            ("trireme-checkpoint-" + std::to_string(::getpid()) + "-" + std::to_string(number++));
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// A whole tensor in memory, every byte of it set by name and place.
struct WholeTensor {
  WholeTensor(std::string tensor_name, StoredType stored, Extents extents)
      : name(std::move(tensor_name)), type(stored), shape(std::move(extents)) {
    bytes.resize(static_cast<std::size_t>(*volume(shape)) * bytes_per_element(type));
    std::uint32_t state = static_cast<std::uint32_t>(std::hash<std::string>{}(name));
    for (char& byte : bytes) byte = static_cast<char>((state = state * 1664525u + 1013904223u) >> 24);
  }
  Box box() const { return {Extents(shape.size(), 0), shape}; }
  std::vector<char> cut(const Box& part) const {
    std::vector<char> out(static_cast<std::size_t>(*volume(part.size)) * bytes_per_element(type));
    if (!out.empty()) copy_box(part, box(), bytes.data(), part, out.data(), bytes_per_element(type));
    return out;
  }
  std::string name;
  StoredType type;
  Extents shape;
  std::vector<char> bytes;
};

/// Slices and the memory that they point to.
struct Share {
  void add(const WholeTensor& tensor, const Box& box) {
    memory.push_back(tensor.cut(box));
    slices.push_back({tensor.name, tensor.type, tensor.shape, box.offset, box.size, memory.back().data()});
  }
  std::vector<TensorSlice> slices;
  CheckpointTexts texts;
  std::vector<std::vector<char>> memory;
};

/// Part `index` of `parts` along an axis, as even as it goes; whole tensors without that axis go to part 0.
inline Box part_of(const WholeTensor& tensor, std::size_t axis, int index, int parts) {
  Box box = tensor.box();
  if (axis >= tensor.shape.size()) {
    if (index > 0 && !box.size.empty()) box.size[0] = 0;
    return box;
  }
  const std::int64_t begin = tensor.shape[axis] * index / parts;
  box.offset[axis] = begin;
  box.size[axis] = tensor.shape[axis] * (index + 1) / parts - begin;
  return box;
}

inline std::string hash_of(const std::vector<WholeTensor>& tensors) {
  WeightsHash hash;
  for (const WholeTensor& tensor : tensors)
    if (tensor.name.starts_with("weights/"))
      hash.add(tensor.name, WeightsHash::of_tensor(tensor.name, tensor.type, tensor.shape, tensor.bytes.data()));
  return hash.hex();
}

inline CheckpointTexts texts(const std::vector<WholeTensor>& tensors) {
  CheckpointTexts content;
  content.model_json = R"({"family":"llama","width":8})";
  content.training_json = R"({"step":200,"tokens":51200})";
  content.tokenizer_json = "{\"version\": \"1.0\"}\n";
  content.weights_hash = hash_of(tensors);  // tensors are cut any way
  return content;
}

/// Every type, odd sizes, a scalar, no elements, an optimizer's state.
inline std::vector<WholeTensor> small_model() {
  return {{"weights/embedding", StoredType::kFloat32, {7, 5}},
          {"weights/blocks.0.norm", StoredType::kFloat32, {5}},
          {"weights/blocks.0.query", StoredType::kBfloat16, {5, 3, 2}},
          {"weights/none", StoredType::kFloat32, {0, 4}},
          {"optimizer/scale", StoredType::kFloat64, {}},
          {"optimizer/first-moment/weights/embedding", StoredType::kFloat64, {7, 5}}};
}

/// Saves `tensors` from `ranks` ranks, each holding its rows.
inline void save_rows(const std::filesystem::path& directory, const std::vector<WholeTensor>& tensors, int ranks,
                      const std::string& training_json = "") {
  run_on_threads(ranks, [&](Communicator& world) {
    Share share;
    share.texts = texts(tensors);
    if (!training_json.empty()) share.texts.training_json = training_json;
    for (const WholeTensor& tensor : tensors) {
      if (tensor.shape.empty() && world.rank() > 0) continue;
      share.add(tensor, part_of(tensor, 0, world.rank(), ranks));
    }
    write_checkpoint(world, directory, share.slices, share.texts);
  });
}

inline std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void put_content(const std::filesystem::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary).write(content.data(), static_cast<std::streamsize>(content.size()));
}

}  // namespace trireme::models
