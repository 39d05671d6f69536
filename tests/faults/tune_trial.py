"""What a trial of the campaign tune_kills.py runs: it writes down that it began, who it is, and that it ended.

usage: tune_trial.py JOURNAL --x=NUMBER --kind=NAME

A line of the journal is an event, the trial, the attempt and a process. Every attempt starts a helper in a session of its
own, which nothing ends by itself; a trial that finds a process of an earlier attempt alive reports an overlap.
"""
import json
import os
import pathlib
import random
import subprocess
import sys
import time

journal = pathlib.Path(sys.argv[1])
trial, attempt = os.environ["TRIREME_TUNE_TRIAL"], os.environ["TRIREME_TUNE_ATTEMPT"]


def note(event, process):
    file = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(file, f"{event} {trial} {attempt} {process}\n".encode())
    os.close(file)


def is_alive(process):
    """As what it was: numbers are given out again, and a zombie has no environment."""
    try:
        environment = pathlib.Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return f"TRIREME_TUNE_RUN={os.environ['TRIREME_TUNE_RUN']}".encode() in environment


for line in journal.read_text().splitlines() if journal.exists() else []:
    event, number, earlier, process = line.split()
    if event in ("begin", "helper") and number == trial and earlier != attempt and is_alive(process):
        note("overlap", process)
note("begin", os.getpid())
note("helper", subprocess.Popen(["sleep", "60"], start_new_session=True).pid)

given = dict(word.removeprefix("--").split("=") for word in sys.argv[2:])
loss = (float(given["x"]) - 0.3) ** 2 + (given["kind"] == "b")
time.sleep(random.uniform(0, 0.1))
note("end", os.getpid())
print(json.dumps({"loss": loss}))
