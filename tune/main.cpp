#include <iostream>

#include "core/config/command.h"
#include "tune/commands/ask_tell.h"
#include "tune/commands/create.h"
#include "tune/commands/export_trials.h"
#include "tune/commands/run_sweep.h"
#include "tune/commands/show_importance.h"
#include "tune/commands/show_study.h"

namespace trireme::tune {
namespace {

FieldList operator+(FieldList list, const FieldList& more) {
  list.insert(list.end(), more.begin(), more.end());
  return list;
}

int run(int argc, char** argv) {
  RunOptions run_options;
  ResumeOptions resume_options;
  SlotOptions slot_options;
  CreateOptions create_options;
  AskOptions ask_options;
  TellOptions tell_options;
  RetryOptions retry_options;
  ShowOptions show_options;
  TrialsOptions trials_options;
  ExportOptions export_options;
  const Program program{
      .name = "trireme-tune",
      .summary = "searches hyperparameters: of training runs, of any command, of any program that asks",
      .commands = {{.name = "run",
                    .summary = "runs the trials of a sweep file, and goes on with what is there of them",
                    .options = fields_of(run_options) + fields_of(slot_options),
                    .positional = {"sweep"},
                    .run = [&](const Assignments&) { return run_sweep(run_options, slot_options); }},
                   {.name = "resume",
                    .summary = "runs the trials of a study that was stopped, or that others are at work on",
                    .options = fields_of(resume_options) + fields_of(slot_options),
                    .positional = {"study"},
                    .run = [&](const Assignments&) { return resume_study(resume_options, slot_options); }},
                   {.name = "create",
                    .summary = "makes a study of a sweep file, to be asked",
                    .options = fields_of(create_options),
                    .positional = {"study", "sweep"},
                    .run = [&](const Assignments&) { return create(create_options); }},
                   {.name = "ask",
                    .summary = "prints the next trial: its number and parameters",
                    .options = fields_of(ask_options),
                    .positional = {"study"},
                    .run = [&](const Assignments&) { return ask(ask_options); }},
                   {.name = "tell",
                    .summary = "says what came of a trial",
                    .options = fields_of(tell_options),
                    .positional = {"study"},
                    .run = [&](const Assignments&) { return tell(tell_options); }},
                   {.name = "retry",
                    .summary = "lets trials that failed be tried again",
                    .options = fields_of(retry_options),
                    .positional = {"study"},
                    .run = [&](const Assignments&) { return retry(retry_options); }},
                   {.name = "status",
                    .summary = "says how far a study is",
                    .options = fields_of(show_options),
                    .positional = {"study"},
                    .run = [&](const Assignments&) { return show_status(show_options); }},
                   {.name = "trials",
                    .summary = "lists trials",
                    .options = fields_of(trials_options),
                    .positional = {"study"},
                    .run = [&](const Assignments&) { return show_trials(trials_options); }},
                   {.name = "best",
                    .summary = "shows the best trial; of several metrics, all that no other trial beats in each",
                    .options = fields_of(show_options),
                    .positional = {"study"},
                    .run = [&](const Assignments&) { return show_best(show_options); }},
                   {.name = "importance",
                    .summary = "says how much each parameter has to do with the metric",
                    .options = fields_of(show_options),
                    .positional = {"study"},
                    .run = [&](const Assignments&) { return show_importance(show_options); }},
                   {.name = "export",
                    .summary = "writes all trials as CSV or JSON lines",
                    .options = fields_of(export_options),
                    .positional = {"study"},
                    .run = [&](const Assignments&) { return export_trials(export_options); }}},
      .epilogue =
          "Examples\n"
          "  trireme-tune run sweep.yaml --jobs 2\n"
          "  trireme-tune create sweep.study sweep.yaml\n"
          "  trireme-tune ask sweep.study --json\n"
          "  trireme-tune tell sweep.study --trial 0 --value 0.25\n"
          "  trireme-tune best sweep.study"};
  return run_program(program, argc, argv);
}

}  // namespace
}  // namespace trireme::tune

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  return trireme::tune::run(argc, argv);
}
