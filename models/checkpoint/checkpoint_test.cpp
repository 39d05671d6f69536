#include "models/checkpoint/checkpoint.h"

#include <gmock/gmock.h>

#include <random>

#include "core/base/error.h"
#include "core/hdf5/hdf5.h"
#include "models/checkpoint/test_checkpoint.h"

namespace trireme::models {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Property;
using testing::Throws;

void expect_whole(const Checkpoint& checkpoint, const std::vector<WholeTensor>& tensors) {
  ASSERT_EQ(checkpoint.tensors().size(), tensors.size());
  for (const WholeTensor& tensor : tensors) {
    std::vector<char> bytes(tensor.bytes.size());
    checkpoint.read(tensor.name, bytes.data());
    EXPECT_EQ(bytes, tensor.bytes) << tensor.name;
  }
}

TEST(Checkpoint, GivesBackWhatAnyNumberOfRanksWrote) {
  const auto tensors = small_model();
  for (const int ranks : {1, 2, 3, 5}) {
    const TemporaryFolder folder;
    const fs::path directory = folder.path() / "checkpoints" / "step-00000200";
    save_rows(directory, tensors, ranks);
    const Checkpoint checkpoint = Checkpoint::open(directory);
    expect_whole(checkpoint, tensors);
    EXPECT_EQ(checkpoint.model_json(), texts(tensors).model_json);
    EXPECT_EQ(checkpoint.training_json(), texts(tensors).training_json);
    EXPECT_EQ(checkpoint.tokenizer_json(), texts(tensors).tokenizer_json);
    EXPECT_EQ(checkpoint.weights_hash(), hash_of(tensors));
    EXPECT_THAT(checkpoint.verify(), IsEmpty()) << ranks << " ranks";
  }
}

TEST(Checkpoint, ListsTensorsInOrderOfName) {
  const TemporaryFolder folder;
  save_rows(folder.path() / "step-00000200", small_model(), 2);
  const Checkpoint checkpoint = Checkpoint::open(folder.path() / "step-00000200");
  std::vector<std::string> names;
  for (const Checkpoint::Tensor& tensor : checkpoint.tensors()) names.push_back(tensor.name);
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_TRUE(checkpoint.has("optimizer/scale"));
  EXPECT_FALSE(checkpoint.has("optimizer/other"));
  EXPECT_EQ(checkpoint.tensors().back().shape, (Extents{0, 4}));
}

// Written in quarters by rows and columns, read as thirds of columns and as boxes at random.
TEST(Checkpoint, ReadsInAnotherLayoutThanItWasWrittenIn) {
  const TemporaryFolder folder;
  const fs::path directory = folder.path() / "step-00000007";
  const std::vector<WholeTensor> tensors{{"weights/a", StoredType::kFloat32, {9, 7, 4}},
                                         {"weights/b", StoredType::kBfloat16, {5, 11}}};
  run_on_threads(4, [&](Communicator& world) {
    Share share;
    share.texts = texts(tensors);
    for (const WholeTensor& tensor : tensors) {
      Box box = part_of(tensor, 0, world.rank() / 2, 2);
      const Box columns = part_of(tensor, 1, world.rank() % 2, 2);
      box.offset[1] = columns.offset[1];
      box.size[1] = columns.size[1];
      share.add(tensor, box);
    }
    write_checkpoint(world, directory, share.slices, share.texts);
  });
  const Checkpoint checkpoint = Checkpoint::open(directory);
  EXPECT_THAT(checkpoint.verify(), IsEmpty());
  std::mt19937 random(1);
  for (const WholeTensor& tensor : tensors) {
    std::vector<Box> boxes;
    for (int index = 0; index < 3; ++index) boxes.push_back(part_of(tensor, 1, index, 3));
    for (int index = 0; index < 200; ++index) {
      Box box = tensor.box();
      for (std::size_t axis = 0; axis < tensor.shape.size(); ++axis) {
        const auto extent = static_cast<unsigned>(tensor.shape[axis]);
        box.offset[axis] = random() % (extent + 1);
        box.size[axis] = random() % (extent - static_cast<unsigned>(box.offset[axis]) + 1);
      }
      boxes.push_back(box);
    }
    // Of what is expected some is not read, and something else is.
    Checkpoint::Reader reader(checkpoint);
    for (const Box& box : boxes)
      if (random() % 4 != 0) reader.expect(tensor.name, box.offset, box.size);
    for (const Box& box : boxes) {
      const std::vector<char> due = tensor.cut(box);
      std::vector<char> bytes(due.size());
      checkpoint.read(tensor.name, box.offset, box.size, bytes.data());
      EXPECT_EQ(bytes, due) << tensor.name << extents_text(box.offset) << extents_text(box.size);
      if (random() % 4 == 0) continue;
      bytes.assign(due.size(), 0);
      reader.read(tensor.name, box.offset, box.size, bytes.data());
      EXPECT_EQ(bytes, due) << "expected: " << tensor.name << extents_text(box.offset) << extents_text(box.size);
    }
  }
}

TEST(Checkpoint, RefusesBoxesOutsideOfATensorAndUnknownNames) {
  const TemporaryFolder folder;
  save_rows(folder.path() / "step-00000200", small_model(), 1);
  const Checkpoint checkpoint = Checkpoint::open(folder.path() / "step-00000200");
  std::vector<char> out(1000);
  EXPECT_THAT([&] { checkpoint.read("weights/embedding", {6, 0}, {2, 5}, out.data()); },
              throws(ErrorCode::kBadInput, "[6, 0] of size [2, 5]"));
  EXPECT_THAT([&] { checkpoint.read("weights/embedding", {0}, {2}, out.data()); },
              throws(ErrorCode::kBadInput, "[7, 5]"));
  EXPECT_THAT([&] { checkpoint.read("weights/other", out.data()); }, throws(ErrorCode::kNotFound, "weights/other"));
}

TEST(Checkpoint, OpenNamesWhatIsMissing) {
  const TemporaryFolder folder;
  const fs::path directory = folder.path() / "step-00000200";
  EXPECT_THAT([&] { Checkpoint::open(directory); }, throws(ErrorCode::kNotFound, "step-00000200"));
  EXPECT_THAT([&] { verify_checkpoint(directory); }, throws(ErrorCode::kNotFound, "step-00000200"));
  save_rows(directory, small_model(), 2);
  fs::remove(directory / "rank-00001.h5");
  EXPECT_THAT([&] { Checkpoint::open(directory); }, throws(ErrorCode::kCorrupt, "rank-00001.h5"));
  EXPECT_THAT(verify_checkpoint(directory), Contains(HasSubstr("rank-00001.h5")));
  fs::remove(directory / "manifest.json");
  EXPECT_THAT([&] { Checkpoint::open(directory); }, throws(ErrorCode::kCorrupt, "no manifest.json"));
  EXPECT_THAT(verify_checkpoint(directory), Contains(HasSubstr("no manifest.json")));
}

// The directory may be replaced while a reader works: it sees the old files or an error, never a mixture.
TEST(Checkpoint, NeverMixesWithACheckpointThatTakesItsPlace) {
  const TemporaryFolder folder;
  const fs::path directory = folder.path() / "step-00000200";
  const auto tensors = small_model();
  save_rows(directory, tensors, 2);
  const Checkpoint old = Checkpoint::open(directory);
  fs::rename(directory, folder.path() / "moved");
  save_rows(directory, {{"weights/embedding", StoredType::kFloat32, {70, 50}}}, 2);
  expect_whole(old, tensors);
}

// Another program than ours can make sense of a rank file.
TEST(Checkpoint, RankFilesDescribeThemselves) {
  const TemporaryFolder folder;
  const fs::path directory = folder.path() / "step-00000200";
  const auto tensors = small_model();
  save_rows(directory, tensors, 3);
  const hdf5::File file = hdf5::File::open(directory / "rank-00002.h5");
  const std::string dataset = "weights/embedding@4,0";
  EXPECT_EQ(file.text_attribute("", "trireme-format"), "trireme-checkpoint");
  EXPECT_EQ(file.text_attribute(dataset, "trireme-type"), "float32");
  EXPECT_EQ(file.number_attribute(dataset, "trireme-shape"), (std::vector<std::uint64_t>{7, 5}));
  EXPECT_EQ(file.number_attribute(dataset, "trireme-offset"), (std::vector<std::uint64_t>{4, 0}));
  std::vector<char> rows(std::size_t{3} * 5 * 4);
  file.read(dataset, hdf5::Type::kFloat32, rows.data(), rows.size());
  EXPECT_EQ(rows, tensors[0].cut({{4, 0}, {3, 5}}));
  EXPECT_EQ(file.type("weights/blocks.0.query@3,0,0"), hdf5::Type::kUint16);
  EXPECT_EQ(file.text_attribute("weights/blocks.0.query@3,0,0", "trireme-type"), "bfloat16");
}

}  // namespace
}  // namespace trireme::models
