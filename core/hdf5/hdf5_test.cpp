#include "core/hdf5/hdf5.h"

#include <gmock/gmock.h>

#include <fstream>

#include "core/base/error.h"
#include "core/base/files.h"

namespace trireme::hdf5 {
namespace {

TEST(Hdf5, DatasetsAreContiguousAndReadBack) {
  const fs::path path = fs::path(testing::TempDir()) / "trireme_hdf5_test.h5";
  fs::remove(path);
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  {
    File file = File::create(path);
    file.write("group/a", Type::kFloat32, {3, 2}, values.data());
    file.set_attribute("group/a", "name", "a tensor");
    file.set_attribute("group/a", "offset", std::vector<std::uint64_t>{4, 0});
    file.reserve("rows", Type::kUint16, {4});
    const std::uint16_t rows[4] = {7, 8, 9, 10};
    file.write_rows("rows", Type::kUint16, 0, 3, rows);
    file.write_rows("rows", Type::kUint16, 3, 1, rows + 3);
    file.close();
  }
  EXPECT_THROW(File::create(path), Error);
  const File file = File::open(path);
  EXPECT_EQ(file.shape("group/a"), (std::vector<std::uint64_t>{3, 2}));
  std::vector<float> back(6);
  file.read("group/a", Type::kFloat32, back.data(), 24);
  EXPECT_EQ(back, values);
  EXPECT_EQ(file.text_attribute("group/a", "name"), "a tensor");
  EXPECT_EQ(file.number_attribute("group/a", "offset"), (std::vector<std::uint64_t>{4, 0}));
  // The offset is where the bytes lie in the file: readers need no HDF5.
  const std::string bytes = read_file(path);
  EXPECT_EQ(0, bytes.compare(file.offset("group/a"), 24, reinterpret_cast<const char*>(values.data()), 24));
  EXPECT_THROW(file.read("rows", Type::kUint32, back.data(), 8), Error);
  EXPECT_THROW(file.read("rows", Type::kUint16, back.data(), 6), Error);
  EXPECT_THROW(file.shape("none"), Error);
  fs::remove(path);
}

TEST(Hdf5, AFileOfSomethingElseIsCorrupt) {
  const fs::path path = fs::path(testing::TempDir()) / "trireme_hdf5_bad.h5";
  std::ofstream(path) << "not hdf5";
  EXPECT_THROW(File::open(path), Error);
  fs::remove(path);
}

}  // namespace
}  // namespace trireme::hdf5
