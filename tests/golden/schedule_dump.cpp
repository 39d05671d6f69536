#include <iostream>

#include "core/base/error.h"
#include "core/config/command.h"
#include "train/config/train_config.h"
#include "train/optim/schedule.h"

// The learning rate of every step of a config, a line each, for schedule_oracle.py.
int main(int argc, char** argv) {
  using namespace trireme;
  train::TrainConfig config;
  const FieldList fields = fields_of(config);
  return run_program({"schedule_dump",
                      "learning rates, for schedule_oracle.py",
                      {{.name = "",
                        .summary = "Prints the learning rate of every step.",
                        .config = fields,
                        .run =
                            [&](const Assignments& flags) {
                              apply_assignments(flags, fields);
                              std::cout.precision(17);
                              for (std::int64_t step = 1; step <= config.steps; ++step)
                                std::cout << train::learning_rate(config, step) << "\n";
                              return kExitDone;
                            }}},
                      ""},
                     argc, argv);
}
