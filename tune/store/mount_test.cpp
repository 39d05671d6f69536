#include "tune/store/mount.h"

#include <gtest/gtest.h>

namespace trireme::tune {
namespace {

constexpr const char* kMounts =
    "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
    "27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
    "40 27 0:51 / /home rw,relatime shared:7 master:2 - nfs4 server:/home rw,vers=4.2\n"
    "41 27 0:52 / /mnt/a\\040b rw - cifs //server/share rw\n"
    "42 27 0:53 / /scratch rw - lustre 10.0.0.1@tcp:/scratch rw\n"
    "43 27 0:54 / /remote rw - fuse.sshfs me@host: rw\n"
    "44 27 0:55 / /odd rw - fuse.something-new x rw\n"
    "45 27 0:56 / /layers rw - fuse.fuse-overlayfs x rw\n"
    "46 27 0:5 / /tmp rw - tmpfs nfs4 rw\n";

TEST(NetworkFileSystem, IsToldByTheTypeOfTheMount) {
  EXPECT_EQ(network_file_system(kMounts, "0:51"), "nfs4");
  EXPECT_EQ(network_file_system(kMounts, "0:52"), "cifs");
  EXPECT_EQ(network_file_system(kMounts, "0:53"), "lustre");
  EXPECT_EQ(network_file_system(kMounts, "0:54"), "fuse.sshfs");
  EXPECT_EQ(network_file_system(kMounts, "0:55"), "fuse.something-new") << "nobody knows what stands behind it";
}

TEST(NetworkFileSystem, IsNoDiskOfThisMachine) {
  EXPECT_EQ(network_file_system(kMounts, "254:0"), "");
  EXPECT_EQ(network_file_system(kMounts, "0:56"), "");
  EXPECT_EQ(network_file_system(kMounts, "0:5"), "") << "a name of the source, not a type";
  EXPECT_EQ(network_file_system(kMounts, "9:9"), "");
  EXPECT_EQ(network_file_system("/proc"), "");
}

}  // namespace
}  // namespace trireme::tune
