"""The peer that trireme-train is measured against: the same training in Python PyTorch, one process of it a rank.

    RANK=0 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=29500 python torch_peer.py SETTINGS.json      (torchrun sets these too)

Written as a good PyTorch engineer writes it for CPUs: fused projections, scaled_dot_product_attention, DistributedDataParallel over gloo
with gradients as views of its buckets, fused AdamW. SETTINGS holds:
    keys      keys of trireme-train with their values; a key that is not known here is an error
    variant   {"compile": false or true, "bf16": "autocast" or "masters"}
    out       records of steps go here, one JSON object a line, with the members of Trireme's metrics.jsonl that are used;
              the last line is the result
"""
import json
import math
import os
import pathlib
import sys
import time
from contextlib import nullcontext

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel


class Keys:
    """Keys of trireme-train, each of which has to be used: a peer that ignored one would train something else."""

    def __init__(self, values):
        self.values, self.unused = values, set(values)

    def __getitem__(self, key):
        self.unused.discard(key)
        return self.values[key]

    def get(self, key, default):
        return self[key] if key in self.values else default

    def expect_all_used(self):
        if self.unused:
            sys.exit(f"torch_peer: error: it knows nothing of {', '.join(sorted(self.unused))}")


class Split:
    """Token ids of one split of a corpus; docs/formats/corpus.md says where they lie."""

    def __init__(self, path, index, name):
        shards = [np.memmap(path / shard["file"], dtype=shard["element-type"], mode="r", offset=shard["tokens-offset"], shape=shard["tokens"])
                  for shard in index["splits"][name]["shards"]]
        self.tokens = np.concatenate(shards) if len(shards) > 1 else shards[0]

    def windows(self, begins, length):
        """Inputs and targets [sequences, length], each with memory of its own."""
        rows = torch.from_numpy(np.stack([self.tokens[at:at + length + 1] for at in begins]).astype(np.int64))
        return rows[:, :-1], rows[:, 1:].clone()


class SampleOrder:
    """Windows side by side from a random start, in random order, all of them before any comes again."""

    def __init__(self, seed, tokens, length):
        self.seed, self.tokens, self.length = seed, tokens, length
        self.windows = (tokens - 1) // length - 1
        self.epoch = -1

    def begin_of(self, number):
        epoch, within = divmod(number, self.windows)
        if epoch != self.epoch:
            random = np.random.default_rng([self.seed, epoch])
            self.epoch, self.start, self.order = epoch, random.integers(self.length), random.permutation(self.windows)
        return self.start + self.order[within] * self.length


def rotate(x, cos, sin):
    """Pairs are (i, i + D/2), as in converted Llama weights."""
    left, right = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-right, left), dim=-1) * sin


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.output = nn.Linear(width, width, bias=False)

    def forward(self, x, cos, sin):
        batch, tokens, width = x.shape
        q, k, v = self.qkv(x).view(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(rotate(q, cos, sin), rotate(k, cos, sin), v, is_causal=True)
        return self.output(mixed.transpose(1, 2).reshape(batch, tokens, width))


class FeedForward(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.gate_up = nn.Linear(width, 2 * inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)

    def forward(self, x):
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.down(F.silu(gate) * up)


class Norm(nn.Module):
    def __init__(self, width, epsilon):
        super().__init__()
        self.weight, self.epsilon = nn.Parameter(torch.ones(width)), epsilon

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight, self.epsilon)


class Block(nn.Module):
    def __init__(self, width, heads, inner, epsilon):
        super().__init__()
        self.attention_norm, self.attention = Norm(width, epsilon), Attention(width, heads)
        self.feed_forward_norm, self.feed_forward = Norm(width, epsilon), FeedForward(width, inner)

    def forward(self, x, cos, sin):
        x = x + self.attention(self.attention_norm(x), cos, sin)
        return x + self.feed_forward(self.feed_forward_norm(x))


class Llama(nn.Module):
    """Tokens and targets to the mean loss, so that compiling it covers the loss as well."""

    def __init__(self, keys, vocabulary, dtype):
        super().__init__()
        width, heads, layers = keys["model.width"], keys["model.heads"], keys["model.layers"]
        epsilon = keys.get("model.norm-epsilon", 1e-5)
        self.embedding = nn.Embedding(vocabulary, width)
        self.blocks = nn.ModuleList(Block(width, heads, keys["model.ffn"], epsilon) for _ in range(layers))
        self.norm = Norm(width, epsilon)
        self.head = nn.Linear(width, vocabulary, bias=False)
        # Trireme's rule (models/llama/README.md): sqrt(2 / (5 width)), less for what ends on the residual stream.
        deviation = math.sqrt(2 / (5 * width))
        for name, parameter in self.named_parameters():
            if parameter.dim() >= 2:
                ends = name.endswith(("attention.output.weight", "down.weight"))
                nn.init.normal_(parameter, std=deviation / math.sqrt(2 * layers) if ends else deviation)
        if keys.get("model.tie-embeddings", True):
            self.head.weight = self.embedding.weight
        half, positions = width // heads // 2, torch.arange(keys["model.context"])
        angles = torch.outer(positions, 10000.0 ** (-torch.arange(half) / half)).repeat(1, 2)
        self.register_buffer("cos", angles.cos().to(dtype), persistent=False)
        self.register_buffer("sin", angles.sin().to(dtype), persistent=False)

    def forward(self, tokens, targets, reduction="mean"):
        x = self.embedding(tokens)
        cos, sin = self.cos[:tokens.shape[1]], self.sin[:tokens.shape[1]]
        for block in self.blocks:
            x = block(x, cos, sin)
        logits = self.head(self.norm(x))
        return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=-1, reduction=reduction)


class Optimizer:
    """Fused AdamW with clipping, weight decay for matrices that multiply only. With `masters` the model is bfloat16 and AdamW works on float32 copies."""

    def __init__(self, keys, model, masters):
        names, self.weights = zip(*model.named_parameters())  # a tied head goes by the embedding's name
        self.masters = [weight.detach().float().requires_grad_() for weight in self.weights] if masters else self.weights
        for master in self.masters if masters else ():
            master.grad = torch.zeros_like(master)
        decays = [weight.dim() >= 2 and name != "embedding.weight" for name, weight in zip(names, self.weights)]
        groups = [{"params": [master for master, decay in zip(self.masters, decays) if decay == wanted], "weight_decay": rate}
                  for wanted, rate in ((True, keys["optimizer.weight-decay"]), (False, 0.0))]
        self.adamw = torch.optim.AdamW(groups, lr=0.0, betas=(keys["optimizer.beta1"], keys["optimizer.beta2"]),
                                       eps=keys["optimizer.epsilon"], fused=True)
        self.clip_norm = keys["optimizer.clip-norm"]

    def step(self, rate):
        if self.masters is not self.weights:
            torch._foreach_copy_([master.grad for master in self.masters], [weight.grad for weight in self.weights])
        norm = nn.utils.clip_grad_norm_(self.masters, self.clip_norm, foreach=True)
        for group in self.adamw.param_groups:
            group["lr"] = rate
        self.adamw.step()
        if self.masters is not self.weights:
            with torch.no_grad():
                torch._foreach_copy_(self.weights, self.masters)
        return norm


def learning_rate(keys, step):
    """Linear warm-up, then half a cosine down to a share of the peak."""
    if keys["schedule.name"] != "cosine":
        sys.exit(f"torch_peer: error: schedule.name must be cosine, got {keys['schedule.name']}")
    peak, warmup, low = keys["optimizer.learning-rate"], keys["schedule.warmup-steps"], keys["schedule.final-ratio"]
    if step <= warmup:
        return peak * step / warmup
    done = (step - warmup) / max(1, keys["steps"] - warmup)
    return peak * (low + (1 - low) * 0.5 * (1 + math.cos(math.pi * done)))


def evaluate(model, split, length, micro_batch):
    """Nats a token over every token of the split but its first, each predicted once; all ranks together."""
    targets = len(split.tokens) - 1
    windows = range(dist.get_rank(), -(-targets // length), dist.get_world_size())
    total = torch.zeros((), dtype=torch.float64)
    with torch.no_grad():
        for first in range(0, len(windows), micro_batch):
            numbers = windows[first:first + micro_batch]
            begins = [min(number * length, targets - length) for number in numbers]
            inputs, wanted = split.windows(begins, length)
            for row, (number, begin) in enumerate(zip(numbers, begins)):
                wanted[row, :number * length - begin] = -1  # the last window reaches back over what others predict
            total += model(inputs, wanted, reduction="sum").double()
    dist.all_reduce(total)
    return total.item() / targets


def peak_memory():
    """Highest resident bytes of this process so far."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith("VmHWM"))


def train(settings):
    keys, variant = Keys(settings["keys"]), settings["variant"]
    torch.set_num_threads(keys["threads"])
    dist.init_process_group("gloo")
    rank, ranks = dist.get_rank(), dist.get_world_size()

    path = pathlib.Path(keys["data.path"])
    index = json.loads((path / "index.json").read_text())
    split, length, batch = Split(path, index, "training"), keys["data.sequence-length"], keys["data.micro-batch"]
    if keys["data.global-batch"] != batch * ranks:
        sys.exit(f"torch_peer: error: data.global-batch must be {batch * ranks}, got {keys['data.global-batch']}")
    order = SampleOrder(keys["seed"], len(split.tokens), length)

    torch.manual_seed(keys["seed"])
    reduced = keys["precision.compute"] == "bf16"
    masters = reduced and variant["bf16"] == "masters"
    plain = Llama(keys, index["vocabulary-size"], torch.bfloat16 if reduced else torch.float32)
    if masters:
        plain.bfloat16()
    model = DistributedDataParallel(plain, gradient_as_bucket_view=True, broadcast_buffers=False)
    if variant["compile"]:
        model = torch.compile(model)
    optimizer = Optimizer(keys, plain, masters)
    autocast = (lambda: torch.autocast("cpu", torch.bfloat16)) if reduced and not masters else nullcontext
    evaluations = keys["eval.every-steps"]
    steps = keys["steps"]
    learning_rate(keys, 1)
    keys.expect_all_used()

    with open(settings["out"], "w", encoding="utf-8") if rank == 0 else nullcontext() as out:
        def write(record):
            if rank == 0:
                out.write(json.dumps(record) + "\n")
                out.flush()

        begin = time.perf_counter()
        for step in range(1, steps + 1):
            samples = (step - 1) * batch * ranks + rank * batch
            inputs, targets = split.windows([order.begin_of(samples + row) for row in range(batch)], length)
            with autocast():
                loss = model(inputs, targets)
            loss.backward()
            norm = optimizer.step(learning_rate(keys, step))
            model.zero_grad()
            record = {"step": step, "loss": loss.item(), "grad_norm": norm.item()}  # this rank's loss: no round of messages for a log
            end = time.perf_counter()
            write(record | {"step_ms": 1000 * (end - begin)})
            begin = time.perf_counter()
        peak = torch.tensor(peak_memory())
        dist.all_reduce(peak)
        result = {"step": steps, "peak_memory_bytes": peak.item()}
        if evaluations:
            plain.eval()
            with autocast():
                result["eval_loss"] = evaluate(plain, Split(path, index, "validation"), length, batch)
        write(result)
    dist.barrier()
    os._exit(0)  # an orderly end sometimes aborts in a thread of gloo ("terminate called without an active exception")


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as settings_file:
        train(json.load(settings_file))
