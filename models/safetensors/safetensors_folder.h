#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "models/safetensors/safetensors_file.h"

namespace trireme::models {

/// Of STEM.safetensors.index.json, which tells where the tensors of several files lie: file by tensor.
///
/// A file is named by its plain name: one that would leave the directory ("../x", "/x", "a/b") is refused.
/// @throws Error kCorrupt
std::map<std::string, std::string> parse_safetensors_index(const std::string& text, const std::string& where);
std::string safetensors_index_text(const std::map<std::string, std::string>& files, std::uint64_t tensor_bytes);

/// The tensors of a directory as Hugging Face lays them out: in STEM.safetensors, or in the files that
/// STEM.safetensors.index.json names: then the index decides which of several tensors of one name it is.
class SafetensorsFolder {
 public:
  struct Tensor {
    SafetensorsEntry entry;
    const SafetensorsFile* file = nullptr;
    const char* data() const { return file->data(entry); }
  };

  /// Opens all files and checks their headers. @throws Error kNotFound when neither is there; kCorrupt, kBadInput, kIo
  explicit SafetensorsFolder(const std::filesystem::path& directory, const std::string& stem = "model");

  const std::map<std::string, Tensor>& tensors() const { return tensors_; }
  const std::vector<std::unique_ptr<SafetensorsFile>>& files() const { return files_; }

 private:
  std::vector<std::unique_ptr<SafetensorsFile>> files_;
  std::map<std::string, Tensor> tensors_;
};

}  // namespace trireme::models
