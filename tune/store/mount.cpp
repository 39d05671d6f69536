#include "tune/store/mount.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <sstream>

#include "core/base/files.h"

namespace trireme::tune {
namespace {

// Names rather than statfs(2)'s numbers: all FUSE file systems share one number. Cluster file systems on a shared disk
// are in here too, since hosts share the files and not the memory.
constexpr std::array<std::string_view, 20> kNetwork{"9p",    "afs",    "beegfs", "ceph", "cifs",  "coda",  "gfs2",
                                                    "gpfs",  "lustre", "ncpfs",  "nfs",  "nfs4",  "ocfs2", "orangefs",
                                                    "panfs", "pvfs2",  "smb2",   "smb3", "smbfs", "vboxsf"};
constexpr std::array<std::string_view, 6> kLocalFuse{"fuse.bindfs",    "fuse.encfs",    "fuse.fuse-overlayfs",
                                                     "fuse.gocryptfs", "fuse.mergerfs", "fuse.ntfs-3g"};

bool is_network(std::string_view type) {
  if (std::ranges::find(kNetwork, type) != kNetwork.end()) return true;
  const bool is_fuse = type == "fuse" || type.starts_with("fuse.");
  return is_fuse && std::ranges::find(kLocalFuse, type) == kLocalFuse.end();
}

}  // namespace

std::string network_file_system(std::string_view mountinfo, std::string_view device) {
  std::istringstream lines{std::string(mountinfo)};
  for (std::string line; std::getline(lines, line);) {
    // 36 35 98:0 /root /mount/point rw,noatime master:1 - ext3 /dev/root rw
    std::istringstream fields(line);
    std::string field, type;
    fields >> field >> field >> field;
    if (field != device) continue;
    while (fields >> field && field != "-") continue;
    fields >> type;
    if (is_network(type)) return type;
  }
  return {};
}

std::string network_file_system(const std::filesystem::path& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return {};  // whoever opens it will say why it cannot be opened
  const std::string device = std::to_string(major(status.st_dev)) + ":" + std::to_string(minor(status.st_dev));
  return network_file_system(read_file("/proc/self/mountinfo"), device);
}

}  // namespace trireme::tune
