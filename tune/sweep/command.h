#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tune/sweep/sweep.h"

namespace trireme::tune {

/// What a command is filled in with.
struct CommandContext {
  std::int64_t trial;
  const Parameters& parameters;
  std::string run;  ///< the trial's folder
};

/// The words that start a trial; none when the sweep has no `command`.
///
/// In a list, `${args}` as a word of its own becomes one word a parameter; no shell sees any of them. A `command` of
/// one text becomes /bin/sh -c TEXT, each value quoted: what is in a value is never run. `${params.NAME}` of a
/// parameter that is not active is empty.
std::vector<std::string> expand_command(const Sweep& sweep, const CommandContext& context);

/// What a sweep file's command is checked against.
struct CommandRules {
  const Space& space;
  std::string program;    ///< wandb's `program`, or empty: what ${env}, ${interpreter} and ${program} stand for
  bool is_shell = false;  ///< a command of one text
};

/// One word, or the one text, of a command as Sweep keeps it: `program` filled in.
/// @throws Error kUsage for a ${...} that is not closed, not known, or stands where a shell would take its quotes away
std::string checked_command(std::string_view text, const CommandRules& rules);

/// A text that /bin/sh takes for one word: itself where that is safe, else in single quotes.
std::string shell_quoted(std::string_view text);

}  // namespace trireme::tune
