#include <fcntl.h>
#include <stdio.h>

#include <array>
#include <bit>
#include <cerrno>
#include <fstream>
#include <functional>
#include <random>
#include <set>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "models/checkpoint/checkpoint.h"
#include "models/checkpoint/input_file.h"
#include "models/checkpoint/manifest.h"
#include "models/checkpoint/rank_file.h"

namespace trireme::models {
namespace {

using nlohmann::json;

// Does `work` on this rank and hands its result to all. When it throws on any rank, all ranks throw: of the lowest such
// rank, so that they agree. Without this a rank whose disk is full would leave its peers in the next collective.
std::vector<std::string> together(Communicator& world, const std::string& what,
                                  const std::function<std::string()>& work) {
  constexpr char kDone = '=', kFailed = '!', kBug = '?';
  std::string mine;
  try {
    mine = kDone + work();
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kPeerLost) throw;
    mine = (error.code() == ErrorCode::kBug ? kBug : kFailed) + std::string(error.what());
  } catch (const std::exception& error) {
    mine = kFailed + std::string(error.what());
  }
  std::vector<std::string> results = world.all_gather_text(mine);
  for (std::size_t rank = 0; rank < results.size(); ++rank) {
    const char result = results[rank].at(0);
    results[rank].erase(0, 1);
    if (result != kDone)
      throw Error(result == kBug ? ErrorCode::kBug : ErrorCode::kIo, "cannot save ", what,
                  results.size() > 1 ? ": rank " + std::to_string(rank) : "", ": ", results[rank]);
  }
  return results;
}

std::string random_suffix() {
  std::random_device device;
  const std::array<unsigned, 4> words{device(), device(), device(), device()};
  return xxh3_128_hex(words.data(), sizeof words).substr(0, 8);
}

void remove_quietly(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) log_warning("cannot remove " + path.string() + ": " + error.message());
}

void write_new_file(const fs::path& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  file.close();
  if (!file) throw Error(ErrorCode::kIo, "cannot write ", path.string(), ": ", system_reason(errno));
  sync_path(path);
}

// What a caller may get wrong in one rank's slices; what only all ranks together show is seen by Manifest::check.
void check_slices(const CheckpointContent& content) {
  std::set<std::pair<std::string, Extents>> seen;
  for (const TensorSlice& slice : content.slices) {
    const auto fail = [&](const char* why) {
      throw Error(ErrorCode::kBug, "slice at ", extents_text(slice.offset), " of size ", extents_text(slice.size),
                  " of tensor ", slice.name, " of shape ", extents_text(slice.shape), ' ', why);
    };
    if (!is_tensor_name(slice.name)) fail("has a name that is not allowed");
    if (!volume(slice.shape)) fail("has an impossible shape");
    if (!lies_inside({slice.offset, slice.size}, slice.shape)) fail("lies outside of it");
    if (*volume(slice.size) == 0) continue;
    if (!slice.data && !content.data) fail("has no data");
    if (!seen.emplace(slice.name, slice.offset).second) fail("comes twice");
  }
}

// This rank's file and its part of the manifest, as JSON text.
std::string write_share(const fs::path& temporary, int rank, const CheckpointContent& content) {
  check_slices(content);
  std::map<std::string, Manifest::Tensor> tensors;
  json share = {{"files", json::object()}, {"tensors", json::object()}};
  bool any = false;
  for (const TensorSlice& slice : content.slices) {
    const bool filled = *volume(slice.size) > 0;
    any = any || filled;
    if (!filled) tensors[slice.name] = {slice.type, slice.shape, {}};
  }
  if (any) {
    const std::string name = rank_file_name(rank);
    if (!fs::exists(temporary))
      throw Error(ErrorCode::kIo, temporary.string(), " is not there: do all ranks share that file system?");
    for (auto& [tensor, written] : write_rank_file(temporary / name, content)) tensors[tensor] = std::move(written);
    // Read back, from the page cache: the bytes between the datasets are HDF5's own and have never been ours to hash.
    const InputFile file(InputDirectory(temporary), name);
    share["files"][name] = to_json(Manifest::File{file.size(), file.xxh3_128()});
    sync_path(temporary / name);
  }
  for (const auto& [name, tensor] : tensors) share["tensors"][name] = to_json(tensor);
  return share.dump();
}

Manifest join_shares(const std::vector<std::string>& shares, const CheckpointContent& content,
                     const std::string& weights_hash) {
  Manifest manifest;
  for (const std::string& text : shares) {
    const json share = json::parse(text);
    for (const auto& [name, file] : share["files"].items()) manifest.files[name] = file_from_json(file, name);
    for (const auto& [name, entry] : share["tensors"].items()) {
      Manifest::Tensor part = tensor_from_json(entry, name);
      const auto [known, is_new] = manifest.tensors.try_emplace(name, part);
      if (is_new) continue;
      Manifest::Tensor& whole = known->second;
      if (whole.type != part.type || whole.shape != part.shape)
        throw Error(ErrorCode::kBug, "ranks differ in type or shape of tensor ", name);
      whole.slices.insert(whole.slices.end(), part.slices.begin(), part.slices.end());
    }
  }
  manifest.model = parse_object(content.model_json, "model_json", ErrorCode::kBug);
  manifest.training = parse_object(content.training_json, "training_json", ErrorCode::kBug);
  manifest.weights_hash = weights_hash;
  manifest.files[kTokenizerFile] = {content.tokenizer_json.size(), xxh3_128_hex(content.tokenizer_json)};
  manifest.check("the slices of all ranks", ErrorCode::kBug);
  return manifest;
}

int rename_with(const fs::path& from, const fs::path& to, unsigned flags) {
  return ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) == 0 ? 0 : errno;
}

[[noreturn]] void fail_rename(const fs::path& from, const fs::path& to, int reason) {
  throw Error(ErrorCode::kIo, "cannot rename ", from.string(), " to ", to.string(), ": ", system_reason(reason));
}

// Gives `temporary` the name of the checkpoint; what had it before has `temporary`'s name afterwards, or none did.
void change_names(const fs::path& temporary, const fs::path& directory) {
  int reason = rename_with(temporary, directory, RENAME_NOREPLACE);
  if (reason == EEXIST) reason = rename_with(temporary, directory, RENAME_EXCHANGE);
  if (reason == 0) return;
  if (reason != EINVAL && reason != ENOSYS) fail_rename(temporary, directory, reason);

  // NFS and some parallel file systems know no flags. Without an exchange there is a moment with neither; what was
  // moved aside is then removed by prune_checkpoints, and the run has its older checkpoints.
  fs::path aside = directory;
  aside += ".old-" + random_suffix();
  if (reason = rename_with(directory, aside, 0); reason != 0 && reason != ENOENT) fail_rename(directory, aside, reason);
  const bool had = reason == 0;
  if (reason = rename_with(temporary, directory, 0); reason != 0) {
    if (had) rename_with(aside, directory, 0);
    fail_rename(temporary, directory, reason);
  }
  if (had) rename_with(aside, temporary, 0);
}

// The one rename that makes a checkpoint, taken back when it cannot be made durable.
void commit(const fs::path& temporary, const fs::path& directory) {
  sync_path(temporary);
  change_names(temporary, directory);
  try {
    sync_path(directory.parent_path());
  } catch (...) {
    if (rename_with(temporary, directory, RENAME_EXCHANGE) != 0) rename_with(directory, temporary, 0);
    throw;
  }
}

}  // namespace

void write_checkpoint(Communicator& world, const fs::path& path, const CheckpointContent& content) {
  // Absolute, so that there is a parent to sync; without a slash at the end, so that there is a name.
  fs::path directory = fs::absolute(path).lexically_normal();
  if (!directory.has_filename()) directory = directory.parent_path();
  const std::string what = path.string();
  const bool first = world.rank() == 0;

  const fs::path temporary = together(world, what, [&] {
    if (!first) return std::string();
    fs::create_directories(directory.parent_path());
    fs::path fresh = directory;
    fresh += ".tmp-" + random_suffix();
    if (!fs::create_directory(fresh)) throw Error(ErrorCode::kIo, fresh.string(), " exists");
    return fresh.string();
  })[0];
  try {
    const auto shares = together(world, what, [&] { return write_share(temporary, world.rank(), content); });
    const std::string weights_hash = content.weights_hash();
    together(world, what, [&] {
      if (!first) return std::string();
      const Manifest manifest = join_shares(shares, content, weights_hash);
      write_new_file(temporary / kTokenizerFile, content.tokenizer_json);
      write_new_file(temporary / kManifestFile, manifest.to_text());
      commit(temporary, directory);
      return std::string();
    });
  } catch (...) {
    if (first) remove_quietly(temporary);
    throw;
  }
  if (first) remove_quietly(temporary);  // what had the name before, where something had
}

}  // namespace trireme::models
