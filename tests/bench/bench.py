"""scripts/bench: measures Trireme beside its peers. See docs/benchmarks.md for how, and --help."""
import argparse
import datetime
import json
import os
import pathlib
import signal
import sys

import report
from checkpoints_bench import Checkpoints
from curves_bench import Curves
from layouts_bench import Layouts, Memory
from measure import ROOT, BenchError, Neighbours, default_cores, machine, revision, say, versions
from tokenizer_bench import Tokenizer
from train_bench import Start, Train
from tune_bench import Tune

GROUPS = {"train": Train(), "start": Start(), "tokenizer": Tokenizer(), "curves": Curves(), "layouts": Layouts(), "memory": Memory(), "checkpoints": Checkpoints(),
          "tune": Tune()}


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="scripts/bench", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measures Trireme beside its peers, in turns on the same cores, and writes tests/bench/results/GROUP.json and the\n"
                    "tables of docs/benchmarks.md. A case that is measured again replaces its old result; other cases keep theirs.",
        epilog="groups:\n" + "\n".join(f"  {name:<10} {group.about}" for name, group in GROUPS.items()) +
               "\n\nExit status: 0 done and every target met, 1 a target was missed or a program failed, 2 wrong use.\n"
               "Examples: scripts/bench start     scripts/bench train --only 12M-bf16 --runs 5     scripts/bench curves --only ours-1")
    parser.add_argument("group", nargs="?", choices=GROUPS, help="what to measure; train, start and tokenizer when left out")
    parser.add_argument("--list", action="store_true", help="name groups and cases, and measure nothing")
    parser.add_argument("--page", action="store_true", help="write docs/benchmarks.md anew from the results there are, and measure nothing")
    parser.add_argument("--only", metavar="CASE", action="append", help="this case of the group; may be repeated")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="turns a case, each one run of ours and one of the peer's [3]")
    parser.add_argument("--quick", action="store_true", help="one turn of few steps, to see that it works: writes neither results nor tables")
    parser.add_argument("--json", action="store_true", help="the results as one JSON object on stdout, instead of tables")
    parser.add_argument("--cores", default=",".join(map(str, default_cores())), metavar="A,B", help="two cores to tie all processes to [%(default)s]")
    parser.add_argument("--bin", type=pathlib.Path, metavar="DIR", help="programs to use, instead of building them into build/dev")
    for group in GROUPS.values():
        group.add_flags(parser)
    options = parser.parse_args(arguments)
    for name, group in GROUPS.items():
        if (flags := group.use_flags(options)) and options.group != name:
            parser.error(f"{flags[0]} needs the group {name}")
    try:
        options.cores = [int(core) for core in options.cores.split(",")]
    except ValueError:
        options.cores = []
    if len(set(options.cores)) != 2 or not set(options.cores) <= os.sched_getaffinity(0):
        parser.error(f"--cores takes two of {sorted(os.sched_getaffinity(0))}, such as {','.join(map(str, default_cores()))}")
    if options.runs < 1:
        parser.error(f"--runs must be 1 or more, got {options.runs}")
    if options.quick:
        options.runs = 1
    if options.only and not options.group:
        parser.error("--only needs a group")
    for case in options.only or ():
        if case not in GROUPS[options.group].cases:
            parser.error(f"--only {case} is none of {', '.join(GROUPS[options.group].cases)}")
    options.programs = (options.bin or ROOT / "build/dev/bin").resolve()
    return options


def measure(name, options, command):
    """The results that count: those measured now, and with them the older ones of the group's other cases."""
    group = GROUPS[name]
    results = {} if options.quick else report.load(name)
    for case in group.wanted(options):
        say(f"{name} {case}")
        measured = {"date": datetime.date.today().isoformat(), "revision": revision(options.programs), "command": command, "cores": options.cores,
                    "machine": machine(), "versions": versions()}
        Neighbours.worst = None
        results[case] = group.measure(case, options) | {"measured": measured}
        if Neighbours.worst is not None:
            results[case]["neighbours"] = round(Neighbours.worst, 4)
        if not options.quick:
            report.store(name, results, group.cases)
            report.write_page(name, group, report.load(name))
    return results


def main(arguments):
    options = parse(arguments)
    if options.list:
        for name, group in GROUPS.items():
            print(f"{name}: {' '.join(group.cases)}")
        return 0
    if options.page:
        for name, group in GROUPS.items():
            if results := report.load(name):
                report.write_page(name, group, results)
        return 0
    if options.group and (status := GROUPS[options.group].instead(options)) is not None:
        return status
    # The table names the command that repeats it, without what is only about this machine.
    shown = [word for word in ("scripts/bench", options.group, f"--drawn {options.drawn}" if options.drawn is not None else "", *(f"--only {case}" for case in options.only or ()),
                               f"--runs {options.runs}" if options.runs != 3 else "") if word]
    done, missed = {}, []
    for name in [options.group] if options.group else ("train", "start", "tokenizer"):
        results = measure(name, options, " ".join(shown))
        done[name] = {case: results[case] for case in GROUPS[name].wanted(options)}
        missed += report.missed(GROUPS[name], results if GROUPS[name].joint else done[name])
        if not options.json:
            print("\n".join([f"# {name}", *report.table(GROUPS[name], done[name])]))
    if options.json:
        print(json.dumps(done))
    for line in missed:
        say(line)
    return 1 if missed else 0


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # so that what was started is ended too
        signal.signal(number, lambda number, frame: sys.exit(128 + number))
    try:
        sys.exit(main(sys.argv[1:]))
    except BenchError as error:
        say(f"error: {error}")
        sys.exit(1)
