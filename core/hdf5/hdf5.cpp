#include "core/hdf5/hdf5.h"

#include <cerrno>
#include <mutex>

#include "core/base/error.h"
#include "core/base/files.h"

namespace trireme::hdf5 {
namespace {

std::recursive_mutex& library_lock() {
  static std::recursive_mutex mutex;
  return mutex;
}

// Held around every call. Silences the library's own printing on first use in every thread: each has its error stack.
// Before all else it forbids the library's clean-up at exit: after a write that failed on a full disk that one reads
// freed memory, and there is nothing to clean up, since handles close what they own.
class Locked {
 public:
  Locked() : lock_(library_lock()) {
    static const bool stays_at_exit = H5dont_atexit() >= 0;
    (void)stays_at_exit;
    thread_local const bool silenced = H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr) >= 0;
    (void)silenced;
    errno = 0;  // so that what it holds behind a failed call is that call's
  }

 private:
  std::scoped_lock<std::recursive_mutex> lock_;
};

// ": No space left on device", where a call of the system failed below HDF5.
std::string reason() { return errno == 0 ? "" : ": " + system_reason(errno); }

// Little-endian in the file whatever the machine: a byte checksum must mean the same everywhere.
hid_t file_type(Type type) {
  switch (type) {
    case Type::kUint8:
      return H5T_STD_U8LE;
    case Type::kUint16:
      return H5T_STD_U16LE;
    case Type::kUint32:
      return H5T_STD_U32LE;
    case Type::kUint64:
      return H5T_STD_U64LE;
    case Type::kInt32:
      return H5T_STD_I32LE;
    case Type::kInt64:
      return H5T_STD_I64LE;
    case Type::kFloat32:
      return H5T_IEEE_F32LE;
    case Type::kFloat64:
      return H5T_IEEE_F64LE;
  }
  throw Error(ErrorCode::kBug, "unknown HDF5 element type");
}

hid_t memory_type(Type type) {
  switch (type) {
    case Type::kUint8:
      return H5T_NATIVE_UINT8;
    case Type::kUint16:
      return H5T_NATIVE_UINT16;
    case Type::kUint32:
      return H5T_NATIVE_UINT32;
    case Type::kUint64:
      return H5T_NATIVE_UINT64;
    case Type::kInt32:
      return H5T_NATIVE_INT32;
    case Type::kInt64:
      return H5T_NATIVE_INT64;
    case Type::kFloat32:
      return H5T_NATIVE_FLOAT;
    case Type::kFloat64:
      return H5T_NATIVE_DOUBLE;
  }
  throw Error(ErrorCode::kBug, "unknown HDF5 element type");
}

constexpr Type kTypes[] = {Type::kUint8, Type::kUint16, Type::kUint32,  Type::kUint64,
                           Type::kInt32, Type::kInt64,  Type::kFloat32, Type::kFloat64};

Handle make_space(const std::vector<std::uint64_t>& shape) {
  const std::vector<hsize_t> sizes(shape.begin(), shape.end());
  if (sizes.empty()) return Handle(H5Screate(H5S_SCALAR), H5Sclose);
  return Handle(H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr), H5Sclose);
}

std::vector<std::uint64_t> space_shape(hid_t space) {
  const int rank = H5Sget_simple_extent_ndims(space);
  if (rank <= 0) return {};
  std::vector<hsize_t> sizes(static_cast<std::size_t>(rank));
  H5Sget_simple_extent_dims(space, sizes.data(), nullptr);
  return {sizes.begin(), sizes.end()};
}

}  // namespace

void Handle::close(const std::string& what) {
  const Locked locked;
  if (id_ >= 0 && close_(std::exchange(id_, -1)) < 0)
    throw Error(ErrorCode::kIo, "cannot finish writing ", what, reason());
}

std::size_t size_of(Type type) {
  switch (type) {
    case Type::kUint8:
      return 1;
    case Type::kUint16:
      return 2;
    case Type::kUint32:
    case Type::kInt32:
    case Type::kFloat32:
      return 4;
    default:
      return 8;
  }
}

void File::fail(bool writing, const char* operation, const std::string& name) const {
  throw Error(writing ? ErrorCode::kIo : ErrorCode::kCorrupt, "cannot ", operation, " ", name,
              name.empty() ? "" : " of ", path_.string(), writing ? reason() : "");
}

File File::create(const std::filesystem::path& path, std::uint64_t align) {
  const Locked locked;
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_libver_bounds(access.id(), H5F_LIBVER_V18, H5F_LIBVER_V110);
  H5Pset_alignment(access.id(), align, align);
  const Handle creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
  H5Pset_obj_track_times(creation.id(), false);  // the same content gives the same bytes, whenever it is written
  Handle file(H5Fcreate(path.c_str(), H5F_ACC_EXCL, creation.id(), access.id()), H5Fclose);
  if (file.id() < 0) throw Error(ErrorCode::kIo, "cannot create ", path.string(), reason());
  return {std::move(file), path};
}

File File::open(const std::filesystem::path& path) {
  const Locked locked;
  if (!std::filesystem::exists(path)) throw Error(ErrorCode::kNotFound, "no file ", path.string());
  Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  if (file.id() < 0) throw Error(ErrorCode::kCorrupt, path.string(), " is not a whole HDF5 file");
  return {std::move(file), path};
}

void File::reserve(const std::string& name, Type type, const std::vector<std::uint64_t>& shape) {
  const Locked locked;
  const Handle space = make_space(shape);
  const Handle links(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  H5Pset_create_intermediate_group(links.id(), 1);
  const Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_layout(creation.id(), H5D_CONTIGUOUS);
  H5Pset_alloc_time(creation.id(), H5D_ALLOC_TIME_EARLY);
  H5Pset_fill_time(creation.id(), H5D_FILL_TIME_NEVER);
  H5Pset_obj_track_times(creation.id(), false);
  Handle dataset(
      H5Dcreate2(file_.id(), name.c_str(), file_type(type), space.id(), links.id(), creation.id(), H5P_DEFAULT),
      H5Dclose);
  if (dataset.id() < 0) fail(true, "create dataset", name);
  dataset.close(name);
}

void File::write(const std::string& name, Type type, const std::vector<std::uint64_t>& shape, const void* data) {
  const Locked locked;
  reserve(name, type, shape);
  const Handle dataset = open_dataset(name);
  std::uint64_t elements = 1;
  for (const std::uint64_t size : shape) elements *= size;
  if (elements > 0 && H5Dwrite(dataset.id(), memory_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
    fail(true, "write", name);
}

void File::write_rows(const std::string& name, Type type, std::uint64_t begin, std::uint64_t count, const void* data) {
  const Locked locked;
  const Handle dataset = open_dataset(name);
  const Handle space(H5Dget_space(dataset.id()), H5Sclose);
  std::vector<std::uint64_t> shape = space_shape(space.id());
  if (shape.empty() || begin > shape[0] || count > shape[0] - begin)
    throw Error(ErrorCode::kBug, "rows ", begin, " to ", begin + count, " are outside of ", name);
  if (count == 0) return;
  std::vector<hsize_t> start(shape.size(), 0), size(shape.begin(), shape.end());
  start[0] = begin;
  size[0] = count;
  shape[0] = count;
  const Handle memory = make_space(shape);
  if (H5Sselect_hyperslab(space.id(), H5S_SELECT_SET, start.data(), nullptr, size.data(), nullptr) < 0 ||
      H5Dwrite(dataset.id(), memory_type(type), memory.id(), space.id(), H5P_DEFAULT, data) < 0)
    fail(true, "write", name);
}

Handle File::open_dataset(const std::string& name) const {
  Handle dataset(H5Dopen2(file_.id(), name.c_str(), H5P_DEFAULT), H5Dclose);
  if (dataset.id() < 0) throw Error(ErrorCode::kNotFound, "no dataset ", name, " in ", path_.string());
  return dataset;
}

std::vector<std::uint64_t> File::shape(const std::string& name) const {
  const Locked locked;
  const Handle dataset = open_dataset(name);
  const Handle space(H5Dget_space(dataset.id()), H5Sclose);
  return space_shape(space.id());
}

Type File::type(const std::string& name) const {
  const Locked locked;
  const Handle dataset = open_dataset(name);
  const Handle stored(H5Dget_type(dataset.id()), H5Tclose);
  for (const Type type : kTypes)
    if (H5Tequal(stored.id(), file_type(type)) > 0) return type;
  throw Error(ErrorCode::kCorrupt, "dataset ", name, " of ", path_.string(), " has an element type that is not ours");
}

std::uint64_t File::offset(const std::string& name) const {
  const Locked locked;
  const Handle dataset = open_dataset(name);
  const haddr_t address = H5Dget_offset(dataset.id());
  if (address == HADDR_UNDEF)
    throw Error(ErrorCode::kCorrupt, "dataset ", name, " of ", path_.string(), " is not contiguous");
  return address;
}

void File::read(const std::string& name, Type type, void* data, std::uint64_t bytes) const {
  const Locked locked;
  if (this->type(name) != type)
    throw Error(ErrorCode::kCorrupt, "dataset ", name, " of ", path_.string(), " has another element type");
  std::uint64_t elements = 1;
  for (const std::uint64_t size : shape(name)) {
    if (size != 0 && elements > (std::uint64_t{1} << 60) / size)
      throw Error(ErrorCode::kCorrupt, "dataset ", name, " of ", path_.string(), " states an impossible size");
    elements *= size;
  }
  if (elements * size_of(type) != bytes)
    throw Error(ErrorCode::kCorrupt, "dataset ", name, " of ", path_.string(), " has ", elements * size_of(type),
                " bytes; ", bytes, " are due");
  const Handle dataset = open_dataset(name);
  if (bytes > 0 && H5Dread(dataset.id(), memory_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
    fail(false, "read", name);
}

void File::set_attribute(const std::string& object, const std::string& name, const std::string& value) {
  const Locked locked;
  const Handle target(H5Oopen(file_.id(), object.empty() ? "/" : object.c_str(), H5P_DEFAULT), H5Oclose);
  const Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type.id(), value.size() + 1);
  H5Tset_cset(type.id(), H5T_CSET_UTF8);
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Handle attribute(H5Acreate2(target.id(), name.c_str(), type.id(), space.id(), H5P_DEFAULT, H5P_DEFAULT),
                         H5Aclose);
  if (attribute.id() < 0 || H5Awrite(attribute.id(), type.id(), value.c_str()) < 0) fail(true, "write attribute", name);
}

void File::set_attribute(const std::string& object, const std::string& name, const std::vector<std::uint64_t>& value) {
  const Locked locked;
  const Handle target(H5Oopen(file_.id(), object.empty() ? "/" : object.c_str(), H5P_DEFAULT), H5Oclose);
  const Handle space = make_space({value.size()});
  const Handle attribute(H5Acreate2(target.id(), name.c_str(), H5T_STD_U64LE, space.id(), H5P_DEFAULT, H5P_DEFAULT),
                         H5Aclose);
  if (attribute.id() < 0 || H5Awrite(attribute.id(), H5T_NATIVE_UINT64, value.data()) < 0)
    fail(true, "write attribute", name);
}

std::string File::text_attribute(const std::string& object, const std::string& name) const {
  const Locked locked;
  const Handle attribute(
      H5Aopen_by_name(file_.id(), object.empty() ? "/" : object.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT),
      H5Aclose);
  if (attribute.id() < 0) fail(false, "read attribute", name);
  const Handle type(H5Aget_type(attribute.id()), H5Tclose);
  constexpr std::size_t kLimit = std::size_t{1} << 26;
  const std::size_t size = H5Tget_size(type.id());
  if (H5Tget_class(type.id()) != H5T_STRING || H5Tis_variable_str(type.id()) > 0 || size > kLimit)
    fail(false, "read attribute", name);
  std::string value(size, '\0');
  if (H5Aread(attribute.id(), type.id(), value.data()) < 0) fail(false, "read attribute", name);
  value.resize(std::char_traits<char>::length(value.c_str()));
  return value;
}

std::vector<std::uint64_t> File::number_attribute(const std::string& object, const std::string& name) const {
  const Locked locked;
  const Handle attribute(
      H5Aopen_by_name(file_.id(), object.empty() ? "/" : object.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT),
      H5Aclose);
  if (attribute.id() < 0) fail(false, "read attribute", name);
  const Handle space(H5Aget_space(attribute.id()), H5Sclose);
  const std::vector<std::uint64_t> shape = space_shape(space.id());
  constexpr std::uint64_t kLimit = 1 << 20;
  if (shape.size() != 1 || shape[0] > kLimit) fail(false, "read attribute", name);
  std::vector<std::uint64_t> value(shape[0]);
  if (H5Aread(attribute.id(), H5T_NATIVE_UINT64, value.data()) < 0) fail(false, "read attribute", name);
  return value;
}

void File::close() { file_.close(path_.string()); }

}  // namespace trireme::hdf5
