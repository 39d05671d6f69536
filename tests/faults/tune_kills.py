"""Kills tuners and their commands at random moments, and looks at what the study then holds."""
import dataclasses
import json
import os
import pathlib
import random
import signal
import sqlite3
import subprocess
import sys
import time

from trireme import BIN, clean_environment

TUNE = str(BIN / "trireme-tune")
TRIAL = pathlib.Path(__file__).with_name("tune_trial.py")
TRIALS = 12
KILLS = 12  # of a study: with more of them few trials would ever end
LIMIT = 120  # seconds for what takes one or two

SWEEP = """\
method: {method}
metric: loss
seed: {seed}
run_cap: {trials}
retries: 100
parameters:
  x: {{min: 0.0, max: 1.0}}
  kind: {{values: [a, b]}}
command: [{python}, -S, -E, {trial}, {journal}, "${{args}}"]
"""


@dataclasses.dataclass
class Kills:
    kills: int = 0
    tuners: int = 0
    commands: int = 0
    studies: int = 0
    trials: int = 0
    attempts: int = 0
    seconds: float = 0


class Sweep:
    """A study in a folder, and the processes that work on it."""

    def __init__(self, folder, method, seed):
        folder.mkdir()
        self.study, self.journal, self.file, self.log = (folder / name for name in ("study.db", "journal", "sweep.yaml", "log"))
        self.file.write_text(SWEEP.format(method=method, seed=seed, trials=TRIALS, python=sys.executable, trial=TRIAL, journal=self.journal))
        created = subprocess.run([TUNE, "create", self.study, self.file], capture_output=True, text=True, env=clean_environment(), check=False)
        assert created.returncode == 0, created.stderr
        self.tuners = []

    def start_tuner(self, jobs):
        with open(self.log, "a") as log:
            self.tuners.append(subprocess.Popen([TUNE, "resume", self.study, f"--jobs={jobs}", "--lease=5"], stdin=subprocess.DEVNULL,
                                                stdout=log, stderr=log, env=clean_environment()))

    def commands(self):
        """Processes of its trials, each with all that it started."""
        mark, found = f"TRIREME_TUNE_STUDY={self.study}".encode(), []
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                pass
        return found

    def alive(self):
        return [tuner for tuner in self.tuners if tuner.poll() is None]

    def finish(self, jobs):
        if not self.alive():
            self.start_tuner(jobs)
        for tuner in self.tuners:
            tuner.wait(LIMIT)
        return self.tuners[-1].returncode

    def rows(self):
        with sqlite3.connect(self.study) as database:
            return database.execute("select number, state, parameters, result, attempt, reason from trireme_tune_trial order by number").fetchall()

    def entries(self):
        """(event, trial, attempt) of the journal."""
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        return [(event, int(trial), int(attempt)) for event, trial, attempt, _ in map(str.split, lines)]


def kill(process):
    try:
        os.kill(process, signal.SIGKILL)
        return True
    except ProcessLookupError:
        return False


def disturb(sweep, draw, told):
    """One kill: of a tuner, of all of them, or of a command or its helper."""
    commands = sweep.commands()
    if draw.random() < 0.5 and commands:
        killed = kill(draw.choice(commands))
        told.commands += killed
    else:
        tuners = sweep.alive()
        victims = tuners if draw.random() < 0.3 else [draw.choice(tuners)]
        for victim in victims:
            victim.kill()
        killed = any([victim.wait() == -signal.SIGKILL for victim in victims])
        told.tuners += killed
    told.kills += killed


def look_at(case, sweep, expected):
    """Nothing lost, nothing done twice, and the same search as without kills."""
    rows, entries = sweep.rows(), sweep.entries()
    log = sweep.log.read_text()
    case.assertEqual([row[0] for row in rows], list(range(TRIALS)), "numbers have gaps")
    case.assertEqual({row[1] for row in rows}, {"complete"}, f"{rows}\n{log}")
    case.assertEqual([row[2:4] for row in rows], expected, "another search than the undisturbed one")
    case.assertNotIn("overlap", {event for event, _, _ in entries}, "two attempts of a trial at a time")
    case.assertEqual(len(entries), len(set(entries)), "an attempt ran twice")
    for number, _, parameters, result, attempt, _ in rows:
        given = json.loads(parameters)
        case.assertEqual(json.loads(result), [(given["x"] - 0.3) ** 2 + (given["kind"] == "b")])
        case.assertIn(("end", number, attempt), entries, "a result without its command")
        case.assertEqual(max(at for _, trial, at in entries if trial == number), attempt, "it ran on behind its end")
    case.assertEqual(sweep.commands(), [], "processes are left")


def run_undisturbed(case, folder, method, seed):
    sweep = Sweep(folder, method, seed)
    case.assertEqual(sweep.finish(jobs=1), 0, sweep.log.read_text())
    expected = [row[2:4] for row in sweep.rows()]
    look_at(case, sweep, expected)
    return expected


def run_disturbed(case, sweep, workers, jobs, goes_on, draw, told):
    def clean():
        for tuner in sweep.alive():
            tuner.kill()
        for process in sweep.commands():
            kill(process)
    case.addCleanup(clean)
    while goes_on():
        while len(sweep.alive()) < workers:
            sweep.start_tuner(jobs)
        time.sleep(draw.uniform(0, 0.4))
        if any(tuner.returncode == 0 for tuner in sweep.tuners if tuner.poll() is not None):
            break  # it is finished
        if sweep.alive():
            disturb(sweep, draw, told)
    case.assertEqual(sweep.finish(jobs), 0, sweep.log.read_text())


def campaign(case, folder, kills, seed, limit, say=False):
    """Until so many kills, or so many seconds, and then to the end of the study. In turn: a random search by three tuners of
    two slots each; a random and a Bayesian search by one tuner of one slot."""
    draw, told, begin = random.Random(seed), Kills(), time.monotonic()
    while told.kills < kills and time.monotonic() - begin < limit:
        method, workers, jobs = (("random", 3, 2), ("bayes", 1, 1), ("random", 1, 1))[told.studies % 3]
        expected = run_undisturbed(case, folder / f"undisturbed-{told.studies}", method, seed + told.studies)
        sweep = Sweep(folder / f"killed-{told.studies}", method, seed + told.studies)
        last = min(kills, told.kills + KILLS)
        run_disturbed(case, sweep, workers, jobs, lambda: told.kills < last and time.monotonic() - begin < limit, draw, told)
        look_at(case, sweep, expected)
        told.studies += 1
        told.trials += TRIALS
        told.attempts += sum(row[4] for row in sweep.rows())
        if say:
            print(f"{told.kills} kills, {told.studies} studies, {time.monotonic() - begin:.0f} s", flush=True)
    told.seconds = time.monotonic() - begin
    return told
