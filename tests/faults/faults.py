"""scripts/faults: runs what is too long for every test run, and writes its table into docs/reliability.md."""
import argparse
import datetime
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/reliability.md"
END = "<!-- end -->"


def parse(arguments):
    parser = argparse.ArgumentParser(prog="scripts/faults", formatter_class=argparse.RawDescriptionHelpFormatter,
                                     description="Long tests of what has to survive faults. Writes their results into docs/reliability.md.",
                                     epilog="groups:\n  checkpoints   kills jobs at random moments, most of them while a checkpoint is written\n"
                                            "  tune          kills tuners and the commands of their trials at random moments")
    parser.add_argument("group", choices=["checkpoints", "tune"])
    parser.add_argument("--kills", type=int, metavar="N", help="so many kills [checkpoints: 200, tune: 100]")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of moments, ranks and victims [%(default)s]")
    parser.add_argument("--bin", type=pathlib.Path, metavar="DIR", help="programs to use, instead of building them into build/dev")
    options = parser.parse_args(arguments)
    if options.kills is None:
        options.kills = {"checkpoints": 200, "tune": 100}[options.group]
    if options.kills < 1:
        parser.error(f"--kills must be 1 or more, got {options.kills}")
    return options


def write_row(group, cells):
    begin = f"<!-- scripts/faults {group} -->"
    page = PAGE.read_text()
    head, _, tail = page.partition(begin)
    table, _, rest = tail.partition(END)
    PAGE.write_text(head + begin + table + "| " + " | ".join(map(str, cells)) + " |\n" + END + rest)


def revision(program):
    line = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    return line.partition("(")[2].partition(")")[0]


def run_checkpoints(case, options):
    import kills
    import trireme

    told = kills.campaign(case, options.kills, options.seed, limit=float("inf"), say=True)
    case.assertGreaterEqual(told.in_save, 0.3 * told.kills)
    write_row("checkpoints", [datetime.date.today(), revision(trireme.TRAIN), options.seed, told.kills, told.in_save, told.whole_jobs,
                              told.single_ranks, told.runs, told.durable, f"{told.seconds / 60:.0f}"])
    print(told)


def run_tune(case, options):
    import tune_kills

    with tempfile.TemporaryDirectory(prefix="trireme-tune.") as folder:
        told = tune_kills.campaign(case, pathlib.Path(folder), options.kills, options.seed, limit=float("inf"), say=True)
    write_row("tune", [datetime.date.today(), revision(tune_kills.TUNE), options.seed, told.kills, told.tuners, told.commands, told.studies,
                       told.trials, told.attempts, f"{told.seconds / 60:.0f}"])
    print(told)


def main(arguments):
    options = parse(arguments)
    os.environ["TRIREME_BIN"] = str((options.bin or ROOT / "build/dev/bin").resolve())
    sys.path.append(str(ROOT / "tests/e2e"))
    import trireme

    class Checkpoints(trireme.Case):
        def test_kills(self):
            run_checkpoints(self, options)

    class Tune(unittest.TestCase):
        def test_kills(self):
            run_tune(self, options)

    suite = unittest.defaultTestLoader.loadTestsFromTestCase({"checkpoints": Checkpoints, "tune": Tune}[options.group])
    return 0 if unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
