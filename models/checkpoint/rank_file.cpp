#include "models/checkpoint/rank_file.h"

#include "core/base/durable.h"
#include "core/base/fault_points.h"
#include "core/base/files.h"
#include "core/hdf5/hdf5.h"

namespace trireme::models {
namespace {

// Elements begin on pages: they can be written past the page cache, and files can be mapped.
constexpr std::uint64_t kAlignment = kDirectAlignment;

hdf5::Type hdf5_type(StoredType type) {
  switch (type) {
    case StoredType::kFloat32:
      return hdf5::Type::kFloat32;
    case StoredType::kFloat64:
      return hdf5::Type::kFloat64;
    case StoredType::kBfloat16:
    case StoredType::kFloat16:
      return hdf5::Type::kUint16;
    case StoredType::kInt8:
    case StoredType::kUint8:
      return hdf5::Type::kUint8;
  }
  throw Error(ErrorCode::kBug, "unknown stored type");
}

// "weights/a@0,128": the offset tells the slices of a tensor apart, and '@' is in no tensor's name.
std::string dataset_name(const std::string& tensor, const Extents& offset) {
  std::string name = tensor + "@";
  for (std::size_t axis = 0; axis < offset.size(); ++axis) name += (axis ? "," : "") + std::to_string(offset[axis]);
  return name;
}

std::vector<std::uint64_t> unsigned_extents(const Extents& extents) { return {extents.begin(), extents.end()}; }

}  // namespace

std::vector<std::uint64_t> lay_out_rank_file(const std::filesystem::path& path,
                                             const std::vector<const TensorSlice*>& slices) {
  constexpr const char* kObject = "rank-file";
  if (const auto fault = FaultPoints::before(kObject, "lay-out"); fault.error != 0)
    throw Error(ErrorCode::kIo, "cannot write ", path.string(), ": ", system_reason(fault.error));
  hdf5::File file = hdf5::File::create(path, kAlignment);
  file.set_attribute("", "trireme-format", std::string(kFormatName));
  file.set_attribute("", "trireme-version", std::vector<std::uint64_t>{kFormatVersion});
  std::vector<std::uint64_t> places;
  for (const TensorSlice* slice : slices) {
    const std::string dataset = dataset_name(slice->name, slice->offset);
    file.reserve(dataset, hdf5_type(slice->type), unsigned_extents(slice->size));
    file.set_attribute(dataset, "trireme-type", std::string(type_name(slice->type)));
    if (!slice->shape.empty()) {  // a scalar has neither
      file.set_attribute(dataset, "trireme-shape", unsigned_extents(slice->shape));
      file.set_attribute(dataset, "trireme-offset", unsigned_extents(slice->offset));
    }
    places.push_back(file.offset(dataset));
  }
  file.close();
  FaultPoints::after(kObject, "lay-out");
  return places;
}

std::vector<std::string> rank_file_faults(const std::filesystem::path& directory, const std::string& file,
                                          const Manifest& manifest) {
  std::vector<std::string> faults;
  try {
    const hdf5::File stored = hdf5::File::open(directory / file);
    for (const auto& [name, tensor] : manifest.tensors)
      for (const Manifest::Slice& slice : tensor.slices) {
        if (slice.file != file) continue;
        const std::string dataset = dataset_name(name, slice.box.offset);
        const auto expect = [&](bool holds, const char* what) {
          if (!holds)
            faults.push_back(file + ": dataset " + dataset + " has another " + what + " than the manifest states");
        };
        try {
          expect(stored.offset(dataset) == slice.file_offset, "place");
          expect(stored.type(dataset) == hdf5_type(tensor.type), "element type");
          expect(stored.shape(dataset) == unsigned_extents(slice.box.size), "size");
          expect(stored.text_attribute(dataset, "trireme-type") == type_name(tensor.type), "trireme-type");
          if (tensor.shape.empty()) continue;
          expect(stored.number_attribute(dataset, "trireme-shape") == unsigned_extents(tensor.shape), "trireme-shape");
          expect(stored.number_attribute(dataset, "trireme-offset") == unsigned_extents(slice.box.offset),
                 "trireme-offset");
        } catch (const Error& error) {
          faults.push_back(file + ": " + error.what());
        }
      }
  } catch (const Error& error) {
    faults.push_back(file + ": " + error.what());
  }
  return faults;
}

}  // namespace trireme::models
