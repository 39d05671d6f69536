#include "train/loop/reference.h"

#include <gmock/gmock.h>

#include "core/base/error.h"

namespace trireme::train {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(Reference, DamageIsFound) {
  const std::string sound = Reference().to_bytes();
  EXPECT_EQ(Reference::from_bytes(sound, "reference").to_bytes(), sound);
  const auto expect = [](const std::string& bytes, const std::string& due) {
    EXPECT_THAT([&] { Reference::from_bytes(bytes, "run/reference"); },
                ThrowsMessage<Error>(HasSubstr("run/reference is damaged: " + due)));
  };
  expect("", "it has no first line");
  expect("{}\n", "its first line is none of this format");
  expect("[\n", "its first line is none of this format");
  expect(sound + "12345678", "its checksum");
  std::string counts = sound;
  counts.replace(counts.find("[]"), 2, R"([{"content-hash":"a","preferences":1}])");
  expect(counts, "it ends early");
  counts.replace(counts.find(":1}"), 3, ":-1}");
  expect(counts, "a corpus has no name or no count");
  counts.replace(counts.find(":-1}"), 4, ":2305843009213693952}");  // times 8 is 0
  expect(counts, "it ends early");
}

}  // namespace
}  // namespace trireme::train
