#include <gmock/gmock.h>

#include <random>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "models/checkpoint/test_checkpoint.h"

// A checkpoint never lies: every flipped bit, cut and growth of any file is found by verify(), and a reader gets the
// true bytes or an error.
namespace trireme::models {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Damage : public testing::Test {
 protected:
  Damage() : directory_(folder_.path() / "step-00000200"), tensors_(small_model()) {
    save_rows(directory_, tensors_, 3);
    for (const auto& entry : fs::directory_iterator(directory_)) files_.push_back(entry.path());
    std::sort(files_.begin(), files_.end());
  }

  // What a reader gets who does not verify: an error, or everything as it was written.
  bool reads_truth_or_throws() const {
    try {
      const Checkpoint checkpoint = Checkpoint::open(directory_);
      bool same = checkpoint.tokenizer_json() == texts(tensors_).tokenizer_json &&
                  checkpoint.model_json() == texts(tensors_).model_json &&
                  checkpoint.training_json() == texts(tensors_).training_json;
      for (const WholeTensor& tensor : tensors_) {
        std::vector<char> bytes(tensor.bytes.size());
        checkpoint.read(tensor.name, bytes.data());
        same = same && bytes == tensor.bytes;
      }
      return same;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kCorrupt) << error.what();
      return true;
    }
  }

  void expect_found(const fs::path& file, const std::string& damaged, const std::string& what) {
    const std::string whole = content_of(file);
    put_content(file, damaged);
    EXPECT_THAT(verify_checkpoint(directory_), Contains(HasSubstr(file.filename().string()))) << what;
    EXPECT_TRUE(reads_truth_or_throws()) << what;
    put_content(file, whole);
  }

  const TemporaryFolder folder_;
  const fs::path directory_;
  const std::vector<WholeTensor> tensors_;
  std::vector<fs::path> files_;
};

TEST_F(Damage, EveryFlippedBitIsFound) {
  std::mt19937 random(20);
  for (int trial = 0; trial < 500; ++trial) {
    const fs::path& file = files_[random() % files_.size()];
    std::string bytes = content_of(file);
    const std::size_t bit = random() % (8 * bytes.size());
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    expect_found(file, bytes, file.string() + " bit " + std::to_string(bit));
  }
  EXPECT_THAT(verify_checkpoint(directory_), IsEmpty());
}

TEST_F(Damage, EveryCutAndEveryGrowthIsFound) {
  std::mt19937 random(21);
  for (int trial = 0; trial < 200; ++trial) {
    const fs::path& file = files_[random() % files_.size()];
    const std::string bytes = content_of(file);
    const std::size_t size = random() % bytes.size();
    expect_found(file, bytes.substr(0, size), file.string() + " cut to " + std::to_string(size));
    expect_found(file, bytes + std::string(1 + random() % 100, '\0'), file.string() + " grown");
  }
}

TEST_F(Damage, OfASliceIsNamedWithFileTensorAndBytes) {
  // Bytes of the embedding's rows of rank 1, wherever they lie.
  const std::vector<char> rows = tensors_[0].cut(part_of(tensors_[0], 0, 1, 3));
  const fs::path file = directory_ / "rank-00001.h5";
  std::string bytes = content_of(file);
  const std::size_t at = bytes.find(std::string(rows.data(), rows.size()));
  ASSERT_NE(at, std::string::npos);
  bytes[at + 5] = static_cast<char>(bytes[at + 5] ^ 1);
  put_content(file, bytes);
  const std::string range = "bytes " + std::to_string(at) + " to " + std::to_string(at + rows.size());
  EXPECT_THAT(verify_checkpoint(directory_),
              Contains(AllOf(HasSubstr("rank-00001.h5"), HasSubstr("tensor weights/embedding"), HasSubstr(range))));
  const Checkpoint checkpoint = Checkpoint::open(directory_);
  std::vector<char> out(tensors_[0].bytes.size());
  EXPECT_THAT([&] { checkpoint.read("weights/embedding", out.data()); },
              testing::ThrowsMessage<Error>(AllOf(HasSubstr("rank-00001.h5"), HasSubstr(range))));
  // The rows of rank 0 are in another slice, which is whole.
  checkpoint.read("weights/embedding", {0, 0}, {2, 5}, out.data());
}

TEST_F(Damage, FilesThatDoNotBelongAreNamed) {
  put_content(directory_ / "rank-00009.h5", "x");
  fs::create_directory(directory_ / "notes");
  EXPECT_THAT(verify_checkpoint(directory_), testing::ElementsAre(HasSubstr("notes"), HasSubstr("rank-00009.h5")));
}

TEST_F(Damage, AWrongWeightsHashIsFoundThoughAllChecksumsHold) {
  const fs::path manifest = directory_ / "manifest.json";
  std::string text = content_of(manifest);
  const std::size_t at = text.find(hash_of(tensors_));
  ASSERT_NE(at, std::string::npos);
  text.replace(at, 64, 64, 'e');
  text.replace(15, 32, 32, '0');
  text.replace(15, 32, xxh3_128_hex(text));
  put_content(manifest, text);
  EXPECT_THAT(verify_checkpoint(directory_), testing::ElementsAre(HasSubstr("weights_hash")));
}

TEST_F(Damage, AFileOfAnotherKindIsRefusedAndNotWaitedFor) {
  fs::remove(directory_ / "rank-00000.h5");
  fs::create_directory(directory_ / "rank-00000.h5");
  EXPECT_THAT(verify_checkpoint(directory_), Contains(HasSubstr("not a regular file")));
  EXPECT_THAT([&] { Checkpoint::open(directory_); }, testing::ThrowsMessage<Error>(HasSubstr("not a regular file")));
}

}  // namespace
}  // namespace trireme::models
