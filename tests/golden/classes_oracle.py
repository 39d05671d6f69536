"""Classes of texts and labels of tokens, learnt by us and by PyPI's transformers from the same weights and texts.

    .venv/bin/python tests/golden/classes_oracle.py build/dev/bin

For an encoder and for decoders, in float64: the loss of the first step and the norm of its gradients are theirs to 1e-10, of texts of many
lengths that ours fills up to one and theirs reads one by one, some of them cut; and after two steps of AdamW losses and the weights that our
export gives are still theirs, to 1e-8.
"""
import json
import os
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers

from hugging_face_oracle import EAGER, GPT2, SHARED, SMALL, Failures, in_float64
from oracle import run

LENGTH, TEXTS, LABELS, STEPS, RATE = 20, 12, 3, 3, 1e-3
CASES = {
    "bert: classes": ("bert", SMALL, "BertForSequenceClassification"),
    "bert: labels": ("bert", SMALL | dict(type_vocab_size=1, hidden_act="relu"), "BertForTokenClassification"),
    "llama: classes": ("llama", SHARED, "LlamaForSequenceClassification"),
    "qwen3_moe: labels": ("qwen3_moe", SHARED | dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=20), "Qwen3MoeForTokenClassification"),
    "gpt2: labels": ("gpt2", GPT2, "GPT2ForTokenClassification"),
}


def step_of_theirs(model, texts, labels):
    """The mean over all labels, from each text alone; leaves the gradients."""
    of_texts = "Sequence" in type(model).__name__
    count = len(texts) if of_texts else sum((one[:LENGTH] >= 0).sum().item() for one in labels)
    total = 0
    for text, due in zip(texts, labels):
        logits = model(text[None, :LENGTH]).logits
        due = due if of_texts else due[:LENGTH]
        loss = torch.nn.functional.cross_entropy(logits if of_texts else logits[0], due, reduction="sum", ignore_index=-100) / count
        loss.backward()
        total += loss.item()
    norm = torch.linalg.vector_norm(torch.cat([one.grad.flatten() for one in model.parameters() if one.grad is not None])).item()
    return total, norm


def compare(folder, name, work, failures):
    model_type, keys, kind = CASES[name]
    torch.manual_seed(len(name))
    of_texts = "Sequence" in kind
    dropout = {key: 0.0 for key in ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout") if model_type in ("bert", "gpt2")
               and (model_type == "bert" or key == "classifier_dropout")}
    config = transformers.AutoConfig.for_model(model_type, **keys, **dropout, num_labels=LABELS)
    config._attn_implementation = "eager"
    source, corpus, out = (os.path.join(work, part) for part in ("source", "corpus", "run"))
    model = getattr(transformers, kind)(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    model.save_pretrained(source)
    texts = [torch.randint(keys["vocab_size"], (1 + 2 * i,)) for i in range(TEXTS)]
    labels = [torch.randint(LABELS, (1,) if of_texts else text.shape) for text in texts]
    with open(os.path.join(work, "texts.jsonl"), "w", encoding="utf-8") as file:
        for text, due in zip(texts, labels):
            if not of_texts:
                due[torch.rand(due.shape) < 0.3] = -100
            file.write(json.dumps(dict(token_ids=text.tolist(), label=due.item()) if of_texts else
                                  dict(token_ids=text.tolist(), labels=[None if one < 0 else one for one in due.tolist()])) + "\n")
    names = [f"LABEL_{number}" for number in range(LABELS)]
    run(os.path.join(folder, "trireme-data"), "encode", "--input", os.path.join(work, "texts.jsonl"), "--labels", "texts" if of_texts else "tokens",
        "--label-names", *names, vocabulary=keys["vocab_size"], out=corpus)
    run(os.path.join(folder, "trireme-train"), run=out, steps=STEPS, **{
        "finetune.from": source, "data.path": corpus, "data.sequence-length": LENGTH, "data.micro-batch": 3, "data.global-batch": TEXTS,
        "precision.compute": "fp64", "optimizer.learning-rate": RATE, "optimizer.weight-decay": 0, "optimizer.clip-norm": 0, "schedule.name": "constant",
        "schedule.warmup-steps": 0, "eval.every-steps": 0, "model.dropout": 0})
    with open(os.path.join(out, "metrics.jsonl"), encoding="utf-8") as file:
        ours = [json.loads(line) for line in file]
    with in_float64(model_type):
        exact = getattr(transformers, kind).from_pretrained(source, **EAGER, dtype=torch.float64).train()
        for module in exact.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        optimizer = torch.optim.AdamW(exact.parameters(), lr=RATE, betas=(0.9, 0.95), eps=1e-8, weight_decay=0)
        lines = []
        for step, record in enumerate(ours):
            optimizer.zero_grad()
            loss, norm = step_of_theirs(exact, texts, labels)
            optimizer.step()
            off = max(abs(record["loss"] - loss) / loss, abs(record["grad_norm"] - norm) / norm)
            failures.require(off < (1e-10 if step == 0 else 1e-8), f"{name}: step {step + 1} has loss {record['loss']}, norm {record['grad_norm']}; due: {loss}, {norm}")
            lines.append(f"{off:.0e}")
        failures.require(ours[-1]["loss"] < ours[0]["loss"], f"{name}: nothing is learnt: {[one['loss'] for one in ours]}")
        exported = os.path.join(work, "exported")
        run(os.path.join(folder, "trireme-model"), "export", out, exported)
        learnt = getattr(transformers, kind).from_pretrained(exported, **EAGER, dtype=torch.float64)
        furthest = max((a - b).abs().max().item() for a, b in zip(learnt.parameters(), exact.parameters()))
        failures.require(furthest < 1e-8, f"{name}: exported weights are {furthest:.1e} from theirs")
    print(f"{name}: loss and norm of {STEPS} steps off by {', '.join(lines)}; weights behind them by {furthest:.0e}")


def main():
    torch.set_num_threads(1)
    folder, *parts = sys.argv[1:]
    failures = Failures()
    for name in CASES:
        if parts and not any(part in name for part in parts):
            continue
        with tempfile.TemporaryDirectory() as work:
            compare(folder, name, work, failures)
    sys.exit(f"{failures.count} FAILED" if failures.count else 0)


if __name__ == "__main__":
    main()
