"""Group `curves`: does the same training end at the same validation loss as Python PyTorch's? A case is one run of some minutes."""
import corpora
import training
from measure import Better, Group, figure

SEEDS = (1, 2, 3)


class Curves(Group):
    about = ("validation loss, nats a token, of the 12M shape after 400 steps on the King James Bible in bf16, three seeds a side; same keys, "
             "same rule of initial values, same validation split. Weights and order of samples are drawn by each side's own generator")
    peer = "Python PyTorch (tests/bench/torch_peer.py), compiled, autocast"
    cases = [f"{side}-{seed}" for seed in SEEDS for side in ("ours", "peer")]
    steps, quick_steps = 400, 4
    joint = True

    def measure(self, case, options):
        side, seed = case.split("-")
        steps = self.quick_steps if options.quick else self.steps
        keys = training.keys_of("12M", "bf16", steps, corpora.corpus(options.programs / "trireme-data", 4096),
                                **{"seed": int(seed), "eval.every-steps": steps, "schedule.warmup-steps": max(1, steps // 10)})
        if side == "ours":
            records, result = training.run_trireme(options.programs, options.cores, keys, f"curves-{case}")
        else:
            records, result = training.run_peer(options.cores, keys, {"compile": True, "bf16": "autocast"}, f"curves-{case}")
        return {"eval_loss": result["eval_loss"], "steps": steps, "curve": [round(record["loss"], 4) for record in records]}

    def figures(self, results):
        """One figure over all seeds, once every run is there."""
        if not all(case in results for case in self.cases):
            return []
        ours, peer = ([results[f"{side}-{seed}"]["eval_loss"] for seed in SEEDS] for side in ("ours", "peer"))
        return [("12M-bf16, 3 seeds", figure("validation loss", ours, peer, Better.EQUAL))]

    def notes(self, results):
        yield "| run | validation loss | training loss at steps 1, 100, 200, 300, 400 |"
        yield "| --- | --- | --- |"
        for case, result in results.items():
            marks = " ".join(f"{result['curve'][step - 1]:.3f}" for step in (1, 100, 200, 300, 400) if step <= len(result["curve"]))
            yield f"| {case} | {result['eval_loss']:.4f} | {marks} |"

