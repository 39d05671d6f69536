#include "models/checkpoint/verify.h"

#include <filesystem>
#include <set>

#include "core/base/error.h"
#include "models/checkpoint/rank_file.h"

namespace trireme::models {
namespace {

namespace fs = std::filesystem;

// Empty when the file is as the manifest says.
std::string file_fault(const InputDirectory& directory, const std::string& name, const Manifest::File& due) {
  try {
    const InputFile file(directory, name);
    if (file.size() != due.bytes)
      return name + ": has " + std::to_string(file.size()) + " bytes, " + std::to_string(due.bytes) + " are due";
    if (const std::string found = file.xxh3_128(); found != due.xxh3_128)
      return name + ": damaged, the checksum of the file is " + found + ", " + due.xxh3_128 + " is due";
    return "";
  } catch (const Error& error) {
    return name + ": " + error.what();
  }
}

// Reads every slice of a tensor; those of weights are assembled for their hash. A slice that leaves its file or cannot
// be read is a line like one that is damaged.
void check_tensor(const InputDirectory& directory, const std::string& name, const Manifest::Tensor& tensor,
                  WeightsHash& weights, std::vector<std::string>& faults) {
  const bool weight = name.starts_with("weights/");
  const std::size_t element = bytes_per_element(tensor.type);
  const std::size_t known = faults.size();
  const Box whole{Extents(tensor.shape.size(), 0), tensor.shape};
  std::vector<char> buffer, assembled;
  if (weight) assembled.resize(static_cast<std::size_t>(*volume(tensor.shape)) * element);
  for (const Manifest::Slice& slice : tensor.slices) {
    buffer.resize(slice.bytes);
    try {
      InputFile(directory, slice.file).read(slice.file_offset, buffer.data(), slice.bytes);
    } catch (const Error& error) {
      faults.push_back(slice.file + ": tensor " + name + ", bytes " + std::to_string(slice.file_offset) + " to " +
                       std::to_string(slice.file_offset + slice.bytes) + ": " + error.what());
      continue;
    }
    if (std::string fault = slice_fault(name, slice, buffer.data()); !fault.empty()) faults.push_back(std::move(fault));
    if (weight) copy_box(slice.box, slice.box, buffer.data(), whole, assembled.data(), element);
  }
  if (weight && faults.size() == known)
    weights.add(name, WeightsHash::of_tensor(name, tensor.type, tensor.shape, assembled.data()));
}

}  // namespace

std::vector<std::string> file_faults(const InputDirectory& directory, const Manifest& manifest) {
  std::vector<std::string> faults;
  for (const auto& [name, due] : manifest.files)
    if (std::string fault = file_fault(directory, name, due); !fault.empty()) faults.push_back(std::move(fault));
  std::set<std::string> unknown;
  for (const auto& entry : fs::directory_iterator(directory.path())) unknown.insert(entry.path().filename().string());
  unknown.erase(kManifestFile);
  for (const auto& [name, _] : manifest.files) unknown.erase(name);
  for (const std::string& name : unknown) faults.push_back(name + ": is not a file of the checkpoint");
  return faults;
}

std::vector<std::string> verify_checkpoint(const fs::path& path) {
  const InputDirectory directory(path);
  Manifest manifest;
  try {
    manifest = read_manifest(directory);
  } catch (const Error& error) {
    return {std::string(kManifestFile) + ": " + error.what()};
  }
  std::vector<std::string> faults = file_faults(directory, manifest);
  const bool files_hold = faults.empty();
  WeightsHash weights;
  for (const auto& [name, tensor] : manifest.tensors) check_tensor(directory, name, tensor, weights, faults);
  if (!files_hold || !faults.empty()) return faults;

  // Only of what is whole: HDF5 is not to be trusted with damaged files, nor a hash with missing parts.
  if (const std::string found = weights.hex(); found != manifest.weights_hash)
    faults.push_back(std::string(kManifestFile) + ": weights_hash is " + manifest.weights_hash +
                     ", that of the stored weights is " + found);
  for (const auto& [name, _] : manifest.files) {
    if (name == kTokenizerFile) continue;
    const auto more = rank_file_faults(path, name, manifest);
    faults.insert(faults.end(), more.begin(), more.end());
  }
  return faults;
}

}  // namespace trireme::models
