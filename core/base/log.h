#pragma once
#include <string_view>

namespace trireme {

/// Log lines go to stderr, one line each: stdout belongs to results. Levels are chosen by TRIREME_LOG (debug, info,
/// warning, error; default info). Not for errors that end the program: run_program() prints those.
void log_debug(std::string_view line);
void log_info(std::string_view line);
void log_warning(std::string_view line);
void log_error(std::string_view line);

/// Puts "rank 3: " before every line from now on; a world of one needs none.
void set_log_rank(int rank);
void flush_log();

}  // namespace trireme
