#include <gmock/gmock.h>

#include <bit>
#include <fstream>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "models/checkpoint/test_checkpoint.h"

namespace trireme::models {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

// The definition of docs/formats/checkpoint.md, spelt out by hand for a tensor of one piece.
TEST(WeightsHash, FollowsItsDefinition) {
  const std::vector<float> data{1, 2, 3, 4, 5, 6};
  const auto number = [](char value) { return std::string{value, 0, 0, 0, 0, 0, 0, 0}; };
  const auto sha256 = [](const std::string& bytes) {
    Sha256 hash;
    hash.update(bytes);
    return hash.hex();
  };
  const std::string bytes(reinterpret_cast<const char*>(data.data()), 24);
  const std::string part = sha256(number(9) + "weights/a" + number(7) + "float32" + number(2) + number(2) + number(3) +
                                  number(1) + sha256(bytes));
  EXPECT_EQ(WeightsHash::of_tensor("weights/a", StoredType::kFloat32, {2, 3}, data.data()), part);
  WeightsHash hash;
  hash.add("weights/a", part);
  EXPECT_EQ(hash.hex(), sha256("trireme-weights-1\n" + part + "\n"));
}

TEST(WeightsHash, IsTheSameForAnyOrderAndAnyPieces) {
  const WholeTensor large("weights/large", StoredType::kBfloat16, {3, 1000001});  // 1.4 pieces
  const WholeTensor small("weights/a", StoredType::kFloat32, {3});
  const std::size_t cut = WeightsHash::kPieceBytes;
  ASSERT_GT(large.bytes.size(), cut);
  // Two writers: the first one has less than a piece and what completes it, the second one the rest.
  WeightsHash::Stream first, second(1000);
  first.update(large.bytes.data(), 1000);
  first.update(large.bytes.data() + 1000, cut - 1000);
  for (std::size_t at = 1000; at < large.bytes.size(); at += 999)
    second.update(large.bytes.data() + at, std::min<std::size_t>(999, large.bytes.size() - at));
  WeightsHash::Pieces pieces = first.finish(large.bytes.size());
  EXPECT_EQ(pieces.size(), 1u);
  EXPECT_THROW(WeightsHash::of_pieces(large.name, large.type, large.shape, pieces), Error);
  pieces.merge(second.finish(large.bytes.size()));
  EXPECT_EQ(pieces.size(), 2u);
  WeightsHash other_order;
  other_order.add(large.name, WeightsHash::of_pieces(large.name, large.type, large.shape, pieces));
  other_order.add(small.name, WeightsHash::of_tensor(small.name, small.type, small.shape, small.bytes.data()));
  EXPECT_EQ(other_order.hex(), hash_of({small, large}));
}

TEST(WeightsHash, TellsNamesTypesAndShapesApart) {
  const std::vector<float> data(6);
  const auto part = [&](const std::string& name, StoredType type, const Extents& shape) {
    return WeightsHash::of_tensor(name, type, shape, data.data());
  };
  const std::string base = part("weights/a", StoredType::kFloat32, {2, 3});
  EXPECT_NE(base, part("weights/b", StoredType::kFloat32, {2, 3}));
  EXPECT_NE(base, part("weights/a", StoredType::kFloat32, {3, 2}));
  EXPECT_NE(base, part("weights/a", StoredType::kFloat32, {6}));
  EXPECT_NE(base, part("weights/a", StoredType::kFloat64, {3}));
  EXPECT_NE(part("weights/a", StoredType::kFloat32, {0, 3}), part("weights/a", StoredType::kFloat32, {3, 0}));
}

TEST(WeightsHash, RefusesATensorTwiceAndWhatIsNoWeight) {
  WeightsHash hash;
  hash.add("weights/a", std::string(64, '0'));
  EXPECT_THAT([&] { hash.add("weights/a", std::string(64, '1')); }, ThrowsMessage<Error>(HasSubstr("added")));
  EXPECT_THAT([&] { hash.add("optimizer/a", std::string(64, '1')); }, ThrowsMessage<Error>(HasSubstr("optimizer/a")));
}

}  // namespace
}  // namespace trireme::models
