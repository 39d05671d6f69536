"""Groups `layouts` (tokens a second of each way to share a run out, exposed communication, the plan's time) and `memory` (the plan's peak)."""
import json
import subprocess

import corpora
import training
from measure import PYTHON, ROOT, WORK, Better, BenchError, Group, clean_environment, figure, fresh_folder, in_turns, pinned, run_job


def planned(programs, keys, ranks, **target):
    """What --dry-run says, on one process."""
    command = [programs / "trireme-train", "--dry-run", "--json", "--ranks", ranks] + [f"--{key}={training.flag(value)}" for key, value in (keys | target).items()]
    done = subprocess.run(list(map(str, command)), env=clean_environment(), capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"--dry-run ended with {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def within(name, ours, peer, low, high):
    """A figure whose ratio is to be about 1."""
    entry = figure(name, ours, peer, Better.HIGHER)
    return entry | {"target": f"{low} to {high}", "met": low <= entry["ratio"] <= high}


def exposed(folder):
    """Share of the traced steps in which ranks wait for messages and do nothing else, of all ranks together."""
    waiting = total = 0
    for path in sorted(folder.glob("traces/*/rank-*.json")):
        spans = [event for event in json.loads(path.read_text())["traceEvents"] if event["ph"] == "X"]
        total += sum(span["dur"] for span in spans if span["name"] == "step")
        end = 0
        for span in sorted((span for span in spans if span["cat"] == "wait"), key=lambda span: span["ts"]):
            waiting += max(0, span["ts"] + span["dur"] - max(end, span["ts"]))  # waits may lie within waits
            end = max(end, span["ts"] + span["dur"])
    return waiting / total


class Layouts(Group):
    about = ("the 12M shape in fp32, eight micro-batches of 2 sequences a step, on 2 ranks of one thread each, by layout: tokens/s of the median step after warm-up; "
             "and the time of a step that --dry-run expects, from the operations a second that one rank of one thread reaches alone and the bytes a second that two ranks exchange")
    peer = "the same run on one rank of two threads; for `shard 1 beside shard 0` plain data parallelism, and for a planned time the measured one"
    cases = {"shard 0": {"parallel.shard": 0}, "shard 1": {"parallel.shard": 1}, "shard 2": {"parallel.shard": 2}, "shard 3": {"parallel.shard": 3},
             "pipeline 2": {"parallel.pipeline": 2}, "pipeline 2 x 2": {"parallel.pipeline": 2, "parallel.pipeline-chunks": 2},
             "pipeline 2 zero-bubble": {"parallel.pipeline": 2, "parallel.pipeline-order": "zero-bubble"}}
    steps, warmup, traced, quick_steps = 9, 2, 3, 7
    alone_steps = 5

    def measure(self, case, options):
        steps = self.quick_steps if options.quick else self.steps
        common = {"data.micro-batch": 2, "data.global-batch": 16, "precision.compute": "fp32"}
        keys = training.keys_of("12M", "fp32", steps, corpora.corpus(options.programs / "trireme-data", training.SHAPES["12M"][1]), **common)
        shares = []

        def ours(layout, name):
            traced = {"log.trace": f"{steps - self.traced + 1}-{steps}"}
            records, _ = training.run_trireme(options.programs, options.cores, keys | layout | traced, name)
            shares.append(exposed(WORK / "runs" / name / "run"))
            return training.step_rate(records[:-self.traced], keys, self.warmup)

        def alone():
            records, _ = training.run_trireme(options.programs, options.cores, keys | {"threads": 2}, "layouts-alone", ranks=1)
            return training.step_rate(records, keys, self.warmup)

        def reached():
            """Operations a second of one thread."""
            records, _ = training.run_trireme(options.programs, options.cores[:1], keys | {"steps": self.alone_steps}, "layouts-single", ranks=1)
            return training.step_rate(records, keys, self.warmup) * training.flops_per_token(keys, training.SHAPES["12M"][1])

        layout = self.cases[case]
        rate, peer = in_turns(options.runs, lambda: ours(layout, "layouts-ours"), alone)
        figures = [figure("tokens/s", rate, peer, Better.HIGHER)]
        of_layout = list(shares)
        if case == "shard 1":
            figures.append(figure("tokens/s, shard 1 beside shard 0", *in_turns(options.runs, lambda: ours(layout, "layouts-ours"),
                                                                              lambda: ours(self.cases["shard 0"], "layouts-plain")), Better.HIGHER, 0.95))
        send = subprocess.run(pinned(options.cores, [ROOT / "scripts/launch/mpi", "-n", "2", options.programs / "job_probe", "large"]),
                              env=clean_environment(), check=True, capture_output=True, text=True)
        bandwidth = float(send.stdout)
        plans = [planned(options.programs, keys | layout, 2, **{"peak-flops": reached(), "bandwidth": bandwidth}) for _ in rate]
        figures.append(within("planned ms a step, beside measured", [1000 * plan["step_seconds"] for plan in plans],
                              [1000 * training.tokens_per_step(keys) / one for one in rate], 0.75, 1.25))
        return {"figures": figures, "exposed": of_layout, "bandwidth": bandwidth, "bubble": plans[0]["bubble"], "steps": steps, "warmup": self.warmup,
                "traffic": {site: part["bytes"] for site, part in plans[0]["traffic"].items()}}

    def notes(self, results):
        yield "| layout | waiting for messages, % of a step (from traces) | idle by schedule, % | a rank sends, MB a step | bytes a second between two ranks |"
        yield "| --- | --- | --- | --- | --- |"
        for case, result in results.items():
            shares = sorted(100 * share for share in result["exposed"])
            yield (f"| {case} | {shares[len(shares) // 2]:.1f} ({shares[0]:.1f} to {shares[-1]:.1f}) | {100 * result['bubble']:.1f} | "
                   f"{sum(result['traffic'].values()) / 1e6:.1f} | {result['bandwidth'] / 1e9:.1f} GB/s |")


class Memory(Group):
    about = ("peak resident memory of the rank that needs most, MiB, as --dry-run expects it, beside the kernel's own count less that of a tiny model on as many "
             "ranks (the program itself): models of 0.5 GB of weights (0.4 in bf16), saves included")
    peer = "the measured peak"
    shape = {"model.layers": 10, "model.width": 1024, "model.heads": 16, "model.ffn": 2816, "model.context": 256, "data.sequence-length": 256,
             "data.micro-batch": 1, "data.global-batch": 4, "schedule.warmup-steps": 1, "eval.every-steps": 0, "checkpoint.every-steps": 1, "checkpoint.keep": 1, "steps": 3, "threads": 1}
    tiny = {"model.layers": 4, "model.width": 64, "model.heads": 2, "model.ffn": 64}
    cases = {
        "shard 0": (4, {"parallel.shard": 0}), "shard 1": (4, {"parallel.shard": 1}), "shard 2": (4, {"parallel.shard": 2, "data.global-batch": 8}),
        "shard 3": (4, {"parallel.shard": 3}), "shard 3 in groups of 2": (4, {"parallel.shard": 3, "parallel.shard-group": 2}),
        "pipeline 4": (4, {"parallel.pipeline": 4}), "pipeline 2": (4, {"parallel.pipeline": 2, "data.global-batch": 8}),
        "pipeline 2 zero-bubble": (4, {"parallel.pipeline": 2, "parallel.pipeline-order": "zero-bubble", "data.global-batch": 8}),
        "large micro-batches": (2, {"parallel.shard": 0, "data.micro-batch": 4, "data.global-batch": 8}),
        "recompute full": (2, {"recompute": "full", "data.micro-batch": 4, "data.global-batch": 8}),
        "gpt2 bf16": (4, {"precision.compute": "bf16", "model.family": "gpt2"})}

    def measure(self, case, options):
        ranks, layout = self.cases[case]
        corpus = corpora.corpus(options.programs / "trireme-data", 4096)
        keys = self.shape | {"data.path": corpus} | layout
        if options.quick:
            keys |= {"model.layers": 4, "model.width": 512, "model.heads": 8}
        base = max(self.peaks(options, ranks, keys | self.tiny))
        runs = [max(self.peaks(options, ranks, keys)) - base for _ in range(options.runs)]
        plan = planned(options.programs, keys, ranks)
        return {"figures": [within("planned beside measured", [plan["memory"]["peak"] / 2**20] * len(runs), [one / 2**20 for one in runs], 0.9, 1.1)],
                "ranks": ranks, "base": base, "plan": plan["memory"], "keys": {key: training.flag(value) for key, value in layout.items()}}

    def peaks(self, options, ranks, keys):
        folder = fresh_folder(WORK / "runs" / "memory")
        command = [ROOT / "scripts/launch/mpi", "-n", ranks, PYTHON, ROOT / "tests/bench/with_peak.py", folder / "peak", options.programs / "trireme-train",
                   "--run", folder / "run"] + [f"--{key}={training.flag(value)}" for key, value in keys.items()]
        run_job([command], options.cores, [clean_environment()], folder / "log")
        return [int(path.read_text()) for path in folder.glob("peak.*")]

    def notes(self, results):
        parts = ("weights", "masters", "moments", "gradients", "activations", "saving", "passing")
        yield f"| case | ranks | keys | planned: {', '.join(parts)}, MiB | the program itself, MiB |"
        yield "| --- | --- | --- | --- | --- |"
        for case, result in results.items():
            keys = " ".join(f"{key.removeprefix('parallel.')}={value}" for key, value in result["keys"].items())
            sizes = ", ".join(f"{result['plan'][part] / 2**20:.0f}" for part in parts)
            yield f"| {case} | {result['ranks']} | {keys} | {sizes} | {result['base'] / 2**20:.0f} |"
