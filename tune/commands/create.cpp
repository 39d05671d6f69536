#include "tune/commands/create.h"

#include <iostream>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "tune/commands/trial_text.h"
#include "tune/trial/training_job.h"

namespace trireme::tune {

int create(const CreateOptions& options) {
  refuse_sweep_file(options.study);
  const Sweep sweep = open_sweep(options.sweep);
  check_training_sweep(sweep);
  Study study = Study::create(options.study, sweep.text, options.sweep);
  const std::string& place = study.store().location();
  if (options.json)
    print_json({{"study", place}, {"method", sweep.method}, {"objectives", objectives_json(sweep)}});
  else
    std::cout << place << " is a new study of " << options.sweep << "\n";
  return kExitDone;
}

}  // namespace trireme::tune
