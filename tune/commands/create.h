#pragma once
#include <string>

#include "tune/commands/open_study.h"

namespace trireme::tune {

/// `trireme-tune create`
struct CreateOptions {
  std::string study;
  std::string sweep;
  bool json = false;

  static constexpr auto fields() {
    using C = CreateOptions;
    return std::tuple{Field{"study", &C::study, kStudyHelp, kRequired},
                      Field{"sweep", &C::sweep, kSweepHelp, kRequired}, Field{"json", &C::json, kJsonHelp}};
  }
};

int create(const CreateOptions& options);

}  // namespace trireme::tune
