"""Groups `train` (tokens a second and memory) and `start` (exec to the end of the first step), beside Python PyTorch."""
import hashlib
import json

import corpora
import training
from measure import ROOT, WORK, Better, Group, figure, gemm_limit, in_turns, machine, say, versions


class Train(Group):
    about = "training on 2 ranks, one thread each: tokens/s of the median step after warm-up, peak memory of both ranks"
    peer = ("Python PyTorch (tests/bench/torch_peer.py): DistributedDataParallel over gloo, fused AdamW, whose state lies on each rank "
            "(ours shares it out, as it does unless told otherwise); the fastest of its variants for each case, all of which are measured first")
    # case: least rate over the peer's. 0.9M has a target in fp32 alone.
    targets = {"0.9M-fp32": 1.5, "0.9M-bf16": None, "12M-fp32": 1.15, "12M-bf16": 1.4, "110M-fp32": 1.15, "110M-bf16": 1.4}
    cases = list(targets)
    memory_target = 0.6
    steps = {"0.9M": (120, 20), "12M": (10, 2), "110M": (6, 2)}  # all, of which warm-up: the peer's second step is a slow one too
    quick_steps = {"0.9M": (30, 10), "12M": (4, 1), "110M": (3, 1)}

    def measure(self, case, options):
        shape, precision = case.split("-")
        steps, warmup = (self.quick_steps if options.quick else self.steps)[shape]
        vocabulary = training.SHAPES[shape][1]
        keys = training.keys_of(shape, precision, steps, corpora.corpus(options.programs / "trireme-data", vocabulary))

        def compile_peer(variant):
            training.run_peer(options.cores, keys | {"steps": 1}, training.VARIANTS[precision][variant], f"{case}-peer")

        def summary(records, result):
            return {"rate": training.step_rate(records, keys, warmup), "quickest": training.step_rate(records, keys, warmup, of=min),
                    "memory": result["peak_memory_bytes"] / 2**20}

        def peer_run(variant):
            return summary(*training.run_peer(options.cores, keys, training.VARIANTS[precision][variant], f"{case}-peer"))

        def our_run():
            return summary(*training.run_trireme(options.programs, options.cores, keys, f"{case}-ours"))

        variants = known_variants(f"{case}, {steps} steps", training.VARIANTS[precision], compile_peer, peer_run)
        # One run a variant meets whatever else the machine does at the time; its quickest step says most about the variant.
        best = max(variants, key=lambda name: variants[name]["quickest"])
        before = gemm_limit(options.cores, precision)
        ours, peer = in_turns(options.runs, our_run, lambda: peer_run(best))
        limit = max(before, gemm_limit(options.cores, precision))
        rate = [[run["rate"] for run in side] for side in (ours, peer)]
        memory = [[run["memory"] for run in side] for side in (ours, peer)]
        flops = training.flops_per_token(keys, vocabulary) / 1e9
        target = self.targets[case]
        return {"peer": best, "variants": variants, "steps": steps, "warmup": warmup, "limit": limit, "gflop_per_token": flops,
                "figures": [figure("tokens/s", *rate, Better.HIGHER, target),
                            figure("peak memory, MiB", *memory, Better.LOWER, self.memory_target)]}

    def notes(self, results):
        yield "| case | variants of the peer: tokens/s of the quickest step of one run, MiB; the fastest is used | GEMM limit, GF/s | ours / peer reach | steps (warm-up) |"
        yield "| --- | --- | --- | --- | --- |"
        for case, result in results.items():
            rate = next(entry for entry in result["figures"] if entry["figure"] == "tokens/s")
            shares = " / ".join(f"{100 * rate[side]['median'] * result['gflop_per_token'] / result['limit']:.0f} %" for side in ("ours", "peer"))
            variants = "; ".join(f"{'**' + name + '**' if name == result['peer'] else name} {one['quickest']:,.0f}, {one['memory']:,.0f}"
                                 for name, one in result["variants"].items())
            yield f"| {case} | {variants} | {result['limit']:.0f} | {shares} | {result['steps']} ({result['warmup']}) |"


def known_variants(case, variants, compile_peer, measure):
    """What each variant of the peer, as it is written now, reaches: measured once on this machine, then kept in build/bench."""
    path = WORK / "variants.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    peer = hashlib.sha256((ROOT / "tests/bench/torch_peer.py").read_bytes()).hexdigest()[:8]
    mine = known.setdefault(f"{case}, peer {peer}, on {machine()['processor']} with torch {versions()['torch']}", {})
    for name, variant in variants.items():
        if name in mine:
            continue
        say(f"{case}: trying the peer {name}")
        if variant["compile"]:
            compile_peer(name)  # into a cache, so that the measured runs find it there
        mine[name] = measure(name)
        path.write_text(json.dumps(known, indent=2))  # each counts, also when the next is interrupted
    return mine


class Start(Group):
    about = "seconds from the launcher's exec to the end of the first step on 2 ranks, seen from outside as the first record written"
    peer = "Python PyTorch as in `train`, eager (compiling takes half a minute more), its processes started directly: torchrun is slower"
    cases = ["0.9M-fp32", "12M-fp32"]
    target = 1 / 3

    def measure(self, case, options):
        shape, precision = case.split("-")
        keys = training.keys_of(shape, precision, 2, corpora.corpus(options.programs / "trireme-data", training.SHAPES[shape][1]))
        variant = {"compile": False, "bf16": "autocast"}
        ours, peer = in_turns(options.runs,
                              lambda: training.run_trireme(options.programs, options.cores, keys, "start-ours")[1]["start_seconds"],
                              lambda: training.run_peer(options.cores, keys, variant, "start-peer")[1]["start_seconds"])
        return {"peer": "eager", "figures": [figure("seconds to the end of step 1", ours, peer, Better.LOWER, self.target)]}
