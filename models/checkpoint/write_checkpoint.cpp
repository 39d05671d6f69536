#include "models/checkpoint/write_checkpoint.h"

#include <algorithm>
#include <future>
#include <optional>
#include <set>
#include <utility>

#include "core/base/durable.h"
#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/strict_json.h"
#include "models/checkpoint/input_file.h"
#include "models/checkpoint/manifest.h"
#include "models/checkpoint/rank_file.h"
#include "models/checkpoint/verify.h"
#include "models/checkpoint/weights_hash.h"

namespace trireme::models {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::uint64_t bytes_of(const TensorSlice& slice) {
  return static_cast<std::uint64_t>(*volume(slice.size)) * bytes_per_element(slice.type);
}

std::uint64_t tensor_bytes(const TensorSlice& slice) {
  return static_cast<std::uint64_t>(*volume(slice.shape)) * bytes_per_element(slice.type);
}

// What a caller may get wrong in one writer's slices; what only all writers together show is seen by Manifest::check.
void check_slices(const std::vector<TensorSlice>& slices, bool have_data) {
  std::set<std::pair<std::string, Extents>> seen;
  for (const TensorSlice& slice : slices) {
    const auto fail = [&](const char* why) {
      throw Error(ErrorCode::kBug, "slice at ", extents_text(slice.offset), " of size ", extents_text(slice.size),
                  " of tensor ", slice.name, " of shape ", extents_text(slice.shape), ' ', why);
    };
    if (!is_tensor_name(slice.name)) fail("has a name that is not allowed");
    if (!volume(slice.shape)) fail("has an impossible shape");
    if (!lies_inside({slice.offset, slice.size}, slice.shape)) fail("lies outside of it");
    if (*volume(slice.size) == 0) continue;
    if (!slice.data && !have_data) fail("has no data");
    if (!seen.emplace(slice.name, slice.offset).second) fail("comes twice");
  }
}

// Hashes weights as their slices pass by, whole rows of a tensor in order.
class PassingHash {
 public:
  void pass(const TensorSlice& slice, const void* data) {
    if (!slice.name.starts_with(kWeightsPrefix)) return;
    const auto element = contiguous_begin({slice.offset, slice.size}, {Extents(slice.shape.size(), 0), slice.shape});
    if (!element) return;  // no whole rows: the caller has the hash
    const std::uint64_t begin = static_cast<std::uint64_t>(*element) * bytes_per_element(slice.type);
    if (slice.name != name_ || stream_->at() != begin) {
      end_tensor();
      name_ = slice.name;
      tensor_bytes_ = tensor_bytes(slice);
      stream_.emplace(begin);
    }
    stream_->update(data, bytes_of(slice) + slice.hashed_behind);
  }

  /// {tensor: {number: hash}}
  json pieces() {
    end_tensor();
    return std::move(pieces_);
  }

 private:
  void end_tensor() {
    if (!stream_) return;
    for (auto& [number, hash] : stream_->finish(tensor_bytes_)) pieces_[name_][std::to_string(number)] = hash;
    stream_.reset();
    name_.clear();
  }

  std::string name_;
  std::uint64_t tensor_bytes_ = 0;
  std::optional<WeightsHash::Stream> stream_;
  json pieces_ = json::object();
};

// The bytes that HDF5 wrote around the elements, as it left them. They have never been ours to hash.
std::string hash_of_rest(const fs::path& folder, const std::string& name, const std::vector<Region>& slices) {
  const InputFile file(InputDirectory(folder), name);
  Xxh3Stream hash;
  for (const Region& region : regions(slices, file.size()))
    if (!region.slice) file.update(hash, region.begin, region.end - region.begin);
  return hash.hex128();
}

struct FileShare {
  std::map<std::string, Manifest::Tensor> tensors;
  Manifest::File file;
};

// @param which  of `slices`, none without elements
FileShare write_file(const fs::path& folder, const std::string& name, const std::vector<TensorSlice>& slices,
                     const std::vector<std::size_t>& which, const SliceData& data, PassingHash& hash) {
  std::vector<const TensorSlice*> wanted;
  for (const std::size_t i : which) wanted.push_back(&slices[i]);
  const std::vector<std::uint64_t> places = lay_out_rank_file(folder / name, wanted);

  FileShare share;
  OutputFile file(folder / name, "rank-file", OutputFile::Open::kExisting);
  for (std::size_t n = 0; n < which.size(); ++n) {
    const TensorSlice& slice = *wanted[n];
    const void* const bytes = data ? data(which[n]) : slice.data;
    const std::uint64_t size = bytes_of(slice);
    // The disk works while this is hashed for the second time.
    std::future<std::string> written = std::async(std::launch::async, [&, place = places[n]] {
      file.write_past_cache(place, bytes, size);
      return xxh3_128_hex(bytes, size);
    });
    hash.pass(slice, bytes);
    const std::string checksum = written.get();
    file.start_sync(places[n], size);
    auto& tensor = share.tensors[slice.name];
    tensor.type = slice.type;
    tensor.shape = slice.shape;
    tensor.slices.push_back({name, places[n], size, {slice.offset, slice.size}, checksum});
  }
  const auto placed = slices_by_file(share.tensors);
  share.file = {fs::file_size(folder / name), hash_of_rest(folder, name, placed.at(name))};
  file.sync();
  file.close();
  return share;
}

void add_tensors(json& share, const std::map<std::string, Manifest::Tensor>& tensors) {
  for (const auto& [name, tensor] : tensors) {
    json entry = to_json(tensor);
    json& known = share["tensors"][name];
    if (known.is_null())
      known = std::move(entry);
    else
      for (json& slice : entry["slices"]) known["slices"].push_back(std::move(slice));
  }
}

struct Joined {
  Manifest manifest;
  std::map<std::string, WeightsHash::Pieces> pieces;
};

Joined join_shares(const std::vector<std::string>& shares) {
  Joined joined;
  for (const std::string& text : shares) {
    const json share = json::parse(text);
    for (const auto& [name, file] : share["files"].items())
      if (!joined.manifest.files.emplace(name, file_from_json(file, name)).second)
        throw Error(ErrorCode::kBug, "two writers have written ", name);
    for (const auto& [name, pieces] : share["pieces"].items())
      for (const auto& [number, hash] : pieces.items()) joined.pieces[name][std::stoull(number)] = hash;
    for (const auto& [name, entry] : share["tensors"].items()) {
      Manifest::Tensor part = tensor_from_json(entry, name);
      const auto [known, is_new] = joined.manifest.tensors.try_emplace(name, part);
      if (is_new) continue;
      Manifest::Tensor& whole = known->second;
      if (whole.type != part.type || whole.shape != part.shape)
        throw Error(ErrorCode::kBug, "writers differ in type or shape of tensor ", name);
      whole.slices.insert(whole.slices.end(), part.slices.begin(), part.slices.end());
    }
  }
  return joined;
}

// Those beside the rank files.
std::map<std::string, std::string> files_of(const CheckpointTexts& texts) {
  std::map<std::string, std::string> files = texts.companions;
  if (!texts.tokenizer_json.empty()) files[kTokenizerFile] = texts.tokenizer_json;
  return files;
}

Manifest manifest_of(const std::vector<std::string>& shares, const CheckpointTexts& texts) {
  auto [manifest, pieces] = join_shares(shares);
  manifest.model = parse_object(texts.model_json, "model_json", ErrorCode::kBug);
  manifest.training = parse_object(texts.training_json, "training_json", ErrorCode::kBug);
  manifest.weights_hash = std::string(64, '0');
  for (const auto& [name, text] : files_of(texts)) manifest.files[name] = {text.size(), xxh3_128_hex(text)};
  manifest.check("the slices of all writers", ErrorCode::kBug);  // before anything is made of sizes in it
  WeightsHash hash;
  for (const auto& [name, tensor] : manifest.tensors)
    if (texts.weights_hash.empty() && name.starts_with(kWeightsPrefix))
      hash.add(name, WeightsHash::of_pieces(name, tensor.type, tensor.shape, pieces[name]));
  manifest.weights_hash = texts.weights_hash.empty() ? hash.hex() : texts.weights_hash;
  return std::move(manifest);
}

constexpr const char* kCommit = "commit";

// Two folders change names. Where the file system cannot do that at once there is a moment in which `directory` is
// nobody's name: what had it is then called as belongs there, so that the run's next owner gives it back (RunOwner).
void change_names(const fs::path& folder, const fs::path& directory) {
  if (exchange_names(folder, directory, kCommit)) return;
  fs::path aside = folder;
  aside += kReplaced;
  aside += directory.filename();
  move_over(directory, aside, kCommit);
  try {
    move_over(folder, directory, kCommit);
  } catch (...) {
    move_over(aside, directory, kCommit);
    throw;
  }
  move_over(aside, folder, kCommit);
}

// The one rename that makes a checkpoint, taken back when it cannot be made durable. What had the name before is called
// `folder` then.
void give_name(const fs::path& folder, const fs::path& directory) {
  sync_folder(folder, kCommit);
  const bool is_new = move_new(folder, directory, kCommit);
  if (!is_new) change_names(folder, directory);
  try {
    sync_folder(directory.parent_path(), kCommit);
  } catch (...) {
    if (is_new)
      move_over(directory, folder, kCommit);
    else
      change_names(folder, directory);
    throw;
  }
}

// Absolute, so that there is a parent to sync; without a slash at the end, so that there is a name.
fs::path with_parent(const fs::path& path) {
  fs::path directory = fs::absolute(path).lexically_normal();
  return directory.has_filename() ? directory : directory.parent_path();
}

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

}  // namespace

void append_row_slices(std::vector<TensorSlice>& slices, const std::string& name, StoredType type,
                       const std::vector<std::int64_t>& shape) {
  const std::int64_t rows = shape.empty() ? 1 : shape[0];
  const std::int64_t row = rows > 0 ? *volume(shape) / rows * static_cast<std::int64_t>(bytes_per_element(type)) : 0;
  const std::int64_t at_a_time = std::max<std::int64_t>(1, row > 0 ? kSliceBytes / row : rows);
  for (std::int64_t begin = 0; begin == 0 || begin < rows; begin += at_a_time) {
    TensorSlice slice{name, type, shape, Extents(shape.size(), 0), shape};
    if (!shape.empty()) {
      slice.offset[0] = begin;
      slice.size[0] = std::min(at_a_time, rows - begin);
    }
    slices.push_back(std::move(slice));
  }
}

std::string write_share(const fs::path& folder, int writer, const std::vector<TensorSlice>& slices,
                        const SliceData& data, std::uint64_t most_file_bytes) {
  check_slices(slices, static_cast<bool>(data));
  json share = {{"files", json::object()}, {"tensors", json::object()}, {"pieces", json::object()}};
  PassingHash hash;
  std::vector<std::size_t> which;
  std::uint64_t bytes = 0;
  int number = 0;
  const auto end_file = [&] {
    if (which.empty()) return;
    const std::string name = rank_file_name(writer, number++);
    const FileShare file = write_file(folder, name, slices, which, data, hash);
    share["files"][name] = to_json(file.file);
    add_tensors(share, file.tensors);
    which.clear();
    bytes = 0;
  };
  for (std::size_t i = 0; i < slices.size(); ++i) {
    const std::uint64_t size = bytes_of(slices[i]);
    if (size == 0) {
      add_tensors(share, {{slices[i].name, {slices[i].type, slices[i].shape, {}}}});
      continue;
    }
    if (bytes > 0 && size > most_file_bytes - std::min(bytes, most_file_bytes)) end_file();
    which.push_back(i);
    bytes += size;
  }
  end_file();
  share["pieces"] = hash.pieces();
  return share.dump();
}

Committed commit_checkpoint(const fs::path& folder, const fs::path& directory, const std::vector<std::string>& shares,
                            const CheckpointTexts& texts) {
  const Manifest manifest = manifest_of(shares, texts);
  const std::string text = manifest.to_text();
  for (const auto& [name, content] : files_of(texts)) write_new_file(folder / name, content, "tokenizer");
  write_new_file(folder / kManifestFile, text, "manifest");
  give_name(folder, with_parent(directory));
  Committed committed{manifest.weights_hash, text.size()};
  for (const auto& [_, file] : manifest.files) committed.bytes += file.bytes;
  return committed;
}

Committed write_checkpoint(Communicator& world, const fs::path& path, const std::vector<TensorSlice>& slices,
                           const CheckpointTexts& texts, const SliceData& data) {
  const fs::path directory = with_parent(path);
  const std::string what = path.string();
  const bool first = world.rank() == 0;
  const fs::path temporary = together(world, what, [&] {
    if (!first) return std::string();
    fs::create_directories(directory.parent_path());
    fs::path fresh = directory;
    fresh += ".tmp-" + unique_token().substr(0, 8);
    make_folder(fresh, "folder");
    return fresh.string();
  })[0];
  Committed committed;
  try {
    const auto shares = together(world, what, [&] {
      if (!fs::exists(temporary))
        throw Error(ErrorCode::kIo, temporary.string(), " is not there: do all ranks share that file system?");
      return write_share(temporary, world.rank(), slices, data);
    });
    const std::vector<std::string> results = together(world, what, [&] {
      if (!first) return std::string();
      const Committed mine = commit_checkpoint(temporary, directory, shares, texts);
      return mine.weights_hash + std::to_string(mine.bytes);
    });
    constexpr std::size_t kHashDigits = 64;
    committed = {results[0].substr(0, kHashDigits), std::stoull(results[0].substr(kHashDigits))};
  } catch (...) {
    if (first) remove_or_warn(temporary);
    throw;
  }
  if (first) remove_or_warn(temporary);  // what had the name before, where something had
  return committed;
}

}  // namespace trireme::models
