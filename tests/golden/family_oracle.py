"""Holds the model families and the trainer against PyTorch, with Hugging Face's models on the same weights and data.

    .venv/bin/python tests/golden/family_oracle.py fp64|fp32|bf16|training build/dev/bin

fp64      loss and every gradient, to 1e-9 of its norm
fp32      the same to 1e-5
bf16      loss and gradients against PyTorch's in fp32 on the rounded weights, within bf16's rounding and no worse than PyTorch's own bf16
training  trireme-train in fp64, ten steps: losses, norms, rates, weights and moments against torch.optim.AdamW, to 1e-9; then
          logits of the checkpoint, decoded with our cache, against PyTorch's forward of the whole text

Hugging Face's code computes norms, the softmax and rotary angles in float32 even when the model is float64. For fp64 it runs unchanged
but for that: what it calls torch.float32 is float64 (WideTorch). In fp32 and bf16 not even that is done.
"""
import json
import math
import os
import random
import sys
import tempfile
import warnings
from contextlib import contextmanager, nullcontext

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.nn import functional
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, get_cosine_with_min_lr_schedule_with_warmup
from transformers.models.gpt2 import modeling_gpt2
from transformers.models.llama import modeling_llama

from oracle import WideTorch, read_dump, run

DTYPES = {"fp64": torch.float64, "fp32": torch.float32, "bf16": torch.bfloat16}

class Family:
    """Hugging Face's model of one of our families.

    CASES   name -> keys of model.*, and the vocabulary, micro-batches of a step, sequences of each, tokens of each. Sizes differ from each
            other wherever they may, so that no two can be mistaken for one another.
    MODULE  where their code is
    """
    DROPOUT_CASES = {}

    @classmethod
    def theirs(cls, name, model):
        """Of one of our names: their name, and the view of their tensor that is ours."""
        raise NotImplementedError

    @classmethod
    def make(cls, model, vocabulary, dtype):
        raise NotImplementedError


class Llama(Family):
    MODULE = modeling_llama
    CASES = {
        "tied, two heads a key head": ({"layers": 2, "width": 32, "heads": 4, "kv-heads": 2, "context": 64}, (97, 4, 3, 33)),
        "untied, ffn given": ({"layers": 3, "width": 36, "heads": 3, "ffn": 40, "context": 40, "tie-embeddings": "no", "rope-base": 500,
                               "norm-epsilon": 0.01}, (71, 5, 1, 17)),
        # 5,000 x 60 weights reach over two buckets of the gradient reducer, and 606 tokens over two groups of rows of the loss.
        "tied, one key head, several buckets": ({"layers": 1, "width": 60, "heads": 6, "kv-heads": 1, "ffn": 72, "context": 101},
                                                (5000, 3, 6, 101)),
        "untied, three heads a key head": ({"layers": 2, "width": 48, "heads": 6, "kv-heads": 2, "ffn": 64, "context": 16,
                                            "tie-embeddings": "no"}, (300, 1, 1, 2)),
    }

    @classmethod
    def theirs(cls, name, model):
        if not name.startswith("blocks."):
            name = {"embedding.weight": "model.embed_tokens.weight", "norm.weight": "model.norm.weight", "head.weight": "lm_head.weight"}[name]
            return name, lambda x: x
        _, layer, part = name.split(".", 2)
        return f"model.layers.{layer}." + {
            "attention-norm.weight": "input_layernorm.weight",
            "attention.query.weight": "self_attn.q_proj.weight",
            "attention.key.weight": "self_attn.k_proj.weight",
            "attention.value.weight": "self_attn.v_proj.weight",
            "attention.output.weight": "self_attn.o_proj.weight",
            "feed-forward-norm.weight": "post_attention_layernorm.weight",
            "feed-forward.gate.weight": "mlp.gate_proj.weight",
            "feed-forward.up.weight": "mlp.up_proj.weight",
            "feed-forward.down.weight": "mlp.down_proj.weight",
        }[part], lambda x: x

    @classmethod
    def make(cls, model, vocabulary, dtype):
        reference = LlamaForCausalLM(LlamaConfig(
            vocab_size=vocabulary, hidden_size=model["width"], num_hidden_layers=model["layers"], num_attention_heads=model["heads"],
            num_key_value_heads=model.get("kv-heads", model["heads"]),
            intermediate_size=model.get("ffn", math.ceil(model["width"] * 8 // 3 / 64) * 64), max_position_embeddings=model["context"],
            rms_norm_eps=model.get("norm-epsilon", 1e-5), tie_word_embeddings=model.get("tie-embeddings") != "no",
            rope_parameters={"rope_type": "default", "rope_theta": model.get("rope-base", 10000.0)}, hidden_act="silu",
            attn_implementation="eager", use_cache=False))
        frequencies = reference.model.rotary_emb.inv_freq
        reference.to(dtype)
        reference.model.rotary_emb.inv_freq = frequencies  # .to(bfloat16) rounds them too, which loading a bfloat16 model never does
        return reference


class Gpt2(Family):
    MODULE = modeling_gpt2
    CASES = {
        "tied": ({"layers": 2, "width": 32, "heads": 4, "context": 64}, (97, 4, 3, 33)),
        "untied, ffn given": ({"layers": 3, "width": 36, "heads": 3, "ffn": 40, "context": 40, "tie-embeddings": "no",
                               "norm-epsilon": 0.01}, (71, 5, 1, 17)),
        "tied, several buckets": ({"layers": 1, "width": 60, "heads": 6, "ffn": 72, "context": 101}, (5000, 3, 6, 101)),
    }
    # Where their code has every dropout that ours has. It is held to our masks.
    DROPOUT_CASES = {"dropout": ({"layers": 2, "width": 32, "heads": 4, "context": 64, "dropout": 0.15}, (97, 2, 3, 33))}

    @classmethod
    def theirs(cls, name, model):
        """Their matrices are [inputs, outputs], and query, key and value lie side by side in one."""
        name, kind = name.rsplit(".", 1)
        if not name.startswith("blocks."):
            name = {"embedding": "transformer.wte", "position-embedding": "transformer.wpe", "norm": "transformer.ln_f", "head": "lm_head"}[name]
            return f"{name}.{kind}", lambda x: x
        _, layer, part = name.split(".", 2)
        first, last = 0, None
        if part in ("attention.query", "attention.key", "attention.value"):
            first = ["attention.query", "attention.key", "attention.value"].index(part) * model["width"]
            last = first + model["width"]
        name = f"transformer.h.{layer}." + {
            "attention-norm": "ln_1", "attention.query": "attn.c_attn", "attention.key": "attn.c_attn", "attention.value": "attn.c_attn",
            "attention.output": "attn.c_proj", "feed-forward-norm": "ln_2", "feed-forward.up": "mlp.c_fc", "feed-forward.down": "mlp.c_proj",
        }[part]
        return f"{name}.{kind}", lambda x: x[..., first:last].t() if x.dim() == 2 else x[first:last]

    @classmethod
    def make(cls, model, vocabulary, dtype):
        return GPT2LMHeadModel(GPT2Config(
            vocab_size=vocabulary, n_embd=model["width"], n_layer=model["layers"], n_head=model["heads"], n_inner=model.get("ffn"),
            n_positions=model["context"], layer_norm_epsilon=model.get("norm-epsilon", 1e-5),
            tie_word_embeddings=model.get("tie-embeddings") != "no", activation_function="gelu_new", **dict.fromkeys(
                ("resid_pdrop", "embd_pdrop", "attn_pdrop"), model.get("dropout", 0.0)), bos_token_id=None, eos_token_id=None, attn_implementation="eager", use_cache=False)).to(dtype)


FAMILIES = {"llama": Llama, "gpt2": Gpt2}


def cases(kind):
    return [(f"{key}, {name}", {"family": key} | model, sizes)
            for key, family in FAMILIES.items() for name, (model, sizes) in getattr(family, kind).items()]


CASES, DROPOUT_CASES = cases("CASES"), cases("DROPOUT_CASES")


@contextmanager
def precision_of(dtype):
    for family in FAMILIES.values():
        family.MODULE.torch = WideTorch() if dtype == torch.float64 else torch
    try:
        yield
    finally:
        for family in FAMILIES.values():
            family.MODULE.torch = torch


class Reference:
    """Hugging Face's model with our weights; tensors go in and come out under our names."""

    def __init__(self, model, vocabulary, weights, dtype):
        family = FAMILIES[model["family"]]
        with precision_of(dtype):
            self.module = family.make(model, vocabulary, dtype)
        self.places = {name: family.theirs(name, model) for name in weights}
        theirs = dict(self.module.named_parameters())
        names = {name for name, _ in self.places.values()}
        assert names == set(theirs), f"parameters differ: {sorted(names ^ set(theirs))}"
        sizes = [sum(weight.numel() for weight in group.values()) for group in (weights, theirs)]
        assert sizes[0] == sizes[1], f"{sizes[0]} elements of ours, {sizes[1]} of theirs"
        with torch.no_grad():
            for name, weight in weights.items():
                place = self.ours(name, lambda parameter: parameter)
                assert place.shape == weight.shape, name
                place.copy_(weight)

    def ours(self, name, value_of):
        """What value_of(their parameter) holds of our parameter `name`."""
        their_name, view = self.places[name]
        return view(value_of(self.module.get_parameter(their_name)).detach())

    def tensors(self, value_of):
        return {name: self.ours(name, value_of) for name in self.places}

    def logits(self, tokens):
        with precision_of(next(self.module.parameters()).dtype):
            return self.module(input_ids=tokens).logits


def loss_of(reference, ids, dtype):
    """Mean loss over the micro-batches ids [n, 2, sequences, length], taken as one batch; targets of -1 give none, but count."""
    tokens, targets = ids[:, 0].flatten(0, 1), ids[:, 1].flatten()
    logits = reference.logits(tokens)
    logits = logits if dtype == torch.float64 else logits.float()
    return functional.cross_entropy(logits.flatten(0, 1), targets, ignore_index=-1, reduction="sum") / targets.numel()


def read_checkpoint(directory):
    """All tensors of a checkpoint, by the offsets that its manifest states: nothing of ours is between the file and here."""
    with open(os.path.join(directory, "manifest.json"), encoding="utf-8") as file:
        manifest = json.load(file)
    tensors = {}
    for name, entry in manifest["tensors"].items():
        whole = np.zeros(entry["shape"], dtype=entry["type"])
        for part in entry["slices"]:
            values = np.fromfile(os.path.join(directory, part["file"]), dtype=np.dtype(entry["type"]).newbyteorder("<"),
                                 count=math.prod(part["size"]), offset=part["file_offset"])
            whole[tuple(slice(at, at + size) for at, size in zip(part["offset"], part["size"]))] = values.reshape(part["size"])
        tensors[name] = torch.from_numpy(whole)
    return tensors


def under(prefix, tensors):
    return {name[len(prefix):]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def distance(ours, theirs):
    """|ours - theirs| / |theirs|"""
    ours, theirs = (torch.as_tensor(value, dtype=torch.float64) for value in (ours, theirs))
    assert ours.shape == theirs.shape, f"{list(ours.shape)} against {list(theirs.shape)}"
    return (torch.linalg.vector_norm(ours - theirs) / torch.linalg.vector_norm(theirs)).item()


def comparable(tensors):
    """A key's bias adds the same to all scores of a query, which changes no probability: its exact gradient is 0, and what programs compute
    is rounding alone. So it becomes one vector with the bias of its queries."""
    joined = dict(tensors)
    for name in tensors:
        if name.endswith("attention.key.bias"):
            query = name.replace("key", "query")
            joined[query] = torch.cat([joined[query], joined.pop(name)])
    return joined


def check(what, pairs, limit):
    """pairs: name -> (ours, theirs). Prints the largest distance and ends the program when it exceeds the limit."""
    distances = {name: distance(*pair) for name, pair in pairs.items()}
    worst = max(distances, key=lambda name: math.inf if math.isnan(distances[name]) else distances[name])
    print(f"{what}: {len(pairs)} compared, largest difference {distances[worst]:.1e} ({worst}), limit {limit:.1e}")
    if not distances[worst] <= limit:
        sys.exit("FAILED: " + ", ".join(f"{name} {value:.1e}" for name, value in distances.items() if not value <= limit))
    return distances[worst]


class Programs:
    def __init__(self, folder, work):
        self.dump, self.data, self.train = (os.path.join(folder, name) for name in ("family_dump", "trireme-data", "trireme-train"))
        self.work = work

    def path(self, name):
        return os.path.join(self.work, name)

    def gradients(self, model, vocabulary, ids, precision, **options):
        """Our weights, losses and gradients of one step."""
        ids.numpy().astype("<i8").tofile(self.path("ids"))
        micro_batches, _, micro_batch, length = ids.shape
        run(self.dump, "gradients", vocabulary=vocabulary, precision=precision, ids=self.path("ids"), out=self.path("dump"),
            **{"micro-batches": micro_batches, "micro-batch": micro_batch, "length": length, **options},
            **{f"model.{key}": value for key, value in model.items()})
        return read_dump(self.path("dump"))


def random_ids(vocabulary, micro_batches, micro_batch, length):
    """Token ids, of which every seventh target is not asked for."""
    generator = torch.Generator().manual_seed(length)
    ids = torch.randint(vocabulary, (micro_batches, 2, micro_batch, length), generator=generator)
    ids[:, 1].masked_fill_((torch.arange(micro_batches * micro_batch * length) % 7 == 6).view(-1, micro_batch, length), -1)
    return ids


@contextmanager
def dropouts_replaced_by(masks):
    """PyTorch's dropouts multiply by these masks [samples, heads or 1, tokens, channels], one a call and in order, which is ours."""
    left = list(masks.values())

    def multiply(x, p=0.5, training=True, inplace=False):
        assert training, "a dropout that would do nothing"
        return x * left.pop(0).view(x.shape)
    theirs, functional.dropout = functional.dropout, multiply
    try:
        yield
    finally:
        functional.dropout = theirs
    assert not left, f"{len(left)} of {len(masks)} masks were not asked for"


def their_gradients(reference, ids, dtype):
    loss = loss_of(reference, ids, dtype)
    loss.backward()
    return loss.detach(), comparable(reference.tensors(lambda parameter: parameter.grad))


def compare_gradients(programs, precision, limit):
    dtype = DTYPES[precision]
    for name, model, sizes in CASES + (DROPOUT_CASES if precision == "fp64" else []):
        ids = random_ids(*sizes)
        # Noise on the weights makes attention far from uniform and no norm's weights alike.
        ours = programs.gradients(model, sizes[0], ids, precision, seed=3, spread=0.2)
        weights, gradients = under("weights/", ours), comparable(under("gradients/", ours))
        reference, masks = Reference(model, sizes[0], weights, dtype), under("masks/", ours)
        with dropouts_replaced_by(masks) if masks else nullcontext():
            loss, theirs = their_gradients(reference, ids, dtype)
        check(f"{name}: loss", {"loss": (ours["losses"].sum(), loss)}, limit)
        check(f"{name}: gradients", {key: (value, theirs[key]) for key, value in gradients.items()}, limit)


# A result of bfloat16 has 8 bits, so each rounding is off by up to 2^-9 = 0.2 %, and a few dozen of them lie between a weight and its
# gradient. Measured over six seeds, of the loss and of the worst tensor: loss 0.03 %, distance 5.3 %, length 1.2 %; over three seeds,
# root mean square over all tensors: 0.64 to 0.86 of PyTorch's error, which rounds inside norms and rotations, where we do not.
BF16_LOSS, BF16_DISTANCE, BF16_LENGTH, BF16_AGAINST_THEIRS = 1e-3, 0.06, 0.02, 1.0
BF16_MICRO_BATCHES = 8  # a power of two: then dividing the loss by the number of tokens is exact


def compare_bf16(programs):
    for name, model, (vocabulary, *_) in CASES:
        ids = random_ids(vocabulary, BF16_MICRO_BATCHES, 3, model["context"])  # enough for errors to average
        ours = programs.gradients(model, vocabulary, ids, "bf16", seed=3, spread=0.2)
        rounded = {key: value.bfloat16().float() for key, value in under("weights/", ours).items()}
        exact_loss, exact = their_gradients(Reference(model, vocabulary, rounded, torch.float32), ids, torch.float32)
        _, theirs = their_gradients(Reference(model, vocabulary, rounded, torch.bfloat16), ids, torch.bfloat16)
        gradients = comparable(under("gradients/", ours))
        check(f"{name}: loss", {"loss": (ours["losses"].sum(), exact_loss)}, BF16_LOSS)
        check(f"{name}: gradients", {key: (gradients[key], exact[key]) for key in exact}, BF16_DISTANCE)
        projections = {key: (torch.sum(gradients[key] * exact[key]) / torch.sum(exact[key]**2), 1.0) for key in exact}
        check(f"{name}: length along the exact gradient", projections, BF16_LENGTH)

        def error_of(candidates):
            return math.sqrt(sum(distance(candidates[key], exact[key])**2 for key in exact) / len(exact))
        ratio = error_of(gradients) / error_of(theirs)
        print(f"{name}: error {error_of(gradients):.1e}, {ratio:.2f} of PyTorch's in bf16, limit {BF16_AGAINST_THEIRS}")
        if not ratio <= BF16_AGAINST_THEIRS:
            sys.exit("FAILED: less exact than PyTorch in bf16")

        # What is rounded is one micro-batch's gradients; their sum is float32.
        alone = [under("gradients/", programs.gradients(model, vocabulary, part, "bf16", seed=3, spread=0.2)) for part in ids.split(1)]
        alone = [comparable(part) for part in alone]
        sums = {key: (value, sum(part[key].double() for part in alone) / len(alone)) for key, value in gradients.items()}
        check(f"{name}: sums over micro-batches", sums, 1e-6)


STEPS, WARMUP, FINAL_RATIO = 10, 3, 0.2
# name, learning rate, epsilon, clip-norm (between the norms of some steps and of others), vocabulary, batches, case of the model
TRAINING = [
    ("llama, tied, three micro-batches of 3", 0.02, 1e-8, 0.85, 300, (3, 3, 33), "llama, tied, two heads a key head"),
    ("llama, untied, five micro-batches of 1", 0.01, 1e-4, 1.55, 270, (5, 1, 17), "llama, untied, ffn given"),
    ("gpt2, tied, three micro-batches of 3", 0.02, 1e-8, 0.85, 290, (3, 3, 33), "gpt2, tied"),
]


def make_corpus(programs, vocabulary):
    """A corpus of made-up text, and its row of tokens by PyPI's tokenizers."""
    chance = random.Random(1)
    words = ["".join(chance.choices("abcdefghij", k=chance.randint(1, 5))) for _ in range(60)]
    texts = [" ".join(chance.choices(words, k=40)) + "." for _ in range(60)]
    with open(programs.path("text.jsonl"), "w", encoding="utf-8") as file:
        file.writelines(json.dumps({"text": text}) + "\n" for text in texts)
    tokenizer, corpus = programs.path("tokenizer.json"), programs.path(f"corpus-{vocabulary}")
    run(programs.data, "tokenizer", "train", **{"input": programs.path("text.jsonl"), "vocab-size": vocabulary, "out": tokenizer})
    run(programs.data, "encode", tokenizer=tokenizer, input=programs.path("text.jsonl"), out=corpus)
    theirs = Tokenizer.from_file(tokenizer)
    assert theirs.get_vocab_size() == vocabulary
    end = theirs.token_to_id("<|endoftext|>")
    return corpus, [token for text in texts for token in theirs.encode(text).ids + [end]]


def train_with_pytorch(reference, batches, rate, epsilon, clip):
    """Records of each step like metrics.jsonl's, and the optimizer."""
    parameters = list(reference.module.parameters())
    # A tied output matrix is the embedding's parameter. Hugging Face's Conv1D of GPT-2 is a matrix.
    embeddings = {id(module.weight) for module in reference.module.modules() if isinstance(module, torch.nn.Embedding)}
    decays = [parameter.dim() >= 2 and id(parameter) not in embeddings for parameter in parameters]
    groups = [{"params": [parameter for parameter, own in zip(parameters, decays) if own == group], "weight_decay": 0.1 * group}
              for group in (True, False)]
    optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95), eps=epsilon)
    schedule = get_cosine_with_min_lr_schedule_with_warmup(optimizer, WARMUP, STEPS, min_lr_rate=FINAL_RATIO)
    records = []
    for ids in batches:
        schedule.step()  # first: our steps count from 1, and no step has a rate of 0
        optimizer.zero_grad()
        loss = loss_of(reference, ids, torch.float64)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, clip)
        optimizer.step()
        records.append({"loss": loss.item(), "grad_norm": norm.item(), "learning_rate": optimizer.param_groups[0]["lr"]})
    return records, optimizer


def compare_training(programs):
    warnings.filterwarnings("ignore", message=".*lr_scheduler.step.*")
    limit = 1e-9
    for number, (name, rate, epsilon, clip, vocabulary, (micro_batches, micro_batch, length), case) in enumerate(TRAINING):
        model = next(model for name, model, _ in CASES if name == case)
        corpus, row = make_corpus(programs, vocabulary)
        run_folder = programs.path(f"run-{number}")
        run(programs.train, **{
            "run": run_folder, "data.path": corpus, "steps": STEPS, "seed": 5, "precision.compute": "fp64", "eval.every-steps": 0,
            "checkpoint.every-steps": 5, "checkpoint.keep": 0, "data.sequence-length": length, "data.micro-batch": micro_batch,
            "data.global-batch": micro_batches * micro_batch, "optimizer.learning-rate": rate, "optimizer.epsilon": epsilon,
            "optimizer.clip-norm": clip, "optimizer.weight-decay": 0.1, "optimizer.beta1": 0.9, "optimizer.beta2": 0.95,
            "schedule.name": "cosine", "schedule.warmup-steps": WARMUP, "schedule.final-ratio": FINAL_RATIO,
            **{f"model.{key}": value for key, value in model.items()}})

        # The order of samples is the loader's, dumped; that they are text of this corpus is seen here.
        run(programs.dump, "batches", **{"corpus": corpus, "seed": 5, "steps": STEPS, "micro-batches": micro_batches,
                                         "micro-batch": micro_batch, "length": length, "out": programs.path("batches")})
        batches = torch.from_numpy(np.fromfile(programs.path("batches"), dtype="<i8").astype(np.int64))
        batches = batches.view(STEPS, micro_batches, 2, micro_batch, length)
        windows = {tuple(row[at:at + length + 1]) for at in range(len(row) - length)}
        samples = torch.cat([batches[:, :, 0], batches[:, :, 1, :, -1:]], -1).flatten(0, 2)
        assert torch.equal(batches[:, :, 0, :, 1:], batches[:, :, 1, :, :-1]), "targets are not the tokens that follow"
        assert {tuple(sample) for sample in samples.tolist()} <= windows, "a sample is not in the corpus"

        start = programs.gradients(model, vocabulary, batches[0], "fp64", seed=5)
        initial = under("weights/", start)
        reference = Reference(model, vocabulary, initial, torch.float64)
        records, optimizer = train_with_pytorch(reference, batches, rate, epsilon, clip)
        with open(os.path.join(run_folder, "metrics.jsonl"), encoding="utf-8") as file:
            metrics = [json.loads(line) for line in file]
        assert [record["step"] for record in metrics] == list(range(1, STEPS + 1))
        for key in records[0]:
            check(f"{name}: {key}", {f"step {step + 1}": (metrics[step][key], records[step][key]) for step in range(STEPS)}, limit)
        clipped = sum(record["grad_norm"] > clip for record in records)
        print(f"{name}: gradients clipped in {clipped} of {STEPS} steps: {[round(record['grad_norm'], 2) for record in records]}")
        assert 3 <= clipped <= STEPS - 3

        checkpoint = os.path.join(run_folder, "checkpoints", f"step-{STEPS:08}")
        ours = read_checkpoint(checkpoint)
        for what, prefix, value_of in (
                ("weights", "weights/", lambda parameter: parameter),
                ("first moments", "optimizer/first-moment/", lambda parameter: optimizer.state[parameter]["exp_avg"]),
                ("second moments", "optimizer/second-moment/", lambda parameter: optimizer.state[parameter]["exp_avg_sq"])):
            theirs, mine = comparable(reference.tensors(value_of)), comparable(under(prefix, ours))
            assert set(mine) == set(theirs), f"{len(mine)} of {len(theirs)} tensors are in the checkpoint"
            check(f"{name}: {what} after {STEPS} steps", {key: (mine[key], theirs[key]) for key in theirs}, limit)
        initial, mine, theirs = (comparable(weights) for weights in (initial, under("weights/", ours), reference.tensors(lambda x: x)))
        moves = {key: (mine[key] - value, theirs[key] - value) for key, value in initial.items()}
        check(f"{name}: what {STEPS} steps changed of the weights", moves, limit)

        tokens = samples[:3, :length].contiguous()
        tokens.numpy().astype("<i8").tofile(programs.path("tokens"))
        run(programs.dump, "logits", *[f"--pieces={piece}" for piece in (4, 1, 5, 1, 1, length - 12)], checkpoint=checkpoint,
            ids=programs.path("tokens"), out=programs.path("logits"), **{"micro-batch": 3, "length": length})
        with torch.no_grad():
            logits = reference.logits(tokens)
        pairs = {f"{how}, token {at}": (value[:, at], logits[:, at])
                 for how, value in read_dump(programs.path("logits")).items() for at in range(length)}
        check(f"{name}: logits", pairs, limit)


def main():
    torch.set_num_threads(1)
    what, folder = sys.argv[1:]
    with tempfile.TemporaryDirectory() as work:
        programs = Programs(folder, work)
        if what == "fp64":
            compare_gradients(programs, what, 1e-9)
        elif what == "fp32":
            compare_gradients(programs, what, 1e-5)
        elif what == "bf16":
            compare_bf16(programs)
        elif what == "training":
            compare_training(programs)
        else:
            sys.exit(f"what to compare must be fp64, fp32, bf16 or training, got {what}")


if __name__ == "__main__":
    main()
