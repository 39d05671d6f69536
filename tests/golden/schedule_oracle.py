"""Holds the learning rate of every step against Hugging Face's get_*_schedule.

    .venv/bin/python tests/golden/schedule_oracle.py build/dev/bin/schedule_dump

Their step 0 has rate 0 and trains nothing; ours count from 1, so that our step n has the rate of their step n.
"""
import os
import subprocess
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from transformers import (get_constant_schedule_with_warmup, get_cosine_with_min_lr_schedule_with_warmup,
                          get_linear_schedule_with_warmup, get_polynomial_decay_schedule_with_warmup, get_wsd_schedule)

PEAK = 0.003


def wsd(warmup, steps, final_ratio, decay, shape):
    return lambda optimizer: get_wsd_schedule(optimizer, warmup, decay, num_stable_steps=steps - warmup - decay, decay_type=shape,
                                              min_lr_ratio=final_ratio)


# Keys of ours, and their function. With a final ratio their wsd begins its warm-up at that ratio of the peak and ours at 0, as all
# others do: there, what follows the warm-up is compared.
CASES = [
    ({"name": "constant", "warmup-steps": 7}, 50, lambda o: get_constant_schedule_with_warmup(o, 7)),
    ({"name": "linear", "warmup-steps": 7, "final-ratio": 0}, 50, lambda o: get_linear_schedule_with_warmup(o, 7, 50)),
    ({"name": "linear", "warmup-steps": 0, "final-ratio": 0}, 50, lambda o: get_linear_schedule_with_warmup(o, 0, 50)),
    ({"name": "linear", "warmup-steps": 7, "final-ratio": 0.2}, 50,
     lambda o: get_polynomial_decay_schedule_with_warmup(o, 7, 50, lr_end=0.2 * PEAK, power=1.0)),
    ({"name": "cosine", "warmup-steps": 7, "final-ratio": 0.2}, 50,
     lambda o: get_cosine_with_min_lr_schedule_with_warmup(o, 7, 50, min_lr_rate=0.2)),
    ({"name": "cosine", "warmup-steps": 50, "final-ratio": 0.2}, 50,
     lambda o: get_cosine_with_min_lr_schedule_with_warmup(o, 50, 50, min_lr_rate=0.2)),
    ({"name": "wsd", "warmup-steps": 7, "final-ratio": 0}, 230, wsd(7, 230, 0, 23, "1-sqrt")),
    ({"name": "wsd", "warmup-steps": 0, "final-ratio": 0.1, "decay-steps": 50}, 50, wsd(0, 50, 0.1, 50, "1-sqrt")),
] + [
    ({"name": "wsd", "warmup-steps": 7, "final-ratio": ratio, "decay-steps": 20, "decay-shape": shape}, 50,
     wsd(7, 50, ratio, 20, shape)) for shape in ("linear", "cosine", "1-sqrt") for ratio in (0, 0.3)
]


def main():
    [dump] = sys.argv[1:]
    for keys, steps, schedule_of in CASES:
        flags = [f"--schedule.{key}={value}" for key, value in keys.items()]
        done = subprocess.run([dump, f"--steps={steps}", f"--optimizer.learning-rate={PEAK}", *flags], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{done.args} ended with {done.returncode}: {done.stderr}")
        ours = [float(line) for line in done.stdout.split()]
        assert len(ours) == steps, f"{len(ours)} rates for {steps} steps"
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=PEAK)
        schedule = schedule_of(optimizer)
        first = keys["warmup-steps"] if keys["name"] == "wsd" and keys["final-ratio"] > 0 else 1
        worst = 0.0
        for step in range(1, steps + 1):
            optimizer.step()
            schedule.step()
            if step < first:
                continue
            theirs = optimizer.param_groups[0]["lr"]
            worst = max(worst, abs(ours[step - 1] - theirs))
            if not abs(ours[step - 1] - theirs) <= 1e-12 * PEAK:
                sys.exit(f"FAILED: {keys}, step {step} of {steps}: {ours[step - 1]!r}, theirs is {theirs!r}")
        print(f"{' '.join(f'{key}={value}' for key, value in keys.items())}: {steps} steps, largest difference {worst:.1e}")


if __name__ == "__main__":
    main()
