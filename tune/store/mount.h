#pragma once
#include <filesystem>
#include <string>
#include <string_view>

namespace trireme::tune {

/// The type of the network or cluster file system that `path` lies on, "nfs4" or "fuse.sshfs"; empty for disks of this
/// machine. Any FUSE file system counts that is not known to be a local one: what stands behind it cannot be told.
std::string network_file_system(const std::filesystem::path& path);

/// The same from /proc/self/mountinfo (proc_pid_mountinfo(5)). @param device  "major:minor" of what is looked for
std::string network_file_system(std::string_view mountinfo, std::string_view device);

}  // namespace trireme::tune
