#include "tune/store/location.h"

#include <gmock/gmock.h>

#include "core/base/error.h"

namespace trireme::tune {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;

TEST(Location, IsAPathUnlessItIsAUrl) {
  const Location path = Location::parse("runs/study.db");
  EXPECT_FALSE(path.is_url);
  EXPECT_EQ(path.address, "runs/study.db");
  EXPECT_EQ(path.shown, "runs/study.db");
  EXPECT_TRUE(Location::parse("postgres://host/lab").is_url);
  EXPECT_THAT([] { Location::parse("mysql://host/lab"); }, ThrowsMessage<Error>(HasSubstr("mysql://")));
  EXPECT_THAT([] { Location::parse(""); }, ThrowsMessage<Error>(HasSubstr("a path")));
}

TEST(Location, TakesTheStudysNameOutOfTheUrl) {
  EXPECT_EQ(Location::parse("postgresql://host/lab").study, "default");
  const Location named = Location::parse("postgresql://host/lab?sslmode=require&study=width%20%C3%BC&user=me");
  EXPECT_EQ(named.study, "width ü");
  EXPECT_EQ(named.address, "postgresql://host/lab?sslmode=require&user=me");
  EXPECT_EQ(named.shown, "postgresql://host/lab?sslmode=require&study=width%20%C3%BC&user=me");
  EXPECT_EQ(Location::parse("postgresql://host/lab?study=a@b").study, "a@b");
  EXPECT_EQ(Location::parse("postgresql://host/lab?study=a").address, "postgresql://host/lab");
  for (const char* bad : {"postgresql://host/lab?study=", "postgresql://host/lab?study", "postgresql:///?study=%00",
                          "postgresql:///?study=%ff"})
    EXPECT_THAT([&] { Location::parse(bad); }, ThrowsMessage<Error>(HasSubstr("study=NAME"))) << bad;
}

TEST(Location, NeverShowsAPassword) {
  for (const char* url :
       {"postgresql://me:secret@host/lab", "postgresql://me:secret@host:5432/lab?study=a", "postgresql://:secret@host",
        "postgresql://me:x?secret@host/lab", "postgresql://me:x@secret@host/lab", "postgresql://me:x/secret@host/lab",
        "postgresql://host/lab?password=secret", "postgresql://host/lab?user=me&p%61ssword=secret&study=a",
        "postgresql://host/lab?sslpassword=secret"}) {
    const Location location = Location::parse(url);
    EXPECT_THAT(location.shown, Not(HasSubstr("secret")));
    EXPECT_THAT(location.shown, HasSubstr("host"));
    EXPECT_THAT(location.address, HasSubstr("secret"));
  }
  EXPECT_EQ(Location::parse("postgresql://me:secret@host:5432/lab?study=a").shown,
            "postgresql://me@host:5432/lab?study=a");
}

}  // namespace
}  // namespace trireme::tune
