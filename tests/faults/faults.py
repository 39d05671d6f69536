"""scripts/faults: runs what is too long for every test run, and writes its table into docs/reliability.md."""
import argparse
import datetime
import os
import pathlib
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/reliability.md"
BEGIN, END = "<!-- scripts/faults checkpoints -->", "<!-- end -->"


def parse(arguments):
    parser = argparse.ArgumentParser(prog="scripts/faults", formatter_class=argparse.RawDescriptionHelpFormatter,
                                     description="Long tests of what has to survive faults. Writes their results into docs/reliability.md.",
                                     epilog="groups:\n  checkpoints   kills jobs at random moments, most of them while a checkpoint is written")
    parser.add_argument("group", choices=["checkpoints"])
    parser.add_argument("--kills", type=int, default=200, metavar="N", help="jobs that are killed [%(default)s]")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of moments, ranks and victims [%(default)s]")
    parser.add_argument("--bin", type=pathlib.Path, metavar="DIR", help="programs to use, instead of building them into build/dev")
    options = parser.parse_args(arguments)
    if options.kills < 1:
        parser.error(f"--kills must be 1 or more, got {options.kills}")
    return options


def write_row(row):
    page = PAGE.read_text()
    head, table, tail = page[:page.index(BEGIN)], page[page.index(BEGIN):page.index(END)], page[page.index(END):]
    PAGE.write_text(head + table + row + "\n" + tail)


def main(arguments):
    options = parse(arguments)
    os.environ["TRIREME_BIN"] = str((options.bin or ROOT / "build/dev/bin").resolve())
    sys.path.append(str(ROOT / "tests/e2e"))
    import kills
    import trireme

    class Checkpoints(trireme.Case):
        def test_kills(self):
            told = kills.campaign(self, options.kills, options.seed, limit=float("inf"), say=True)
            version = subprocess.run([trireme.TRAIN, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
            self.assertGreaterEqual(told.in_save, 0.3 * told.kills)
            write_row(f"| {datetime.date.today()} | {version.partition('(')[2].partition(')')[0]} | {options.seed} | {told.kills} | {told.in_save} | "
                      f"{told.whole_jobs} | {told.single_ranks} | {told.runs} | {told.durable} | {told.seconds / 60:.0f} |")
            print(told)

    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Checkpoints)
    return 0 if unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
