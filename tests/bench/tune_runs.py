"""The peers' runs of the group `tune`: results/tune-peers.json, the venv they run in, and running what is missing."""
import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import platform
import subprocess
import time

from measure import PYTHON, ROOT, WORK, BenchError, clean_environment, pinned, say

RUNS = ROOT / "tests/bench/results/tune-peers.json"
VENV = ROOT / ".venv-peers"
WHEELS = ROOT / "tests/bench/requirements-peers.txt"
PEER = ROOT / "tests/bench/tune_peer.py"
SEEDS = range(1, 11)
FIRST_SEEDS = 3  # of every peer and function, before any of the others
EVERY = 10  # regret is kept after so many evaluations each


def installed():
    """The peers' python. What scripts/setup put into .venv (torch is 5 GB) is seen from there and not fetched again."""
    stamp = VENV / "trireme-peers-stamp"
    wanted = f"{hashlib.sha256(WHEELS.read_bytes() + (ROOT / 'scripts/requirements.txt').read_bytes()).hexdigest()} {platform.python_version()} {ROOT}"
    if not stamp.exists() or stamp.read_text() != wanted:
        say("wheels of tests/bench/requirements-peers.txt into .venv-peers: about 0.7 GB, a minute")
        subprocess.run([PYTHON, "-m", "venv", "--clear", VENV], check=True)
        ours, theirs = (subprocess.run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], check=True, capture_output=True, text=True).stdout
                        for python in (PYTHON, VENV / "bin/python"))
        pathlib.Path(theirs.strip(), "trireme.pth").write_text(ours)
        subprocess.run([VENV / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", WHEELS,
                        "-c", ROOT / "scripts/requirements.txt"], check=True)
        stamp.write_text(wanted)
    return VENV / "bin/python"


def known():
    """{"peer version": {"function definition": {seed: run}}}"""
    return json.loads(RUNS.read_text()) if RUNS.exists() else {}


def as_text(runs):
    """One line a run, so that a changed run is a changed line."""
    peers = []
    for peer, functions in runs.items():
        blocks = []
        for function, seeds in functions.items():
            lines = [f"   {json.dumps(seed)}: {json.dumps(run)}" for seed, run in sorted(seeds.items(), key=lambda item: int(item[0]))]
            blocks.append(f"  {json.dumps(function)}: {{\n" + ",\n".join(lines) + "\n  }")
        peers.append(f" {json.dumps(peer)}: {{\n" + ",\n".join(blocks) + "\n }")
    return "{\n" + ",\n".join(peers) + "\n}\n"


@contextlib.contextmanager
def alone():
    """One process at a time changes the file."""
    WORK.mkdir(parents=True, exist_ok=True)
    with open(WORK / "tune-peers.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def keep(peer, function, seed, run):
    with alone():
        runs = known()
        runs.setdefault(peer, {}).setdefault(function, {})[str(seed)] = run
        RUNS.parent.mkdir(exist_ok=True)
        new = RUNS.with_suffix(".new")
        new.write_text(as_text(runs))
        os.replace(new, RUNS)


def regrets(values, observed, minimum):
    """What is lost by taking the point with the lowest observed value, after every tenth evaluation and the last."""
    found, best = [], 0
    for trial, told in enumerate(observed):
        if told < observed[best]:
            best = trial
        if (trial + 1) % EVERY == 0 or trial + 1 == len(observed):
            found.append(float(f"{max(0.0, values[best] - minimum):.6g}"))
    return found


def once(python, peer, function, seed, core, evaluations=None, limit=3600):
    """One run of one peer, as tune_peer.py says it."""
    command = pinned([core], [python, PEER, peer, function, seed, *([evaluations] if evaluations else [])])
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, timeout=limit)
    if done.returncode:
        raise BenchError(f"{peer} on {function}, seed {seed}, ended with {done.returncode}: {' '.join(done.stderr.strip().splitlines()[-1:])}")
    return json.loads(done.stdout.splitlines()[-1])


def versions(python, peers):
    """Of each peer's package: results of another version do not count."""
    said = subprocess.run([python, "-c", "import json, sys, tune_peer; print(json.dumps({peer: tune_peer.version(peer) for peer in sys.argv[1:]}))", *peers],
                          cwd=PEER.parent, env=clean_environment(), check=True, capture_output=True, text=True).stdout
    return {peer: f"{peer} {version}" for peer, version in json.loads(said).items()}


def final(peers, function, seeds):
    """({peer: [regret at the end, a seed]}, {peer: "peer version"}) of what is known."""
    labels, runs = versions(installed(), peers), known()
    here = {peer: runs[labels[peer]][key_of(function)] for peer in peers}
    return {peer: [here[peer][str(seed)]["regret"][-1] for seed in seeds] for peer in peers}, labels


def key_of(function):
    return f"{function.name} {function.definition}"


def fill(peers, functions, core, seeds=SEEDS):
    """Runs what is not known yet, cheap peers first, and the first seeds of all before the other seeds of any. Gives the lines of those that failed."""
    python = installed()
    labels, failed = versions(python, peers), []
    for block in (list(seeds)[:FIRST_SEEDS], list(seeds)[FIRST_SEEDS:]):
        for peer in peers:
            for seed in block:
                for function in functions:
                    key = key_of(function)
                    if str(seed) in known().get(labels[peer], {}).get(key, {}):
                        continue
                    begin = time.monotonic()
                    try:
                        run = once(python, peer, function.name, seed, core)
                    except (BenchError, subprocess.TimeoutExpired) as error:
                        failed.append(str(error))
                        say(f"error: {error}")
                        continue
                    lost = regrets(run["values"], run["observed"], function.minimum)
                    keep(labels[peer], key, seed, {"regret": lost, "seconds": round(sum(run["seconds"]), 2)})
                    say(f"{peer} {function.name} seed {seed}: regret {lost[-1]:.3g}, {time.monotonic() - begin:.1f} s")
    return failed
