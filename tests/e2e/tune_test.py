"""trireme-tune from outside: the loop of ask and tell, sweeps of commands and of training jobs, stops and kills at any moment, and what is refused."""
import collections
import contextlib
import csv
import io
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

import trireme
from trireme import SERVE, SMALL, TUNE, Case, Job, clean_environment, run, small_disk

FAILED, USAGE, RESUMABLE = 1, 2, 75

QUADRATIC = """
metric: loss
parameters:
  x: {min: -5.0, max: 5.0}
  y: {min: 1, max: 8}
"""
RANDOM = "metric: loss\nmethod: random\nparameters: {x: {min: -5.0, max: 5.0}}\n"
# What a trial does beside its result: a line a start into starts.txt.
NOTED = r"""command: |
  echo ${trial} >> starts.txt
  sleep 0.1
  x=${params.x}; echo "{\"loss\": $x}"
"""


class Tune(unittest.TestCase):
    """Each test has a folder of its own, in which the commands run."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="trireme-tune."))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def sweep(self, text, name="sweep.yaml"):
        (self.folder / name).write_text(text)
        return name

    def create(self, text, study="s.study"):
        self.tune("create", study, self.sweep(text))
        return study

    def tune(self, *words, status=0):
        result = run([TUNE, *words], cwd=self.folder)
        self.assertEqual(result.status, status, result)
        return result

    def json(self, *words, status=0):
        """The one object on stdout."""
        result = self.tune(*words, "--json", status=status)
        self.assertEqual(len(result.stdout.splitlines()), 1, result)
        return result.json

    def start(self, *words):
        job = Job([TUNE, *words], cwd=self.folder)
        self.addCleanup(job.kill)
        return job

    def refuse(self, status, words, *named):
        """One line on stderr, nothing on stdout, and no file more or less."""
        before = trireme.listing(self.folder)
        result = self.tune(*words, status=status)
        self.assertEqual((result.stdout, len(result.lines)), ("", 1), result)
        for word in named:
            self.assertIn(word, result.stderr, result)
        self.assertEqual(trireme.listing(self.folder), before, "nothing is written")

    def trials(self, study="s.study"):
        return self.json("trials", study)["trials"]

    def starts(self):
        """How often the command of each trial was started."""
        path = self.folder / "starts.txt"
        return collections.Counter(map(int, path.read_text().split())) if path.exists() else {}

    # ---- ask and tell -------------------------------------------------------------------------------------------------

    def test_a_program_of_ones_own_asks_and_tells(self):
        self.create(QUADRATIC + "run_cap: 25\n")
        while (trial := self.json("ask", "s.study"))["trial"] is not None:
            x, y = trial["params"]["x"], trial["params"]["y"]
            told = self.json("tell", "s.study", "--trial", trial["trial"], "--value", (x - 1) ** 2 + (y - 3) ** 2 - 7)
            self.assertEqual((told["trial"], told["state"]), (trial["trial"], "complete"))
        self.assertEqual(trial, {"trial": None, "finished": True})
        self.assertIn("the study is finished", self.tune("ask", "s.study").stdout)

        trials = self.trials()
        self.assertEqual([trial["trial"] for trial in trials], list(range(25)))
        for trial in trials:
            self.assertEqual(trial["values"], [(trial["params"]["x"] - 1) ** 2 + (trial["params"]["y"] - 3) ** 2 - 7])
        best = self.json("best", "s.study")["best"]
        self.assertEqual(best[0]["values"][0], min(trial["values"][0] for trial in trials))
        self.assertLess(best[0]["values"][0], -6)

    def test_a_study_is_finished_once_nobody_is_at_work_on_it(self):
        self.create(RANDOM + "run_cap: 1\n")
        self.json("ask", "s.study")
        self.assertEqual(self.json("ask", "s.study"), {"trial": None, "finished": False})
        self.assertIn("1 running", self.tune("ask", "s.study").stdout)
        self.tune("tell", "s.study", "--trial", 0, "--value", 1)
        self.assertEqual(self.json("ask", "s.study"), {"trial": None, "finished": True})

    def test_a_trial_without_a_value_is_told_of_too(self):
        self.create(RANDOM)
        for _ in range(2):
            self.json("ask", "s.study")
        self.tune("tell", "s.study", "--trial", 0, "--failed", "--reason", "no more\nmemory")
        self.tune("tell", "s.study", "--trial", 1, "--infeasible")
        self.assertEqual([(trial["state"], trial["reason"]) for trial in self.trials()],
                         [("failed", "no more\\nmemory"), ("infeasible", "")])
        self.refuse(FAILED, ["best", "s.study"], "no complete trial", "1 failed, 1 infeasible")

    def test_what_is_no_number_ends_a_trial_as_failed_and_says_so(self):
        self.create(RANDOM)
        for number, value in enumerate(("nan", "inf", "-inf")):
            self.json("ask", "s.study")
            told = self.json("tell", "s.study", "--trial", number, "--value", value)
            self.assertEqual((told["state"], told["values"]), ("failed", []))
            self.assertIn(f"loss is {value}", told["reason"])
        self.assertIn("loss is nan", self.tune("trials", "s.study", "--json").stdout)

    def test_several_metrics_have_a_front(self):
        self.create("metric: [loss, {name: speed, goal: maximize}]\nmethod: random\nparameters: {x: {min: 0.0, max: 1.0}}\n")
        for number, values in enumerate(((1, 1), (2, 2), (2, 1), (-3, -1))):
            self.json("ask", "s.study")
            self.tune("tell", "s.study", "--trial", number, "--values", *values)
        self.assertEqual([trial["trial"] for trial in self.json("best", "s.study")["best"]], [0, 1, 3])
        self.refuse(FAILED, ["tell", "s.study", "--trial", 3, "--value", 1], "2 values (loss, speed), got 1")

    def test_a_lease_that_ran_out_lets_another_have_the_trial(self):
        self.create(RANDOM)
        first = self.json("ask", "s.study", "--lease", 0.01)
        time.sleep(0.05)
        second = self.json("ask", "s.study", "--lease", 100)
        self.assertEqual(second, first | {"attempt": 2})
        self.assertEqual(self.json("ask", "s.study")["trial"], 1)
        self.refuse(FAILED, ["tell", "s.study", "--trial", 0, "--attempt", 1, "--value", 1], "attempt 1 no longer holds")
        self.tune("tell", "s.study", "--trial", 0, "--attempt", 2, "--value", 1)

    def test_a_result_counts_once(self):
        self.create(RANDOM)
        self.json("ask", "s.study")
        self.tune("tell", "s.study", "--trial", 0, "--value", 0.5)
        self.refuse(FAILED, ["tell", "s.study", "--trial", 0, "--value", 1], "trial 0", "complete with 0.5")
        self.refuse(FAILED, ["tell", "s.study", "--trial", 0, "--failed"], "complete with 0.5")
        self.refuse(FAILED, ["tell", "s.study", "--trial", 1, "--value", 1], "no trial 1", "has 1")
        self.refuse(FAILED, ["tell", "s.study", "--trial", -1, "--value", 1], "no trial -1")

    def test_wrong_words_of_tell(self):
        self.create(RANDOM)
        self.json("ask", "s.study")
        tell = ["tell", "s.study", "--trial", 0]
        self.refuse(USAGE, tell, "--value, --values, --failed and --infeasible", "none")
        self.refuse(USAGE, [*tell, "--value", 1, "--failed"], "several")
        self.refuse(USAGE, [*tell, "--value", "much"], "--value", "'much'")
        self.refuse(USAGE, [*tell, "--value", 1, "--reason", "why"], "--reason")
        self.refuse(USAGE, ["tell", "s.study", "--trial", "1.5", "--value", 1], "--trial", "'1.5'")
        self.refuse(USAGE, ["tell", "s.study", "--value", 1], "--trial is required")
        self.refuse(USAGE, ["ask", "s.study", "--lease", "-1"], "lease", "'-1'")

    # ---- sweeps of commands -------------------------------------------------------------------------------------------

    def test_a_sweep_of_a_command_runs_to_its_end_once(self):
        sweep = self.sweep(RANDOM + NOTED + "run_cap: 5\n")
        done = self.json("run", sweep, "--jobs", 2)
        self.assertEqual((done["study"], done["finished"], done["trials"]["complete"]), ("sweep.study", True, 5))
        trials = self.trials("sweep.study")
        for trial in trials:
            self.assertEqual(trial["values"], [trial["params"]["x"]])
        best = min(trials, key=lambda trial: trial["values"])
        self.assertEqual(done["best"], [{key: best[key] for key in ("trial", "values", "params")} |
                                        {"run": f"sweep.study.runs/{best['trial']:06}"}])
        self.assertTrue((self.folder / done["best"][0]["run"]).is_dir())
        again = self.tune("run", sweep)
        self.assertIn(str(best["trial"]), again.stdout)
        self.assertEqual(self.starts(), {number: 1 for number in range(5)})

    def test_a_pipe_gets_plain_lines(self):
        result = self.tune("run", self.sweep(RANDOM + NOTED + "run_cap: 3\n"))
        self.assertNotIn("\x1b", result.stderr)
        for number in range(3):
            self.assertIn(f"trial {number} complete after", result.stderr)
        self.assertIn("3 of 3 trials, best loss", result.stderr)

    def test_a_sweep_that_changed_is_another_study(self):
        sweep = self.sweep(RANDOM + NOTED + "run_cap: 1\n")
        self.tune("run", sweep)
        self.sweep(RANDOM + NOTED + "run_cap: 2\nseed: 5\n")
        self.refuse(USAGE, ["run", sweep], "sweep.study", "by its seed", "resume sweep.study", "--study")
        self.tune("run", sweep, "--study", "second.study")
        self.assertEqual(len(self.trials("second.study")), 2)

    def test_a_sweep_may_have_more_trials_later(self):
        sweep = self.sweep(RANDOM + NOTED + "run_cap: 1\n")
        self.tune("run", sweep)
        self.sweep("# three, for a start\n" + RANDOM + NOTED + "run_cap: 3\n")
        self.assertIn("takes run_cap from sweep.yaml", self.tune("run", sweep).stderr)
        self.assertEqual(self.starts(), {0: 1, 1: 1, 2: 1})
        self.assertEqual(self.json("status", "sweep.study")["most_trials"], 3)

    def test_a_new_study_does_not_take_the_runs_of_a_removed_one(self):
        sweep = self.sweep(RANDOM + NOTED + "run_cap: 1\n")
        self.tune("run", sweep)
        (self.folder / "sweep.study").unlink()
        self.refuse(USAGE, ["run", sweep], "sweep.study.runs holds runs of another study", "move it away")

    def test_failed_trials_get_another_try(self):
        sweep = self.sweep(RANDOM + NOTED.replace("sleep 0.1", "[ -e mended ] || exit 3") + "run_cap: 20\n")
        result = self.tune("run", sweep, status=FAILED)
        self.assertIn("the first 5 trials all failed", result.lines[-1])
        self.assertIn("sweep.study.runs/00000", result.lines[-1])
        self.assertIn("trireme-tune retry", result.lines[-1])
        tried = [trial["params"] for trial in self.trials("sweep.study")]
        (self.folder / "mended").touch()
        self.assertIn("trial 3 waits", self.tune("retry", "sweep.study", "--trials", 3).stdout)
        self.refuse(FAILED, ["retry", "sweep.study", "--trials", 0, 3], "trial 3 has not failed: it is waiting")
        self.assertEqual(self.json("retry", "sweep.study"), {"trials": [0, 1, 2, 4]})
        self.tune("resume", "sweep.study")
        trials = self.trials("sweep.study")
        self.assertEqual({trial["state"] for trial in trials}, {"complete"})
        self.assertEqual(([trial["params"] for trial in trials[:5]], len(trials)), (tried, 20))
        self.assertIn("no trial has failed", self.tune("retry", "sweep.study").stdout)

    def test_a_sweep_is_resumed_from_anywhere(self):
        self.tune("run", self.sweep(RANDOM + NOTED + "run_cap: 1\n"))
        sweep = self.sweep(RANDOM + NOTED + "run_cap: 2\n")
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        result = run([TUNE, "run", self.folder / sweep, "--study", self.folder / "sweep.study"], cwd=elsewhere)
        self.assertEqual(result.status, 0, result)
        self.assertEqual(self.starts(), {0: 1, 1: 1})

    def test_trials_that_all_fail_are_a_failure(self):
        for command, named in (("exit 3", "3"), ("echo done", "loss"), ("echo '{\"loss\": NaN}'", "loss"),
                               ("echo '{\"loss\": 1e999}'", "loss"), ("./no-such-program", "no-such-program")):
            with self.subTest(command=command):
                sweep = self.sweep(RANDOM + f"run_cap: 3\ncommand: {json.dumps(command)}\n")
                result = self.tune("run", sweep, "--study", f"{named}-{len(command)}.study", status=FAILED)
                self.assertEqual(result.stdout, "", result)
                self.assertIn("error: ", result.lines[-1])
                self.assertIn(named, result.lines[-1])

    def test_one_failed_trial_is_none(self):
        self.tune("run", self.sweep(RANDOM + NOTED + "  if [ ${trial} = 1 ]; then exit 3; fi\nrun_cap: 3\n"))
        self.assertEqual([trial["state"] for trial in self.trials("sweep.study")], ["complete", "failed", "complete"])

    def test_two_runners_share_a_study(self):
        sweep = self.sweep(RANDOM + NOTED + "run_cap: 12\n")
        self.tune("create", "s.study", sweep)
        runners = [self.start("resume", "s.study", "--jobs", 2) for _ in range(2)]
        for runner in runners:
            self.assertEqual(runner.finish().status, 0)
        self.assertEqual(self.starts(), {number: 1 for number in range(12)})
        self.assertEqual({trial["state"] for trial in self.trials()}, {"complete"})
        self.assertEqual(len({trial["worker"] for trial in self.trials()}), 2)

    # ---- stops and kills ----------------------------------------------------------------------------------------------

    def test_a_stop_says_how_to_go_on(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            study = f"{number.name}.study"
            job = self.start("run", self.sweep(RANDOM + NOTED + "run_cap: 6\n"), "--study", study)
            job.wait_until(lambda: "trial 1 complete" in job.stderr(), what="a second trial")
            job.signal(number)
            stopped = job.finish()
            self.assertEqual(stopped.status, RESUMABLE, stopped)
            self.assertIn(f"trireme-tune resume {study}", stopped.lines[-1])
            self.assertFalse(self.json("status", study)["finished"])
            self.tune("resume", study)
            self.assertEqual({trial["state"] for trial in self.trials(study)}, {"complete"})

    def test_a_killed_sweep_goes_on_as_if_it_had_not_been(self):
        sweep = self.sweep(QUADRATIC + NOTED + "run_cap: 16\n")
        undisturbed = self.json("run", sweep, "--study", "undisturbed.study")["best"]
        shutil.rmtree(self.folder / "undisturbed.study.runs")
        (self.folder / "starts.txt").unlink()
        kills = 0
        job = self.start("run", sweep, "--study", "s.study")
        while True:
            time.sleep(0.45)
            if job.process.poll() is not None:
                break
            job.signal(signal.SIGKILL)
            kills += 1
            job.finish()
            job = self.start("resume", "s.study")
        self.assertEqual(job.finish().status, 0)
        self.assertGreater(kills, 1)
        self.assertEqual([(trial["params"], trial["values"]) for trial in self.trials()],
                         [(trial["params"], trial["values"]) for trial in self.trials("undisturbed.study")])
        self.assertEqual(undisturbed[0]["trial"], self.json("best", "s.study")["best"][0]["trial"])
        self.assertLessEqual(sum(self.starts().values()), 16 + kills, "only what was under way is run again")

    # ---- what is shown ------------------------------------------------------------------------------------------------

    def test_all_trials_are_exported(self):
        self.create("metric: loss\nmethod: grid\nparameters:\n  kind: {values: ['a, \"b\"', plain]}\n"
                    "  x: {values: [0.1, 0.30000000000000004], when: {kind: plain}}\n")
        for number in range(3):
            self.json("ask", "s.study")
            self.tune("tell", "s.study", "--trial", number, "--value", number + 0.1)
        trials = self.trials()
        lines = [json.loads(line) for line in self.tune("export", "s.study", "--format", "json").stdout.splitlines()]
        self.assertEqual(lines, trials)
        self.tune("export", "s.study", "--out", "all.csv")
        self.refuse(USAGE, ["export", "s.study", "--out", "./s.study"], "./s.study is the study itself")
        (self.folder / "link.csv").symlink_to("linked.csv")
        self.tune("export", "s.study", "--out", "link.csv")
        self.assertTrue((self.folder / "link.csv").is_symlink())
        self.assertEqual((self.folder / "linked.csv").read_text(), (self.folder / "all.csv").read_text())
        self.assertIn("values.loss", self.tune("export", "s.study", "--out", "/dev/stdout").stdout)
        with open(self.folder / "behind.csv", "a", encoding="utf-8") as file:
            file.write("first\n")
            file.flush()
            subprocess.run([TUNE, "export", "s.study", "--out", "/dev/stdout"], cwd=self.folder, stdout=file, check=True)
        self.assertEqual((self.folder / "behind.csv").read_text(), "first\n" + (self.folder / "all.csv").read_text())
        text = (self.folder / "all.csv").read_text()
        self.assertEqual(text, self.tune("export", "s.study").stdout)
        for row, trial in zip(csv.DictReader(io.StringIO(text)), trials, strict=True):
            self.assertEqual(int(row["trial"]), trial["trial"])
            self.assertEqual(float(row["values.loss"]), trial["values"][0])
            self.assertEqual(row["params.kind"], trial["params"]["kind"])
            self.assertEqual(row["params.x"], str(trial["params"].get("x", "")))
            self.assertEqual(float(row["ended"]), trial["ended"])

    def test_a_result_that_cannot_be_written_is_a_failure(self):
        self.create(RANDOM)
        with open("/dev/full", "w", encoding="utf-8") as full:
            for command in ("export", "trials", "status"):
                done = subprocess.run([TUNE, command, "s.study"], cwd=self.folder, stdout=full, stderr=subprocess.PIPE, text=True,
                                      env=clean_environment(), check=False)
                self.assertEqual(done.returncode, FAILED, done.stderr)
                self.assertIn("cannot write to stdout", done.stderr)
        self.refuse(FAILED, ["export", "s.study", "--out", "no/such/folder.csv"], "no/such/folder.csv")

    def test_status_counts_and_says_who_is_at_work(self):
        self.create(RANDOM + "run_cap: 9\nname: first\n")
        for _ in range(3):
            self.json("ask", "s.study")
        self.tune("tell", "s.study", "--trial", 0, "--value", 2)
        self.tune("tell", "s.study", "--trial", 1, "--failed")
        status = self.json("status", "s.study")
        self.assertEqual(status["trials"], {"waiting": 0, "running": 1, "complete": 1, "failed": 1, "infeasible": 0})
        self.assertEqual(([one["trial"] for one in status["running"]], status["best"][0]["trial"]), ([2], 0))
        self.assertEqual((status["finished"], status["most_trials"], status["method"]), (False, 9, "random"))
        text = self.tune("status", "s.study").stdout
        for words in ("first", "3 of 9: 1 running, 1 complete, 1 failed", "trial 2 for", "loss 2 (trial 0)"):
            self.assertIn(words, text)
        self.assertEqual(len(self.json("trials", "s.study", "--state", "failed")["trials"]), 1)

    def test_importance_names_what_matters(self):
        self.create("metric: loss\nmethod: random\nseed: 1\nparameters:\n  x: {min: -1.0, max: 1.0}\n  idle: {min: -1.0, max: 1.0}\n")
        for number in range(40):
            x = self.json("ask", "s.study")["params"]["x"]
            self.tune("tell", "s.study", "--trial", number, "--value", 3 * x)
        shares = self.json("importance", "s.study")["importance"][0]["parameters"]
        self.assertEqual([share["name"] for share in shares], ["x", "idle"])
        for key in ("fanova", "kernel"):
            self.assertGreater(shares[0][key], 0.8)
            self.assertLess(shares[1][key], 0.2)
        self.assertIn("━", self.tune("importance", "s.study").stdout)

    def test_importance_names_what_matters_together(self):
        self.create("metric: loss\nmethod: random\nseed: 1\nparameters:\n  x: {min: -1.0, max: 1.0}\n  y: {min: -1.0, max: 1.0}\n")
        for number in range(60):
            asked = self.json("ask", "s.study")["params"]
            self.tune("tell", "s.study", "--trial", number, "--value", asked["x"] * asked["y"])
        pair, = self.json("importance", "s.study")["importance"][0]["pairs"]
        self.assertEqual((pair["first"], pair["second"]), ("x", "y"))
        self.assertGreater(pair["fanova"], 0.3)
        self.assertIn("x and y together, beyond what each does alone: ", self.tune("importance", "s.study").stdout)

    def on_terminal(self, *words, columns, env=None):
        """What the command writes to a terminal of so many columns and 24 rows, lines and escapes alike."""
        inside = ("import fcntl, os, struct, sys, termios\n"
                  f"fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('4H', 24, {columns}, 0, 0)); os.execv(sys.argv[1], sys.argv[1:])")
        main, other = os.openpty()
        with subprocess.Popen([sys.executable, "-c", inside, TUNE, *map(str, words)], cwd=self.folder, stdout=other, stderr=other,
                              env=env or clean_environment()) as process:
            os.close(other)
            written = b""
            with contextlib.suppress(OSError):  # how a terminal says that nobody is left who could write
                while more := os.read(main, 1 << 16):
                    written += more
            os.close(main)
            self.assertEqual(process.wait(120), 0, written)
        return written.decode()

    def test_a_terminal_gets_a_table_that_fits(self):
        parameters = "".join(f"  parameter-{i}: {{min: 0.0, max: 1.0}}\n" for i in range(20))
        sweep = self.sweep(f"metric: loss\nmethod: random\nparameters:\n{parameters}run_cap: 4\nn_jobs: 2\n"
                           """command: 'sleep 0.3; echo "a long line that a narrow terminal cannot show"; sleep 0.3; echo "{\\"loss\\": 1}"'\n""")
        for columns in (20, 50, 80):
            written = self.on_terminal("run", sweep, "--study", f"{columns}.study", columns=columns, env=clean_environment(NO_COLOR=1))
            self.assertNotIn("\x1b[36m", written)
            plain = [re.sub(r"\x1b\[\d*[A-Z]|\r", "", line) for line in written.split("\n")]
            for shown in (r"slot  trial  time", r"   1      \d  0\.\ds", r"4 of 4 trials"):
                self.assertTrue(any(re.match(shown, line) for line in plain), written)
            for line in plain:
                if not re.match(r"trial \d complete|4 of 4 trials", line):  # these stay, and may be wrapped
                    self.assertLessEqual(len(line), columns, line)
        self.assertTrue(any("  a long line that a narrow terminal cannot show" in line for line in plain), written)
        self.assertIn("\x1b[36m", self.on_terminal("run", sweep, columns=80))

    def test_a_narrow_terminal_gets_narrow_lines(self):
        self.create("metric: loss\nmethod: random\nparameters:\n" + "".join(f"  parameter-{i}: {{min: 0.0, max: 1.0}}\n" for i in range(20)))
        self.json("ask", "s.study")
        lines = self.on_terminal("trials", "s.study", columns=40).split("\r\n")
        self.assertTrue(lines[0].endswith("…"), lines)
        self.assertLessEqual(max(map(len, lines)), 40)

    # ---- what is refused ----------------------------------------------------------------------------------------------

    def test_sweeps_that_make_no_sense(self):
        def parameters(text):
            return f"metric: loss\nparameters:\n{text}\n"

        for text, *named in ((parameters("  {}"), "parameters"),
                             ("metric: loss\n", "parameters is missing"),
                             ("parameters: {x: {min: 0, max: 1}}\n", "metric is missing"),
                             (parameters("  x: {min: 2, max: 1}"), "x", "2", "1", "line 3"),
                             (parameters("  x: {min: 0.0, max: 1.0, log: true}"), "x", "log", "0"),
                             (parameters("  x: {min: -1.0, max: 1.0, log: true}"), "x", "-1"),
                             (parameters("  x: {min: nan, max: 1.0}"), "x", "nan"),
                             (parameters("  x: {min: 0.0, max: inf}"), "x", "inf"),
                             (parameters("  x: {distribution: unifrom, min: 0, max: 1}"), "unifrom", "did you mean uniform"),
                             (parameters("  x: {min: 0, max: 1, when: {y: 1}}"), "x", "y"),
                             (parameters("  x: {min: 0, max: 1, when: {y: 1}}\n  y: {min: 0, max: 1, when: {x: 1}}"), "circle"),
                             (parameters("  x: {min: 0, max: 9}") + "constraints: [x > 9]\n", "constraints leave nothing"),
                             (parameters("  x: {min: 0, max: 9}") + "constraints: [z > 9]\n", "z"),
                             (parameters("  x: {min: 0, max: 9}") + "method: magic\n", "magic", "bayes"),
                             (parameters("  x: {min: 0.0, max: 9}") + "method: grid\n", "x"),
                             (parameters("  x: {min: 0, max: 9}") + "n_trial: 3\n", "n_trial", "did you mean n_trials"),
                             ("a: [b\n", "sweep.yaml"), ("", "sweep.yaml")):
            with self.subTest(text=text):
                sweep = self.sweep(text)
                self.refuse(USAGE, ["create", "s.study", sweep], *named)
                self.sweep(text + "command: [echo]\n")
                self.refuse(USAGE, ["run", sweep])

    def test_a_sweep_without_a_command_is_for_ask_and_tell(self):
        self.refuse(USAGE, ["run", self.sweep(RANDOM)], "command, program nor base", "ask sweep.study", "tell")
        self.create(RANDOM)
        self.refuse(USAGE, ["resume", "s.study"], "ask s.study")

    def test_what_is_no_study(self):
        sweep = self.sweep(RANDOM)
        (self.folder / "text").write_text("no database, but long enough for one\n" * 100)
        (self.folder / "folder").mkdir()
        sqlite3.connect(self.folder / "other.db").execute("create table t (x)").connection.close()
        for command in ("status", "ask", "trials", "best", "export", "importance", "resume"):
            self.refuse(FAILED, [command, "none.study"], "no study none.study")
            self.refuse(FAILED, [command, "folder"], "folder is a folder")
            self.refuse(FAILED, [command, "text"], "text is no study")
            self.refuse(USAGE, [command, sweep], "sweep file", f"trireme-tune run {sweep}")
        self.refuse(FAILED, ["status", "other.db"], "another program")
        self.refuse(USAGE, ["status"], "--study is required")
        self.refuse(USAGE, ["status", "mysql://host/database"], "postgresql://")
        self.refuse(USAGE, ["stats", "s.study"], "did you mean status")

    def test_what_is_no_sweep_file(self):
        self.create(RANDOM)
        self.refuse(USAGE, ["run", "s.study"], "is a study", "resume s.study")
        self.refuse(USAGE, ["create", "sweep.yaml", "s.study"], "sweep.yaml", "create STUDY sweep.yaml")
        self.refuse(USAGE, ["create", "s.study", "sweep.yaml"], "s.study is there already")
        self.refuse(USAGE, ["create", "none/s.study", "sweep.yaml"], "no folder")
        self.refuse(USAGE, ["run", "."], "is a folder")
        self.refuse(FAILED, ["run", "none.yaml"], "none.yaml", "No such file")

    def test_a_study_of_a_newer_version(self):
        self.create(RANDOM)
        with sqlite3.connect(self.folder / "s.study") as database:
            database.execute("update trireme_tune_format set version = 1000")
        database.close()
        self.refuse(FAILED, ["status", "s.study"], "1000")

    def test_a_full_disk_loses_nothing(self):
        disk = self.enterContext(small_disk(512))
        if disk is None:
            self.skipTest("mounting a small tmpfs needs root")
        study, ballast = disk / "s.study", disk / "ballast"
        self.tune("create", study, self.sweep(RANDOM))
        first = self.json("ask", study)
        with open(ballast, "wb", buffering=0) as file, self.assertRaises(OSError):
            while True:
                file.write(bytes(4096))
        for words in (["ask", study, "--json"], ["tell", study, "--trial", 0, "--value", 1]):
            result = self.tune(*words, status=FAILED)
            self.assertEqual((result.stdout, len(result.lines)), ("", 1), result)
            self.assertIn(str(study), result.stderr)
        ballast.unlink()
        self.assertEqual([trial["state"] for trial in self.trials(study)], ["running"])
        self.tune("tell", study, "--trial", first["trial"], "--value", 1)
        self.assertEqual(self.json("ask", study)["trial"], 1)


class TuneTraining(Case):
    """Trials that are training jobs: the parameters are config keys."""

    def setUp(self):
        self.base = self.folder / "train.yaml"
        config = SMALL | {"data.path": str(self.corpus), "steps": 6, "eval.every-steps": 3}
        self.base.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in config.items()))

    def sweep(self, parameters, more=""):
        path = self.new_run("sweep").with_suffix(".yaml")
        path.write_text(f"metric: eval_loss\nbase: train.yaml\nmethod: qmc\nparameters:\n{parameters}{more}")
        return path

    def test_the_best_trial_is_a_run(self):
        sweep = self.sweep("  optimizer.learning-rate: {min: 1e-4, max: 1e-1, log: true}\n", "run_cap: 3\n")
        done = run([TUNE, "run", sweep, "--json"], cwd=self.folder)
        self.assertEqual(done.status, 0, done)
        best = done.json["best"][0]
        losses = [record["eval_loss"] for record in trireme.records(self.folder / best["run"]) if "eval_loss" in record]
        self.assertEqual(best["values"], [losses[-1]])
        self.assert_sound(trireme.checkpoint(self.folder / best["run"], 6))

    def test_a_sweep_of_jobs_of_two_ranks_that_is_killed_twice_ends_as_if_it_had_not_been(self):
        text = self.base.read_text().replace("steps: 6", "steps: 60").replace("eval.every-steps: 3", "eval.every-steps: 30")
        self.base.write_text(text + "checkpoint.every-steps: 10\ncheckpoint.keep: 2\n")
        sweep = self.sweep("  optimizer.learning-rate: {min: 1e-4, max: 1e-1, log: true}\n  model.width: {values: [16, 32, 64]}\n",
                           "run_cap: 6\nranks: 2\n")
        done = run([TUNE, "run", sweep, "--study", "undisturbed.study", "--json"], cwd=self.folder)
        self.assertEqual(done.status, 0, done)

        def is_saved(trial):  # but not done
            folder = self.folder / f"killed.study.runs/{trial:06d}"
            return folder.is_dir() and 0 < max([0, *trireme.checkpoint_steps(folder)]) < 60

        job = Job([TUNE, "run", sweep, "--study", "killed.study"], cwd=self.folder)
        self.addCleanup(job.kill)
        job.wait_until(lambda: is_saved(1), limit=120, what="a checkpoint of the second trial")
        job.signal(signal.SIGKILL)
        job.finish()
        job = Job([TUNE, "resume", "killed.study"], cwd=self.folder)
        self.addCleanup(job.kill)
        job.wait_until(lambda: is_saved(3), limit=120, what="a checkpoint of the fourth trial")
        os.kill(job.ranks()[1], signal.SIGKILL)
        self.assertEqual(job.finish().status, 0, job.stderr())

        trials = {name: run([TUNE, "trials", f"{name}.study", "--json"], cwd=self.folder).json["trials"] for name in ("killed", "undisturbed")}
        self.assertEqual([trial["state"] for trial in trials["killed"]], ["complete"] * 6)
        self.assertEqual([(trial["params"], trial["values"]) for trial in trials["killed"]],
                         [(trial["params"], trial["values"]) for trial in trials["undisturbed"]])
        self.assertEqual({trial["trial"] for trial in trials["killed"] if trial["attempt"] > 1}, {1, 3})
        best = run([TUNE, "best", "killed.study", "--json"], cwd=self.folder).json["best"][0]
        served = run([SERVE, self.folder / best["run"], "--prompt", "abc", "--max-tokens", "4", "--json"])
        self.assertEqual(served.status, 0, served)

    def test_keys_are_checked_before_anything_is_started(self):
        for parameters, named in (("  optimizer.learning-rat: {min: 0.1, max: 0.2}\n", "did you mean optimizer.learning-rate"),
                                  ("  optimizer.learning-rate: {min: 0.1, max: 1e9}\n", "optimizer.learning-rate"),
                                  ("  schedule.name: {values: [cosine, cosinus]}\n", "cosinus")):
            sweep = self.sweep(parameters)
            result = run([TUNE, "run", sweep], cwd=self.folder)
            self.assertEqual((result.status, len(result.lines)), (USAGE, 1), result)
            self.assertIn(named, result.stderr)
            self.assertFalse(sweep.with_suffix(".study").exists())


if __name__ == "__main__":
    trireme.main()
