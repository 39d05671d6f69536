#include "models/checkpoint/verify.h"

#include <filesystem>
#include <set>

#include "core/base/error.h"
#include "models/checkpoint/box.h"
#include "models/checkpoint/rank_file.h"
#include "models/checkpoint/weights_hash.h"

namespace trireme::models {
namespace {

namespace fs = std::filesystem;

std::string range_text(std::uint64_t begin, std::uint64_t end) {
  return "bytes " + std::to_string(begin) + " to " + std::to_string(end);
}

// Where it lies that a checksum of all that is in no slice does not hold.
std::string rest_text(const std::vector<Region>& regions) {
  constexpr int kMost = 4;
  std::string text;
  int count = 0;
  for (const Region& region : regions)
    if (!region.slice && ++count <= kMost) text += (count > 1 ? ", " : "") + range_text(region.begin, region.end);
  return "outside of its tensors (" + text + (count > kMost ? ", ..." : "") + ")";
}

void check_file(const InputDirectory& directory, const Manifest& manifest, const std::string& name,
                const std::vector<Region>& slices, Scope scope, std::vector<std::string>& faults) {
  const Manifest::File& due = manifest.files.at(name);
  try {
    const InputFile file(directory, name);
    if (file.size() != due.bytes) {
      faults.push_back(name + ": has " + std::to_string(file.size()) + " bytes, " + std::to_string(due.bytes) +
                       " are due");
      for (const Region& slice : slices)
        if (slice.end > file.size())
          faults.push_back(name + ": tensor " + *slice.tensor + ", " + range_text(slice.begin, slice.end) +
                           ": beyond the end of the file");
      return;
    }
    const bool twice = manifest.covers_slices_twice();
    const std::vector<Region> all = regions(slices, due.bytes);
    const std::size_t known = faults.size();
    if (scope == Scope::kAll)
      for (const Region& region : all) {
        if (!region.slice) continue;
        try {
          Xxh3Stream hash;
          file.update(hash, region.begin, region.end - region.begin);
          if (std::string fault = slice_fault(*region.tensor, *region.slice, hash.hex128()); !fault.empty())
            faults.push_back(std::move(fault));
        } catch (const Error& error) {
          if (error.code() != ErrorCode::kCorrupt) throw;
          faults.push_back(slice_text(*region.tensor, *region.slice) + ": " + error.what());
        }
      }
    if (twice && faults.size() > known) return;  // the checksum of the file says it once more
    Xxh3Stream rest;
    for (const Region& region : all)
      if (twice || !region.slice) file.update(rest, region.begin, region.end - region.begin);
    if (const std::string found = rest.hex128(); found != due.xxh3_128)
      faults.push_back(name + ": damaged" + (slices.empty() ? "" : " " + rest_text(all)) + ", the checksum is " +
                       found + ", " + due.xxh3_128 + " is due");
  } catch (const Error& error) {
    if (!is_damage(error)) throw;
    faults.push_back(name + ": " + error.what());
  }
}

// The hash of stored weights, each tensor assembled from its slices, which are known to be sound.
std::string hash_of_weights(const InputDirectory& directory, const Manifest& manifest) {
  WeightsHash weights;
  for (const auto& [name, tensor] : manifest.tensors) {
    if (!name.starts_with(kWeightsPrefix)) continue;
    const std::size_t element = bytes_per_element(tensor.type);
    const Box whole{Extents(tensor.shape.size(), 0), tensor.shape};
    std::vector<char> buffer, assembled(static_cast<std::size_t>(*volume(tensor.shape)) * element);
    for (const Manifest::Slice& slice : tensor.slices) {
      buffer.resize(slice.bytes);
      InputFile(directory, slice.file).read(slice.file_offset, buffer.data(), slice.bytes);
      copy_box(slice.box, slice.box, buffer.data(), whole, assembled.data(), element);
    }
    weights.add(name, WeightsHash::of_tensor(name, tensor.type, tensor.shape, assembled.data()));
  }
  return weights.hex();
}

}  // namespace

bool is_damage(const Error& error) {
  return error.code() == ErrorCode::kCorrupt || error.code() == ErrorCode::kNotFound;
}

std::vector<std::string> file_faults(const InputDirectory& directory, const Manifest& manifest, Scope scope, int part,
                                     int parts) {
  std::vector<std::string> faults;
  const auto slices = slices_by_file(manifest.tensors);
  int number = 0;
  for (const auto& [name, due] : manifest.files) {
    if (number++ % parts != part) continue;
    const auto found = slices.find(name);
    check_file(directory, manifest, name, found == slices.end() ? std::vector<Region>() : found->second, scope, faults);
  }
  if (part != 0) return faults;
  std::set<std::string> unknown;
  std::error_code error;
  for (fs::directory_iterator entry(directory.path(), error), end; !error && entry != end; entry.increment(error))
    unknown.insert(entry->path().filename().string());
  if (error) faults.push_back("cannot list " + directory.path().string() + ": " + error.message());
  unknown.erase(kManifestFile);
  for (const auto& [name, _] : manifest.files) unknown.erase(name);
  for (const std::string& name : unknown) faults.push_back(name + ": is not a file of the checkpoint");
  return faults;
}

std::vector<std::string> check_files(const fs::path& checkpoint) {
  try {
    const InputDirectory files(checkpoint);
    return file_faults(files, read_manifest(files));
  } catch (const Error& error) {
    if (!is_damage(error)) throw;
    return {error.what()};
  }
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
  if (!faults.empty()) return faults;

  // Only of what is whole: HDF5 is not to be trusted with damaged files, nor a hash with missing parts.
  if (const std::string found = hash_of_weights(directory, manifest); found != manifest.weights_hash)
    faults.push_back(std::string(kManifestFile) + ": weights_hash is " + manifest.weights_hash +
                     ", that of the stored weights is " + found);
  for (const auto& [name, _] : manifest.files) {
    if (!is_rank_file(name)) continue;
    const auto more = rank_file_faults(path, name, manifest);
    faults.insert(faults.end(), more.begin(), more.end());
  }
  return faults;
}

}  // namespace trireme::models
