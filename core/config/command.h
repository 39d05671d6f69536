#pragma once
#include <functional>
#include <string>
#include <vector>

#include "core/config/field.h"
#include "core/config/sources.h"

namespace trireme {

/// One thing that a program does. `trireme-data` has "tokenizer train", "encode", ...; what a program does when no name
/// is given is the command without a name.
///
///     EncodeOptions options;
///     Command{.name = "encode", .summary = "text to token shards", .options = fields_of(options),
///             .run = [&](const Assignments&) { return encode(options); }}
struct Command {
  std::string name;
  std::string summary;
  FieldList options;  ///< flags; filled in before `run`
  std::vector<std::string>
      positional;    ///< keys of options that may come without their flag, in order; a list takes the rest
  FieldList config;  ///< keys that may also come from files and the environment; `run` decides
  /// @param flags  what flags gave to keys of `config`, in order, not yet applied
  std::function<int(const Assignments& flags)> run;
};

struct Program {
  std::string name;
  std::string summary;
  std::vector<Command> commands;
  std::string epilogue;  ///< ends --help: examples
};

/// Finds the command, reads its flags and runs it; --help and --version are answered on stdout.
/// @param speaks  false on all ranks but one: --help and --version are then silent
/// @throws Error kUsage, and what the command throws
int run_command(const Program& program, int argc, char** argv, bool speaks = true);

/// run_command for a program of one process: an error becomes one line on stderr and an exit status.
int run_program(const Program& program, int argc, char** argv);

/// "trireme-data: error: ..." on stderr, and the exit status for it; for the catch-all at the end of a program.
int report_exception(const std::string& program);

}  // namespace trireme
