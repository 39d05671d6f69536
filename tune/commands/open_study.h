#pragma once
#include <string>

#include "core/config/field.h"
#include "tune/study/study.h"
#include "tune/sweep/sweep.h"

namespace trireme::tune {

inline constexpr const char* kStudyHelp = "a file, or postgresql://host/database?study=NAME";
inline constexpr const char* kSweepHelp = "a sweep file (docs/formats/sweep.md)";
inline constexpr const char* kJsonHelp = "the result as one JSON object";

/// A study that a user names. @throws Error as Study::open; kUsage where a sweep file is given in its place
Study open_study(const std::string& location);

/// A sweep file that a user names. @throws Error as read_sweep; kUsage where a study or a folder is given in its place
Sweep open_sweep(const std::string& path);

/// @throws Error kUsage where a sweep file is named as a study
void refuse_sweep_file(const std::string& location);

}  // namespace trireme::tune
