#pragma once
#include <cstdint>
#include <string>

#include "tune/commands/open_study.h"

namespace trireme::tune {

/// `trireme-tune run`
struct RunOptions {
  std::string sweep;
  std::string study;

  static constexpr auto fields() {
    using C = RunOptions;
    return std::tuple{
        Field{"sweep", &C::sweep, kSweepHelp, kRequired},
        Field{"study", &C::study,
              "where the study is kept: a file, or postgresql://host/database?study=NAME; none: the sweep "
              "file's name with .study in place of .yaml, in the current folder. A study of the same "
              "sweep that is there already is gone on with"}};
  }
};

/// `trireme-tune resume`
struct ResumeOptions {
  std::string study;

  static constexpr auto fields() {
    using C = ResumeOptions;
    return std::tuple{Field{"study", &C::study, kStudyHelp, kRequired}};
  }
};

/// What both take: how trials are run.
struct SlotOptions {
  std::int64_t jobs = 0;
  double lease = 30;
  std::string launcher;
  std::string trainer;
  bool json = false;

  static constexpr auto fields() {
    using C = SlotOptions;
    return std::tuple{
        Field{"jobs", &C::jobs, "trials at a time on this machine; 0: n_jobs of the sweep file", Range(0, 1024)},
        Field{"lease", &C::lease, "seconds after which another runner takes a trial whose runner gives no sign of life",
              Range(1, 86400)},
        Field{"launcher", &C::launcher,
              "of training jobs of several ranks, called as LAUNCHER -n RANKS PROGRAM ...; none: scripts/launch/mpi in "
              "the folders above this program, else mpirun"},
        Field{"trainer", &C::trainer, "program of training jobs; none: trireme-train beside this program"},
        Field{"json", &C::json, kJsonHelp}};
  }
};

/// Runs the trials of a sweep until none is left to try. A signal stops it with exit status 75, and the same again goes
/// on.
int run_sweep(const RunOptions& options, const SlotOptions& slots);
/// Goes on with a study.
int resume_study(const ResumeOptions& options, const SlotOptions& slots);

}  // namespace trireme::tune
