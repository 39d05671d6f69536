"""What the oracles of this folder share: our programs, what they dump (dump.h), and transformers in float64."""
import json
import math
import os
import subprocess
import sys

import numpy as np
import torch


class WideTorch:
    """The module torch, except that float32 is float64."""

    def __getattr__(self, name):
        return torch.float64 if name in ("float", "float32") else getattr(torch, name)


def run(program, *arguments, **options):
    flags = [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]
    done = subprocess.run([program, *map(str, arguments), *flags], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, done.args))}\nended with {done.returncode}: {done.stderr}")
    return done.stdout


def read_dump(directory):
    with open(os.path.join(directory, "index.json"), encoding="utf-8") as file:
        index = json.load(file)
    data = np.fromfile(os.path.join(directory, "data.bin"), dtype=np.uint8)
    tensors = {}
    for entry in index:
        count = math.prod(entry["shape"])
        values = np.frombuffer(data, dtype=np.dtype(entry["type"]).newbyteorder("<"), count=count, offset=entry["offset"])
        tensors[entry["name"]] = torch.from_numpy(values.astype(entry["type"]).reshape(entry["shape"]))
    return tensors
