#include "models/checkpoint/checkpoint.h"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "models/checkpoint/box.h"
#include "models/checkpoint/input_file.h"
#include "models/checkpoint/manifest.h"
#include "models/checkpoint/read_ahead.h"
#include "models/checkpoint/verify.h"

namespace trireme::models {

Manifest read_manifest(const InputDirectory& directory) {
  const std::string where = (directory.path() / kManifestFile).string();
  constexpr std::uint64_t kMost = std::uint64_t{1} << 31;  // some ten million slices
  std::string text;
  try {
    const InputFile file(directory, kManifestFile);
    if (file.size() > kMost) throw Error(ErrorCode::kCorrupt, where, " has ", file.size(), " bytes; at most ", kMost);
    text.resize(file.size());
    file.read(0, text.data(), text.size());
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound) throw;
    throw Error(ErrorCode::kCorrupt, directory.path().string(), " has no ", kManifestFile,
                ": it is no checkpoint, or a damaged one");
  }
  return Manifest::parse(text, where);
}

std::string slice_text(const std::string& tensor, const Manifest::Slice& slice) {
  return slice.file + ": tensor " + tensor + ", bytes " + std::to_string(slice.file_offset) + " to " +
         std::to_string(slice.file_offset + slice.bytes);
}

std::string slice_fault(const std::string& tensor, const Manifest::Slice& slice, const std::string& found) {
  if (found == slice.xxh3_128) return "";
  return slice_text(tensor, slice) + ": damaged, the checksum is " + found + ", " + slice.xxh3_128 + " is due";
}

struct Checkpoint::Impl {
  explicit Impl(const std::filesystem::path& path) : directory(path), manifest(read_manifest(directory)) {
    for (const auto& [name, file] : manifest.files) {
      const std::uint64_t found = InputFile(directory, name).size();
      if (found != file.bytes)
        throw Error(ErrorCode::kCorrupt, (path / name).string(), " has ", found, " bytes, ", file.bytes, " are due");
    }
    for (const auto& [name, tensor] : manifest.tensors) tensors.push_back({name, tensor.type, tensor.shape});
    model_json = manifest.model.dump();
    training_json = manifest.training.dump();
  }

  const Manifest::Tensor& find(const std::string& name) const {
    const auto found = manifest.tensors.find(name);
    if (found == manifest.tensors.end())
      throw Error(ErrorCode::kNotFound, directory.path().string(), " has no tensor ", name);
    return found->second;
  }

  InputDirectory directory;
  Manifest manifest;
  std::vector<Tensor> tensors;
  std::string model_json, training_json;
};

Checkpoint::Checkpoint(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Checkpoint::Checkpoint(Checkpoint&&) noexcept = default;
Checkpoint& Checkpoint::operator=(Checkpoint&&) noexcept = default;
Checkpoint::~Checkpoint() = default;

Checkpoint Checkpoint::open(const std::filesystem::path& directory) {
  try {
    return Checkpoint(std::make_unique<Impl>(directory));
  } catch (const Error& error) {
    // A file that the manifest names and that is gone is damage; only a missing directory is "not found".
    if (error.code() != ErrorCode::kNotFound || !std::filesystem::is_directory(directory)) throw;
    throw Error(ErrorCode::kCorrupt, error.what());
  }
}

const std::vector<Checkpoint::Tensor>& Checkpoint::tensors() const { return impl_->tensors; }
bool Checkpoint::has(const std::string& name) const { return impl_->manifest.tensors.contains(name); }
const std::filesystem::path& Checkpoint::directory() const { return impl_->directory.path(); }
const std::string& Checkpoint::model_json() const { return impl_->model_json; }
const std::string& Checkpoint::training_json() const { return impl_->training_json; }
const std::string& Checkpoint::weights_hash() const { return impl_->manifest.weights_hash; }
const std::string& Checkpoint::identity() const { return impl_->manifest.checksum; }

std::string Checkpoint::tokenizer_json() const { return companion(kTokenizerFile).value_or(""); }

std::optional<std::string> Checkpoint::companion(const std::string& name) const {
  const auto known = impl_->manifest.files.find(name);
  if (known == impl_->manifest.files.end()) return std::nullopt;
  const Manifest::File& due = known->second;
  const InputFile file(impl_->directory, name);
  std::string text(due.bytes, '\0');
  file.read(0, text.data(), text.size());
  if (file.size() != due.bytes || xxh3_128_hex(text) != due.xxh3_128)
    throw Error(ErrorCode::kCorrupt, (directory() / name).string(), " is damaged: its checksum does not hold");
  return text;
}

void Checkpoint::read(const std::string& name, void* out) const {
  const Manifest::Tensor& tensor = impl_->find(name);
  read(name, Extents(tensor.shape.size(), 0), tensor.shape, out);
}

void Checkpoint::read(const std::string& name, const std::vector<std::int64_t>& offset,
                      const std::vector<std::int64_t>& size, void* out) const {
  Reader(*this).read(name, offset, size, out);
}

struct Checkpoint::Reader::State {
  using Files = std::map<std::string, std::unique_ptr<InputFile>>;
  explicit State(const Impl& of) : impl(of) {}

  const InputFile& file(Files& files, const std::string& name, InputFile::PageCache page_cache) {
    std::unique_ptr<InputFile>& file = files[name];
    if (!file) file = std::make_unique<InputFile>(impl.directory, name, page_cache);
    return *file;
  }

  void expect(const Manifest::Slice& slice) {
    if (slice.bytes == 0 || (!expected.empty() && expected.back() == &slice)) return;  // another part of it
    if (!ahead) ahead = std::make_unique<ReadAhead>();
    ahead->expect(file(past_cache, slice.file, InputFile::PageCache::kPassedBy), slice.file_offset, slice.bytes);
    expected.push_back(&slice);
  }

  // Reads a slice and checks it.
  void fetch(const std::string& tensor, const Manifest::Slice& slice, char* out) {
    std::string fault;
    try {
      fault = slice_fault(tensor, slice, hash_of_read(slice, out));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kCorrupt) throw;
      fault = slice_text(tensor, slice) + ": " + error.what();
    }
    if (!fault.empty()) throw Error(ErrorCode::kCorrupt, (impl.directory.path() / "").string(), fault);
  }

  std::string hash_of_read(const Manifest::Slice& slice, char* out) {
    if (std::ranges::find(expected, &slice) != expected.end()) {
      for (; expected.front() != &slice; expected.pop_front()) ahead->pass_over();
      expected.pop_front();
      Xxh3Stream hash;
      ahead->take([&](const char* bytes, std::size_t size) {
        // In parts that stay in the second-level cache from one to the other.
        for (std::size_t part = 0; part < size; part += kPartBytes) {
          const std::size_t count = std::min(kPartBytes, size - part);
          hash.update(bytes + part, count);
          out = std::copy_n(bytes + part, count, out);
        }
      });
      return hash.hex128();
    }
    file(files, slice.file, InputFile::PageCache::kUsed).read(slice.file_offset, out, slice.bytes);
    return xxh3_128_hex(out, slice.bytes);
  }

  static constexpr std::size_t kPartBytes = std::size_t{256} << 10;
  const Impl& impl;
  Files files, past_cache;
  std::deque<const Manifest::Slice*> expected;  // of which `ahead` knows
  std::unique_ptr<ReadAhead> ahead;             // ends before its files
  const Manifest::Slice* held = nullptr;        // in `buffer`, checked
  std::vector<char> buffer;
};

Checkpoint::Reader::Reader(const Checkpoint& checkpoint) : state_(std::make_unique<State>(*checkpoint.impl_)) {}
Checkpoint::Reader::~Reader() = default;

void Checkpoint::Reader::expect(const std::string& name, const std::vector<std::int64_t>& offset,
                                const std::vector<std::int64_t>& size) {
  for (const Manifest::Slice& slice : state_->impl.find(name).slices)
    if (intersection(slice.box, {offset, size})) state_->expect(slice);
}

void Checkpoint::Reader::read(const std::string& name, const std::vector<std::int64_t>& offset,
                              const std::vector<std::int64_t>& size, void* out) {
  const Impl& impl = state_->impl;
  const Manifest::Tensor& tensor = impl.find(name);
  const Box box{offset, size};
  if (!lies_inside(box, tensor.shape))
    throw Error(ErrorCode::kBadInput, "the box at ", extents_text(offset), " of size ", extents_text(size),
                " lies outside of tensor ", name, " of shape ", extents_text(tensor.shape));
  const std::size_t element = bytes_per_element(tensor.type);
  for (const Manifest::Slice& slice : tensor.slices) {
    const auto part = intersection(slice.box, box);
    if (!part) continue;
    // A slice that is wanted whole and stays together in `out` needs no buffer and no copy.
    const auto begin = contiguous_begin(slice.box, box);
    const bool direct = begin && part->size == slice.box.size;
    char* bytes = direct ? static_cast<char*>(out) + static_cast<std::size_t>(*begin) * element : nullptr;
    if (direct || state_->held != &slice) {
      if (!direct) {
        state_->held = nullptr;
        state_->buffer.resize(slice.bytes);
        bytes = state_->buffer.data();
      }
      state_->fetch(name, slice, bytes);
    }
    if (direct) continue;
    state_->held = &slice;
    copy_box(*part, slice.box, state_->buffer.data(), box, out, element);
  }
}

std::vector<std::string> Checkpoint::faults_outside_tensors(int part, int parts) const {
  return file_faults(impl_->directory, impl_->manifest, Scope::kRest, part, parts);
}

std::vector<std::string> Checkpoint::verify() const { return verify_checkpoint(directory()); }

}  // namespace trireme::models
