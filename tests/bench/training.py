"""One training run from outside, by trireme-train and by its PyTorch peer (torch_peer.py), from the same config keys."""
import json
import socket
import statistics

from measure import PYTHON, ROOT, WORK, BenchError, clean_environment, fresh_folder, run_job

RANKS = 2

# Every way to run the peer that its users would try, by precision. Which is fastest is measured, a case at a time.
VARIANTS = {
    "fp32": {"eager": {"compile": False}, "compiled": {"compile": True}},
    "bf16": {f"{name}, {bf16}": {"compile": name == "compiled", "bf16": bf16}
             for name in ("eager", "compiled") for bf16 in ("autocast", "masters")},
}

COMMON = {
    "seed": 1, "threads": 1, "optimizer.weight-decay": 0.1, "optimizer.beta1": 0.9, "optimizer.beta2": 0.95, "optimizer.epsilon": 1e-8,
    "optimizer.clip-norm": 1.0, "optimizer.learning-rate": 1e-3, "schedule.name": "cosine", "schedule.warmup-steps": 1, "schedule.final-ratio": 0.1,
    "eval.every-steps": 0, "model.tie-embeddings": True,
}

# name: keys, vocabulary. All have heads of 32 or 64 channels and tied embeddings.
SHAPES = {
    "0.9M": ({"model.layers": 4, "model.width": 128, "model.heads": 4, "model.ffn": 384, "model.context": 64, "data.micro-batch": 12}, 512),
    "12M": ({"model.layers": 6, "model.width": 384, "model.heads": 6, "model.ffn": 1024, "model.context": 256, "data.micro-batch": 8}, 4096),
    "110M": ({"model.layers": 12, "model.width": 768, "model.heads": 12, "model.ffn": 2048, "model.context": 512, "data.micro-batch": 2}, 32000),
}


def keys_of(shape, precision, steps, corpus, **more):
    keys = COMMON | SHAPES[shape][0]
    return keys | {"data.sequence-length": keys["model.context"], "data.global-batch": RANKS * keys["data.micro-batch"],
                   "precision.compute": precision, "steps": steps, "data.path": str(corpus)} | more


def tokens_per_step(keys):
    return keys["data.global-batch"] * keys["data.sequence-length"]


def flops_per_token(keys, vocabulary):
    """Of forward and backward: 6 a weight that multiplies, and causal attention. As trireme-train counts for its MFU."""
    width, layers = keys["model.width"], keys["model.layers"]
    weights = layers * (4 * width * width + 3 * width * keys["model.ffn"]) + vocabulary * width
    return 6 * weights + 6 * layers * width * keys["data.sequence-length"]


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def run_trireme(programs, cores, keys, name, ranks=RANKS):
    """Records of steps and the result, with `start_seconds`: from the launcher's exec to the end of the first step, seen from outside."""
    folder = fresh_folder(WORK / "runs" / name)
    out, run = folder / "result.json", folder / "run"
    command = ["bash", "-c", 'out=$1; shift; exec "$@" >"$out"', "bench", out, ROOT / "scripts/launch/mpi", "-n", ranks, programs / "trireme-train",
               "--run", run, "--json", "--checkpoint.every-steps=0"] + [f"--{key}={flag(value)}" for key, value in keys.items()]
    start = run_job([command], cores, [clean_environment()], folder / "log", run / "metrics.jsonl")
    return lines_of(run / "metrics.jsonl"), json.loads(out.read_text()) | {"start_seconds": start}


def flag(value):
    return str(value).lower() if isinstance(value, bool) else value


def run_peer(cores, keys, variant, name):
    """The same of the peer, whose processes are started directly: torchrun would load PyTorch once more before them."""
    folder = fresh_folder(WORK / "runs" / name)
    settings, out = folder / "settings.json", folder / "metrics.jsonl"
    settings.write_text(json.dumps({"keys": keys, "variant": variant, "out": str(out)}))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environments = [clean_environment(RANK=rank, WORLD_SIZE=RANKS, MASTER_ADDR="127.0.0.1", MASTER_PORT=port,
                                      TORCHINDUCTOR_CACHE_DIR=WORK / "inductor") for rank in range(RANKS)]
    start = run_job([[PYTHON, ROOT / "tests/bench/torch_peer.py", settings]] * RANKS, cores, environments, folder / "log", out)
    *records, result = lines_of(out)
    return records, result | {"start_seconds": start}


def step_rate(records, keys, warmup, of=statistics.median):
    """Tokens a second from the median step after warm-up, or from the quickest with `of=min`."""
    if len(records) <= warmup:
        raise BenchError(f"{len(records)} steps leave none after {warmup} of warm-up")
    return 1000 * tokens_per_step(keys) / of(record["step_ms"] for record in records[warmup:])
