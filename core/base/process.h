#pragma once
#include <cstdint>
#include <string>

/// What the kernel tells of this process and its machine.
namespace trireme {

/// Memory in use now, and the most that was in use at any time.
std::int64_t resident_bytes();
std::int64_t peak_resident_bytes();

/// Seconds since the process was started by exec, to the kernel's 10 ms.
double process_seconds();

/// As gethostname(2) has it.
std::string host_name();

}  // namespace trireme
