#pragma once
#include <string>

namespace trireme::tune {

/// Who holds a trial, as this process writes it: "host:pid:start time:pid namespace". Numbers of processes are given
/// out again, hence the start time (clock ticks since boot, proc_pid_stat(5)); containers that share a host's name
/// number their processes anew, hence the namespace.
std::string worker_name();

/// Whether this worker is known to be gone: a process of this host and namespace that has ended. False for all that
/// cannot be known: other hosts, other namespaces, and names of any other form.
bool is_gone(const std::string& worker);

}  // namespace trireme::tune
