"""Group `checkpoints`: what saving takes from training, and how fast checkpoints are written and read, beside dd on the same disk."""
import os
import re
import signal
import subprocess
import time

import corpora
import training
from measure import ROOT, WORK, Better, BenchError, Group, clean_environment, figure, fresh_folder, in_turns, pinned, run_job


def dropped(folder):
    """Takes the files below out of the page cache."""
    for path in folder.rglob("*"):
        if path.is_file():
            with open(path, "rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def dd(cores, *words):
    """Bytes a second, as dd says."""
    done = subprocess.run(pinned(cores, ["dd", "bs=4M", *words]), capture_output=True, text=True, check=True, env=clean_environment(LC_ALL="C"))
    return rate_of(done.stderr)


def rate_of(said):
    found = re.search(r"(\d+) bytes .* copied, ([0-9.e+-]+) s", said)
    if not found:
        raise BenchError(f"dd said {said!r}")
    return int(found[1]) / float(found[2])


class Checkpoints(Group):
    about = ("saves of the 12M shape every 50 steps on 2 ranks: time that training stands still over the time that it takes, tokens/s of all steps, and resident memory of all ranks above a "
             "run that does not save; and memory and bytes a second of checkpoints of 1.6 GB (a model of 0.5 GB of weights in fp32, 2 ranks)")
    peer = ("training time; the same run without saves; the size of a checkpoint; dd with 4 MiB blocks on the same disk, writing with conv=fsync: behind the run, and beside the same training; and "
            "reading what is not in the page cache, one dd alone and one for each rank")
    cases = ("12M-fp32", "12M-bf16", "writing", "reading")
    large = {"model.layers": 10, "model.width": 1024, "model.heads": 16, "model.ffn": 2816, "model.context": 256, "data.sequence-length": 256, "data.micro-batch": 1,
             "data.global-batch": 2, "schedule.warmup-steps": 1, "eval.every-steps": 0, "threads": 1, "parallel.shard": 1, "checkpoint.keep": 1}

    def measure(self, case, options):
        if case.startswith("12M"):
            return self.stall(case.removeprefix("12M-"), options)
        return self.writing(options) if case == "writing" else self.reading(options)

    def stall(self, precision, options):
        every, steps = (4, 10) if options.quick else (50, 110)
        corpus = corpora.corpus(options.programs / "trireme-data", training.SHAPES["12M"][1])
        keys = training.keys_of("12M", precision, steps, corpus)
        stalls, times, sizes, memory = [], [], [], {}

        def run(saves):
            more = {"checkpoint.every-steps": every if saves else 0}
            records, result = self.train(options, keys | more, "checkpoints-12M")
            seconds = sum(record["step_ms"] for record in records) / 1000
            if saves:
                durable = self.events("checkpoints-12M", "checkpoint-durable")
                stalled = sum(record["checkpoint_stall_ms"] for record in records) / 1000  # not the last one, behind which nothing is trained
                stalls.append(stalled)
                times.append(seconds + stalled)
                sizes.append(durable[0]["bytes"] / 2**20)
                seconds += stalled
            memory.setdefault(saves, []).append(result["peak_memory_bytes"] / 2**20)
            return steps * training.tokens_per_step(keys) / seconds

        rates = in_turns(options.runs, lambda: run(True), lambda: run(False))
        above = [mine - theirs for mine, theirs in zip(memory[True], memory[False])]
        return {"figures": [figure("stall beside training time, s", stalls, times, Better.LOWER, 0.01), figure("tokens/s of all steps", *rates, Better.HIGHER),
                            figure("memory above training beside the state, MiB", above, sizes, Better.LOWER, 1.0)]}

    def writing(self, options):
        keys, steps = self.large_keys(options), 6
        folder = WORK / "runs" / "checkpoints-large"
        beside, last, above, sizes = [], [], [], []

        def save():
            records, _ = self.train(options, keys | {"steps": steps, "checkpoint.every-steps": steps // 2}, folder.name)
            above.append(max(record["memory_bytes"] for record in records) / 2**20)
            first, second = [event["bytes"] / event["write_ms"] * 1000 / 1e6 for event in self.events(folder.name, "checkpoint-durable")]
            beside.append(first)
            last.append(second)

        def write(bytes_of):
            rate = dd(options.cores, "if=/dev/zero", f"of={folder / 'dd'}", f"count={round(bytes_of / 2**22)}", "conv=fsync") / 1e6
            (folder / "dd").unlink()
            return rate

        alone, among = [], []
        for _ in range(options.runs):
            save()
            size = self.events(folder.name, "checkpoint-durable")[0]["bytes"]
            sizes.append(size / 2**20)
            alone.append(write(size))
            among.append(self.beside_training(options, keys, folder, lambda: write(size)))
            above[-1] -= max(record["memory_bytes"] for record in training.lines_of(folder / "run/metrics.jsonl")) / 2**20
        return {"figures": [figure("the last save, MB/s", last, alone, Better.HIGHER, 0.7), figure("a save beside training, MB/s", beside, among, Better.HIGHER, 0.7),
                            figure("memory above training beside the state, MiB", above, sizes, Better.LOWER, 1.0)]}

    def beside_training(self, options, keys, folder, measure):
        fresh_folder(folder)
        command = [ROOT / "scripts/launch/mpi", "-n", training.RANKS, options.programs / "trireme-train", "--run", folder / "run"]
        command += [f"--{key}={training.flag(value)}" for key, value in (keys | {"steps": 100000, "checkpoint.every-steps": 0}).items()]
        with open(folder / "log", "wb") as log:
            job = subprocess.Popen(pinned(options.cores, command), env=clean_environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                while not (folder / "run/metrics.jsonl").exists() or len(training.lines_of(folder / "run/metrics.jsonl")) < 2:
                    if job.poll() is not None:
                        raise BenchError(f"the job ended; see {folder / 'log'}")
                    time.sleep(0.05)
                return measure()
            finally:
                for _ in range(2):  # at once, without a save
                    job.send_signal(signal.SIGTERM)
                job.wait()

    def reading(self, options):
        keys = self.large_keys(options)
        folder = WORK / "runs" / "checkpoints-large"
        self.train(options, keys | {"steps": 1, "checkpoint.every-steps": 0}, folder.name)
        steps, alone = 1, []

        def files():
            dropped(folder / "run/checkpoints")
            return sorted((folder / "run/checkpoints").glob("step-*/rank-*.h5"))

        def load():
            nonlocal steps
            files()
            steps += 1
            size = self.events(folder.name, "checkpoint-durable")[-1]["bytes"]
            self.start(options, keys | {"steps": steps, "checkpoint.every-steps": 0, "schedule.name": "constant"}, folder)
            return size / self.events(folder.name, "resumed")[-1]["restore_ms"] * 1000 / 1e6

        def read():
            alone.append(dd(options.cores, f"if={files()[0]}", "of=/dev/null") / 1e6)
            begin = time.monotonic()
            readers = [subprocess.Popen(pinned(options.cores, ["dd", f"if={path}", "of=/dev/null", "bs=4M"]), stderr=subprocess.DEVNULL) for path in files()]
            if any(reader.wait() for reader in readers):
                raise BenchError("dd failed")
            return sum(path.stat().st_size for path in sorted((folder / "run/checkpoints").glob("step-*/rank-*.h5"))) / (time.monotonic() - begin) / 1e6

        ours, both = in_turns(options.runs, load, read)
        return {"figures": [figure("a start, MB/s, beside a dd for each rank", ours, both, Better.HIGHER, 0.7), figure("a start, MB/s, beside one dd", ours, alone, Better.HIGHER, 0.7)]}

    def large_keys(self, options):
        corpus = corpora.corpus(options.programs / "trireme-data", 4096)
        keys = self.large | {"data.path": corpus, "schedule.name": "constant"}
        return keys | {"model.layers": 2, "model.width": 256, "model.heads": 4} if options.quick else keys

    def train(self, options, keys, name):
        """As training.run_trireme, with saves."""
        folder = fresh_folder(WORK / "runs" / name)
        result = self.start(options, keys, folder)
        return training.lines_of(folder / "run/metrics.jsonl"), result

    def start(self, options, keys, folder):
        out = folder / "result.json"
        command = ["bash", "-c", 'out=$1; shift; exec "$@" >"$out"', "bench", out, ROOT / "scripts/launch/mpi", "-n", training.RANKS, options.programs / "trireme-train",
                   "--run", folder / "run", "--json"] + [f"--{key}={training.flag(value)}" for key, value in keys.items()]
        run_job([command], options.cores, [clean_environment()], folder / "log")
        [result] = training.lines_of(out)
        return result

    def events(self, name, kind):
        return [event for event in training.lines_of(WORK / "runs" / name / "run/events.jsonl") if event["event"] == kind]
