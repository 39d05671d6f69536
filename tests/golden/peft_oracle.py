"""Adapters made by PyPI's peft, opened, run, trained and merged by us, and ours opened there.

    .venv/bin/python tests/golden/peft_oracle.py build/dev/bin [NAME...]

For every case (all, unless parts of their names are given):

logits     ours in fp32 are no further from peft's in fp64 than twice peft's own in fp32; in fp64 they are equal to 1e-10
gradients  of the loss, for every tensor of the adapters, within the same limits
export     what we write of them is opened by peft without a missing or unexpected key and holds the same numbers
merge      the merged model is peft's own (merge_and_unload) but for rounding
training   adapters that we trained from the same base give there what they give here, and merged too
"""
import copy
import json
import os
import subprocess
import sys
import tempfile
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"
warnings.filterwarnings("ignore")

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

from hugging_face_oracle import EAGER, GPT2, SMALL, Failures, distance, dump, in_float64, joined, no_further_off, write_ids
from oracle import run

BASE = SMALL | dict(vocab_size=300)
# name -> model_type, keys of its config, keys of LoraConfig, our keys for the same layers
CASES = {
    "llama: queries and values": ("llama", BASE | dict(num_key_value_heads=2), dict(r=4, lora_alpha=16, target_modules=["q_proj", "v_proj"]),
                                  {"model.lora.rank": 3, "model.lora.targets": "query,value"}),
    "llama: all, rank-stabilised, biases": ("llama", BASE | dict(attention_bias=True, mlp_bias=True, tie_word_embeddings=True),
                                            dict(r=5, lora_alpha=7, use_rslora=True, target_modules="all-linear"),
                                            {"model.lora.rank": 4, "model.lora.rank-stabilised": True, "model.lora.alpha": 6}),
    "mistral: some layers, a pattern": ("mistral", BASE | dict(num_key_value_heads=2, sliding_window=7),
                                        dict(r=4, lora_alpha=8, target_modules=["q_proj", "mlp.down_proj"], layers_to_transform=[0, 2],
                                             layers_pattern="layers"),
                                        {"model.lora.rank": 2, "model.lora.layers": "1-2", "model.lora.targets": "output,gate"}),
    "qwen2: ranks and scales of their own": ("qwen2", BASE | dict(num_key_value_heads=2),
                                             dict(r=4, lora_alpha=8, target_modules=["q_proj", "o_proj", "up_proj"], rank_pattern={"o_proj": 6},
                                                  alpha_pattern={"mlp.up_proj": 20}),
                                             {"model.lora.rank": 8, "model.lora.alpha": 3}),
    "gemma2: some, by an expression": ("gemma2", BASE | dict(num_key_value_heads=2, head_dim=16, sliding_window=11, query_pre_attn_scalar=20),
                    dict(r=4, target_modules=r".*\.0\..*_proj|.*\.2\..*\.v_proj"), {"model.lora.rank": 4}),
    "phi3: one tensor of several layers": ("phi3", BASE | dict(num_key_value_heads=2), dict(r=4, lora_alpha=6, target_modules="all-linear"),
                                           {"model.lora.rank": 3, "model.lora.alpha": 5}),
    "gpt2: matrices the other way round": ("gpt2", GPT2 | dict(vocab_size=300), dict(r=4, lora_alpha=6, target_modules=["c_attn", "mlp.c_proj"],
                                                                                    fan_in_fan_out=True),
                                           {"model.lora.rank": 3, "model.lora.targets": "query,value,output", "model.lora.rank-stabilised": True}),
    "gpt2: some layers, by an expression": ("gpt2", GPT2 | dict(vocab_size=300), dict(r=4, target_modules=r".*h\.0\.attn\.c_attn|.*h\.1\.mlp\.c_fc",
                                                                                     fan_in_fan_out=True), {"model.lora.rank": 3}),
    "gpt_neox: heads one behind the other": ("gpt_neox", BASE, dict(r=4, lora_alpha=6, target_modules="all-linear"), {"model.lora.rank": 3}),
    "qwen3_moe: attention alone": ("qwen3_moe", BASE | dict(num_key_value_heads=2, head_dim=16, num_experts=6, num_experts_per_tok=3,
                                                          moe_intermediate_size=20),
                                   dict(r=4, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"]), {"model.lora.rank": 4}),
}
LENGTHS = (1, 13, 64)


def open_base(directory, dtype):
    return AutoModelForCausalLM.from_pretrained(directory, **EAGER, dtype=dtype).eval()


def open_adapted(base, adapters, dtype, failures=None, name=""):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model = PeftModel.from_pretrained(open_base(base, dtype), adapters, is_trainable=True, autocast_adapter_dtype=False)
    if failures:
        keys = [str(warning.message) for warning in said if "keys" in str(warning.message) or "fan_in" in str(warning.message)]
        failures.require(not keys, f"{name}: peft says {keys}")
    return model.to(dtype).eval()


def logits_of(model, ids):
    with torch.no_grad():
        return {f"logits/{number}": model(text[None], use_cache=False).logits[0].double() for number, text in enumerate(ids)}


def theirs(model, ids):
    result = logits_of(model, ids)
    longest = max(ids, key=len)
    loss = torch.nn.functional.cross_entropy(model(longest[None, :-1], use_cache=False).logits[0].to(torch.float64), longest[1:])
    loss.backward()
    result["loss"] = loss.detach()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            result["gradients/" + name.replace(".default", "")] = parameter.grad.double()
    return result


def make(name, work):
    """A base and adapters that are far from nothing."""
    model_type, keys, lora, _ = CASES[name]
    torch.manual_seed(len(name))
    base, adapters = os.path.join(work, "base"), os.path.join(work, "adapters")
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(model_type, **keys), **EAGER).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * (0.25 if parameter.dim() == 1 else 0.12))
    model.save_pretrained(base)
    adapted = get_peft_model(open_base(base, torch.float32), LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.1, **lora)).eval()
    with torch.no_grad():
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.copy_(torch.randn_like(parameter) * 0.2)
    adapted.save_pretrained(adapters)
    return base, adapters


def compare(folder, name, work, failures):
    base, adapters = make(name, work)
    model_type, keys, _, _ = CASES[name]
    ids = [torch.randint(keys["vocab_size"], (length,)) for length in LENGTHS]
    write_ids(ids, work)
    with in_float64(model_type):
        exact = theirs(open_adapted(base, adapters, torch.float64), ids)
    rough_model = open_adapted(base, adapters, torch.float32)
    rough = theirs(rough_model, ids)
    wide, ours = (dump(folder, adapters, ids, work, precision, gradients="true") for precision in ("fp64", "fp32"))
    # One rank and one scale hold for all adapters here, so those with others are other numbers that give the same.
    own_scales = "rank_pattern" in CASES[name][2]
    if isinstance(CASES[name][2]["target_modules"], str):  # where some layers have an adapter, others have one of zeros
        for values in (wide, ours):
            for key in [key for key in values if key.startswith("gradients/") and key not in exact]:
                del values[key]
    kinds = ("logits/", "loss") if own_scales else ("logits/", "loss", "gradients/")
    lines = no_further_off(name, kinds, exact, rough, ours, wide, failures)
    print(f"{name}: {'; '.join(lines)}")
    out, merged = os.path.join(work, "out"), os.path.join(work, "merged")
    program = os.path.join(folder, "trireme-model")
    run(program, "export", adapters, out)
    expect_same(name + ", exported", logits_of(open_adapted(base, out, torch.float32, failures, name), ids), logits_of(rough_model, ids), failures)
    run(program, "merge", adapters, merged, format="hugging-face")
    expect_same(name + ", merged", logits_of(open_base(merged, torch.float32), ids), logits_of(rough_model.merge_and_unload(), ids), failures)


def expect_same(name, ours, due, failures, limit=1e-5):
    error = distance(joined(ours, "logits"), joined(due, "logits")) / torch.linalg.vector_norm(joined(due, "logits")).item()
    failures.require(error <= limit, f"{name}: logits differ by {error:.1e}")


def train(folder, name, corpus, work, failures):
    """Ours, there and merged; and theirs, taken further by us."""
    program = lambda which: os.path.join(folder, "trireme-" + which)
    base, adapters = os.path.join(work, "base"), os.path.join(work, "adapters")
    ids = [torch.randint(300, (length,)) for length in LENGTHS]
    write_ids(ids, work)
    tuning = {"data.path": corpus, "steps": 3, "data.sequence-length": 48, "data.micro-batch": 2, "data.global-batch": 4, "eval.every-steps": 0,
              "optimizer.learning-rate": 0.02, "schedule.warmup-steps": 1, "schedule.name": "constant"}
    for kind, source, lora in (("ours", base, CASES[name][3]), ("theirs, gone on with", adapters, {})):
        folders = {part: os.path.join(work, part + "-" + kind[:4]) for part in ("run", "peft", "checkpoint", "merged")}
        flags = [f"--{key}={str(value).lower()}" for key, value in (tuning | lora).items()]
        run(program("train"), "--run", folders["run"], "--finetune.from", source, *flags)
        here = dump(folder, folders["run"], ids, work, "fp32")
        before = dump(folder, source, ids, work, "fp32")
        failures.require(distance(joined(here, "logits"), joined(before, "logits")) > 0.01, f"{name}, {kind}: it has not learnt")
        run(program("model"), "export", folders["run"], folders["peft"])
        there = logits_of(open_adapted(base, folders["peft"], torch.float32, failures, name), ids)
        expect_same(f"{name}, {kind}, in peft", there, here, failures)
        run(program("model"), "merge", folders["run"], folders["checkpoint"])
        expect_same(f"{name}, {kind}, merged", dump(folder, folders["checkpoint"], ids, work, "fp32"), here, failures)
        # The base is that of the run, wherever it came from.
        with open(os.path.join(folders["peft"], "adapter_config.json"), encoding="utf-8") as file:
            told = json.load(file)["base_model_name_or_path"]
        failures.require(os.path.samefile(told, os.path.join(folders["run"], "base")), f"{name}, {kind}: the base is said to be {told}")
        expect_same(f"{name}, {kind}, in peft with its base", logits_of(open_adapted(told, folders["peft"], torch.float32), ids), here, failures)


def change_config(adapters, **values):
    path = os.path.join(adapters, "adapter_config.json")
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(config | values, file)


def refused(folder, work, failures):
    """What is not honoured is an error that names it."""
    base, adapters = make("llama: queries and values", work)
    weights = os.path.join(adapters, "adapter_model.safetensors")
    config = os.path.join(adapters, "adapter_config.json")
    texts = {path: open(path, "rb").read() for path in (weights, config)}
    tensors = load_file(weights)
    first = min(tensors)

    def expect(named):
        done = subprocess.run([os.path.join(folder, "trireme-model"), "inspect", adapters], capture_output=True, text=True)
        failures.require(done.returncode == 1 and named in done.stderr and done.stderr.count("\n") == 1, f"refused: {named}: {done.stderr}")
        for path, text in texts.items():
            with open(path, "wb") as file:
                file.write(text)

    for key, value, named in (("peft_type", "IA3", "peft_type"), ("use_dora", True, "use_dora"), ("bias", "all", "bias"),
                              ("modules_to_save", ["lm_head"], "modules_to_save"), ("init_lora_weights", "pissa", "init_lora_weights"),
                              ("r", 0, "r must lie"), ("r", 5, "do not fit the rank"), ("target_modules", ["q_proj", "v_proj", "o_proj"], "o_proj.lora_A"),
                              ("base_model_name_or_path", "someone/model", "--base"), ("task_type", "SEQ_CLS", "task_type"),
                              ("some_new_option", 3, "some_new_option")):
        change_config(adapters, **{key: value})
        expect(named)
    change_config(adapters, base_model_name_or_path=adapters)
    expect("holds adapters itself")
    change_config(adapters, target_parameters=["mlp.experts.gate_up_proj"])
    expect("target_parameters")
    change_config(adapters, lora_alpha=-8)
    expect("lora_alpha")
    save_file({key: value for key, value in tensors.items() if key != first}, weights)
    expect(first)
    save_file(tensors | {"base_model.model.lm_head.lora_A.weight": torch.zeros(4, 48)}, weights)
    expect("lm_head.lora_A")
    save_file(tensors | {first: torch.zeros(4, 47)}, weights)
    expect("do not fit")


def stays_here(folder, work, corpus, failures):
    """Adapters of dense feed-forwards beside experts: peft would take them for those of experts. Merged they are what they are here."""
    name = "qwen3_moe: attention alone"
    model_type, keys, _, _ = CASES[name]
    base, run_folder, merged = (os.path.join(work, part) for part in ("base", "run", "merged"))
    config = AutoConfig.for_model(model_type, **keys | dict(mlp_only_layers=[0]))
    AutoModelForCausalLM.from_config(config, **EAGER).save_pretrained(base)
    run(os.path.join(folder, "trireme-train"), "--run", run_folder, "--finetune.from", base, "--data.path", corpus, "--steps", 2, "--model.lora.rank", 2,
        "--data.sequence-length", 48, "--data.global-batch", 4, "--eval.every-steps", 0, "--schedule.warmup-steps", 0, "--optimizer.learning-rate", 0.02)
    done = subprocess.run([os.path.join(folder, "trireme-model"), "export", run_folder, os.path.join(work, "out")], capture_output=True, text=True)
    failures.require(done.returncode == 1 and "cannot leave for PEFT" in done.stderr, f"{name}: {done.stderr}")
    run(os.path.join(folder, "trireme-model"), "merge", run_folder, merged, format="hugging-face")
    ids = [torch.randint(300, (length,)) for length in LENGTHS]
    write_ids(ids, work)
    expect_same(f"{name}, merged", logits_of(open_base(merged, torch.float32), ids), dump(folder, run_folder, ids, work, "fp32"), failures)


def main():
    torch.set_num_threads(1)
    folder, *parts = sys.argv[1:]
    failures = Failures()
    with tempfile.TemporaryDirectory() as work:
        text = os.path.join(work, "text")
        with open(text, "w", encoding="utf-8") as file:
            file.write("\n\n".join(f"On day {day} the ship made {day * 37 % 101} miles and nobody was ill." for day in range(800)))
        tokenizer, corpus = os.path.join(work, "tokenizer.json"), os.path.join(work, "corpus")
        run(os.path.join(folder, "trireme-data"), "tokenizer", "train", input=text, vocab_size=290, out=tokenizer)
        run(os.path.join(folder, "trireme-data"), "encode", tokenizer=tokenizer, input=text, out=corpus)
        for name in CASES:
            if parts and not any(part in name for part in parts):
                continue
            with tempfile.TemporaryDirectory() as inner:
                compare(folder, name, inner, failures)
                train(folder, name, corpus, inner, failures)
        with tempfile.TemporaryDirectory() as inner:
            refused(folder, inner, failures)
        with tempfile.TemporaryDirectory() as inner:
            stays_here(folder, inner, corpus, failures)
    sys.exit(f"{failures.count} FAILED" if failures.count else 0)


if __name__ == "__main__":
    main()
