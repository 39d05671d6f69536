"""What the end-to-end tests share: the built programs, a small corpus, and ranks under the launcher with a time limit.

Each test file is a program of its own, python's unittest; ctest sets TRIREME_BIN to the build's bin folder. By hand:
    TRIREME_BIN=build/dev/bin .venv/bin/python tests/e2e/layouts_test.py [-k NAME]
Limits in seconds are for machines that are busy; they are no measurements.
"""
import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("TRIREME_BIN", ROOT / "build/dev/bin")).resolve()
LAUNCHER = ROOT / "scripts/launch/mpi"

DATA, TRAIN, MODEL, TUNE, SERVE = (str(BIN / f"trireme-{name}") for name in ("data", "train", "model", "tune", "serve"))

# What every layout and every resume has to repeat to the bit.
REPEATED = ("penalty", "step", "tokens", "loss", "grad_norm", "learning_rate", "samples_hash", "eval_loss")


def clean_environment(**more):
    """Ours, without what would change the config of a run or the number of its threads."""
    kept = {key: value for key, value in os.environ.items()
            if not key.startswith(("TRIREME_", "OMP_", "OMPI_", "PMIX_", "PMI_", "MKL_"))}
    return kept | {key: str(value) for key, value in more.items()}


class Result:
    def __init__(self, command, status, stdout, stderr, seconds):
        self.command, self.status, self.stdout, self.stderr = command, status, stdout, stderr
        self.seconds = seconds

    @property
    def lines(self):
        return self.stderr.splitlines()

    @property
    def json(self):
        return json.loads(self.stdout)

    def __str__(self):
        return (f"{' '.join(map(str, self.command))}\nexit status {self.status} after {self.seconds:.1f} s\n"
                f"--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}")


class Job:
    """A command that runs, its stderr kept line by line with the time of each."""

    def __init__(self, command, env=None, cwd=None):
        self.command = [str(word) for word in command]
        self.started = time.monotonic()
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=env or clean_environment(), cwd=cwd)
        self.stderr_lines = []  # (time, line)
        self._stdout = b""
        self._news = threading.Condition()
        self._readers = [threading.Thread(target=self._read_stderr, daemon=True),
                         threading.Thread(target=self._read_stdout, daemon=True)]
        for reader in self._readers:
            reader.start()

    def _read_stderr(self):
        for line in self.process.stderr:
            with self._news:
                self.stderr_lines.append((time.monotonic(), line.decode(errors="replace").rstrip("\n")))
                self._news.notify_all()

    def _read_stdout(self):
        self._stdout = self.process.stdout.read()

    def stderr(self):
        return "".join(line + "\n" for _, line in list(self.stderr_lines))

    def wait_until(self, condition, limit=60, what="what was waited for"):
        """Polls; fails when the job ends first."""
        end = time.monotonic() + limit
        while not condition():
            if self.process.poll() is not None:
                raise AssertionError(f"the job ended before {what}\n{self.finish()}")
            if time.monotonic() > end:
                self.kill()
                raise AssertionError(f"no sign of {what} after {limit} s\n{self.stderr()}")
            time.sleep(0.005)

    def ranks(self):
        """{rank: process id} of the ranks that live below the launcher."""
        found = {}
        for process in descendants(self.process.pid):
            try:
                environment = pathlib.Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
                name = pathlib.Path(f"/proc/{process}/comm").read_text().strip()
            except OSError:
                continue
            for entry in environment:
                if entry.startswith(b"OMPI_COMM_WORLD_RANK=") and name.startswith("trireme"):
                    found[int(entry.partition(b"=")[2])] = process
        return found

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        for process in [*descendants(self.process.pid), self.process.pid]:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def finish(self, limit=120):
        try:
            status = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running after {limit} s: {' '.join(self.command)}\n{self.stderr()}") from None
        seconds = time.monotonic() - self.started
        for reader in self._readers:
            reader.join(10)
        self.process.stdout.close()
        self.process.stderr.close()
        return Result(self.command, status, self._stdout.decode(errors="surrogateescape"), self.stderr(), seconds)


def descendants(process):
    found = []
    try:
        threads = list(pathlib.Path(f"/proc/{process}/task").iterdir())
    except OSError:
        return found
    for thread in threads:
        try:
            children = (thread / "children").read_text().split()
        except OSError:
            continue
        for child in children:
            found += [int(child), *descendants(int(child))]
    return found


def run(command, limit=120, env=None, cwd=None):
    return Job(command, env=env, cwd=cwd).finish(limit)


def launched(ranks, *command):
    """The command on this many ranks; 0 is a world of one without the launcher."""
    return [LAUNCHER, "-n", ranks, *command] if ranks else [*command]


FIM_TOKENS = ("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>")


def mixed(corpora):
    """data.path of [(corpus, weight)]."""
    return ",".join(f"{corpus}={weight}" for corpus, weight in corpora)


def flags(config):
    return [f"--{key}={value}" for key, value in config.items()]


# Small enough for 10 ms a step and many-sided enough to matter: uneven shares, a tail of evaluation batches.
SMALL = {
    "model.layers": 2, "model.width": 32, "model.heads": 2, "model.kv-heads": 1, "model.context": 64,
    "data.sequence-length": 24, "data.micro-batch": 1, "data.global-batch": 12,
    "schedule.warmup-steps": 5, "optimizer.learning-rate": 0.01, "eval.every-steps": 0,
}
# On top of SMALL: what each family takes.
FAMILIES = {"llama": {"model.family": "llama"}, "gpt2": {"model.family": "gpt2", "model.kv-heads": 0}}


def text_of(seed, words=6000):
    """Sentences with something to learn, the same ones for the same seed."""
    draw = random.Random(seed)
    nouns = "king sea ship oar rower captain wind harbour star wave night morning crew mast hull drum".split()
    verbs = "saw held left found called feared followed praised".split()
    sentences, count = [], 0
    while count < words:
        paragraph = []
        for _ in range(draw.randint(2, 6)):
            noun = draw.choice(nouns)
            paragraph.append(f"The {noun} {draw.choice(verbs)} the {nouns[(nouns.index(noun) + draw.randint(1, 3)) % 16]}"
                             f"{draw.choice(['', ' — at dawn', ' by the café', ' of old'])}.")
            count += 6
        sentences.append(" ".join(paragraph))
    return "\n\n".join(sentences) + "\n"


class Case(unittest.TestCase):
    """A folder for the test class and a corpus in it."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="trireme-e2e."))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.corpus = cls.make_corpus("corpus", seed=1)
        cls._runs = 0

    @classmethod
    def make_corpus(cls, name, seed, vocabulary=320, words=6000, validation=0.1, encode_flags=(), tokenizer=None,
                    tokenizer_flags=()):
        """With a tokenizer of its own, or a given one."""
        text, own, corpus = (cls.folder / f"{name}{tail}" for tail in (".txt", ".tokenizer.json", ""))
        text.write_text(text_of(seed, words))
        commands = [[DATA, "encode", "--tokenizer", tokenizer or own, "--input", text, "--out", corpus, "--validation",
                     validation, *encode_flags]]
        if not tokenizer:
            commands.insert(0, [DATA, "tokenizer", "train", "--input", text, "--vocab-size", vocabulary, "--out", own,
                                *tokenizer_flags])
        for command in commands:
            result = run(command)
            assert result.status == 0, result
        return corpus

    @classmethod
    def make_mixture(cls):
        """Two corpora more, of the first one's tokenizer and of other sizes: [(corpus, weight)]."""
        tokenizer = cls.corpus / "tokenizer.json"
        more = [cls.make_corpus(f"more-{seed}", seed, words=words, tokenizer=tokenizer)
                for seed, words in ((11, 2500), (12, 900))]
        return list(zip([cls.corpus, *more], (0.5, 0.3, 0.2)))

    @classmethod
    def new_run(cls, name="run"):
        cls._runs += 1
        return cls.folder / f"{name}-{cls._runs}"

    def command(self, ranks, run_folder, config=None, *more):
        merged = SMALL | {"data.path": self.corpus} | (config or {})
        return launched(ranks, TRAIN, "--run", run_folder, "--json", *flags(merged), *more)

    def start(self, ranks, run_folder, config=None, *more, env=None):
        job = Job(self.command(ranks, run_folder, config, *more), env=env)
        self.addCleanup(job.kill)
        return job

    def train(self, ranks, run_folder, config=None, *more, status=0, limit=120, env=None):
        result = run(self.command(ranks, run_folder, config, *more), limit=limit, env=env)
        self.assertEqual(result.status, status, result)
        return result

    def assert_sound(self, checkpoint):
        result = run([MODEL, "verify", checkpoint])
        self.assertEqual(result.status, 0, result)


def records(run_folder, file="metrics.jsonl"):
    return [json.loads(line) for line in (run_folder / file).read_text().splitlines()]


def repeated(run_folder):
    """Of every record what no layout and no interruption may change."""
    return [{key: record[key] for key in REPEATED if key in record} for record in records(run_folder)]


def last_step(run_folder):
    """Of the log, whole lines only; 0 when there is none yet."""
    try:
        lines = (run_folder / "metrics.jsonl").read_text().split("\n")[:-1]
    except OSError:
        return 0
    return json.loads(lines[-1])["step"] if lines else 0


def checkpoint_steps(run_folder):
    """Of those that are committed: temporary names have a tail."""
    names = [path.name.removeprefix("step-") for path in (run_folder / "checkpoints").glob("step-*")]
    return sorted(int(name) for name in names if name.isdigit())


def checkpoint(run_folder, step):
    return run_folder / "checkpoints" / f"step-{step:08}"


def listing(folder):
    """Every file below with its size and time, to see whether anything was written."""
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(folder.rglob("*"))}


def flip_bit(path, bit):
    with open(path, "r+b") as file:
        file.seek(bit // 8)
        byte = file.read(1)[0]
        file.seek(bit // 8)
        file.write(bytes([byte ^ 1 << bit % 8]))


@contextlib.contextmanager
def small_disk(kibibytes):
    """A tmpfs of this size, or None where we may not mount one."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="trireme-disk."))
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", folder],
                             capture_output=True, check=False).returncode == 0
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", folder], check=True)
        folder.rmdir()


def main():
    unittest.main(verbosity=2)
