#pragma once
#include <filesystem>

#include "tune/study/study.h"

namespace trireme::tune {

/// Makes the folder of a study's runs (runs_folder), or finds it as its own. Its file study.json says whose runs these
/// are, in which folder the first runner was started, and what the training config of `base` was then.
///
/// So that a study begun in the place of a removed one does not take that one's runs and results for its own, that
/// trials of other base configs do not end up in one table, and that commands mean the same wherever a sweep is resumed
/// from.
/// @returns the folder that commands run in: that of the first runner
/// @throws Error kUsage: runs of another study, another base config, a folder to run in that is not there any more;
/// kCorrupt, kIo
std::filesystem::path claim_runs_folder(Study& study);

/// @throws Error kUsage where there are runs that a new study in this place would take for its own
void expect_no_runs(const std::string& location);

}  // namespace trireme::tune
