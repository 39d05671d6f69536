#include "models/checkpoint/checkpoint.h"

#include <algorithm>
#include <map>
#include <memory>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "models/checkpoint/box.h"
#include "models/checkpoint/input_file.h"
#include "models/checkpoint/manifest.h"
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

std::string slice_fault(const std::string& tensor, const Manifest::Slice& slice, const std::string& found) {
  if (found == slice.xxh3_128) return "";
  return slice.file + ": tensor " + tensor + ", bytes " + std::to_string(slice.file_offset) + " to " +
         std::to_string(slice.file_offset + slice.bytes) + ": damaged, the checksum is " + found + ", " +
         slice.xxh3_128 + " is due";
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

std::string Checkpoint::tokenizer_json() const {
  const InputFile file(impl_->directory, kTokenizerFile);
  const Manifest::File& due = impl_->manifest.files.at(kTokenizerFile);
  std::string text(due.bytes, '\0');
  file.read(0, text.data(), text.size());
  if (file.size() != due.bytes || xxh3_128_hex(text) != due.xxh3_128)
    throw Error(ErrorCode::kCorrupt, (directory() / kTokenizerFile).string(),
                " is damaged: its checksum does not hold");
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
  explicit State(const Impl& of) : impl(of) {}
  const InputFile& file(const std::string& name) {
    std::unique_ptr<InputFile>& file = files[name];
    if (!file) file = std::make_unique<InputFile>(impl.directory, name);
    return *file;
  }
  const Impl& impl;
  std::map<std::string, std::unique_ptr<InputFile>> files;
  const Manifest::Slice* held = nullptr;  // in `buffer`, checked
  std::vector<char> buffer;
};

Checkpoint::Reader::Reader(const Checkpoint& checkpoint) : state_(std::make_unique<State>(*checkpoint.impl_)) {}
Checkpoint::Reader::~Reader() = default;

void Checkpoint::Reader::expect(const std::string& name, const std::vector<std::int64_t>& offset,
                                const std::vector<std::int64_t>& size) {
  for (const Manifest::Slice& slice : state_->impl.find(name).slices)
    if (intersection(slice.box, {offset, size})) state_->file(slice.file).expect(slice.file_offset, slice.bytes);
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
      state_->file(slice.file).read(slice.file_offset, bytes, slice.bytes);
      if (const std::string fault = slice_fault(name, slice, xxh3_128_hex(bytes, slice.bytes)); !fault.empty())
        throw Error(ErrorCode::kCorrupt, (impl.directory.path() / "").string(), fault);
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
