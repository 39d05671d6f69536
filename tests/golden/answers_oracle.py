"""Answers of conversations, completions and preferences: which tokens are learnt, and what is learnt of them, beside PyPI's transformers.

    .venv/bin/python tests/golden/answers_oracle.py build/dev/bin

Ids and masks are those of apply_chat_template(..., return_assistant_tokens_mask=True), for templates that mark what is generated and for the same
ones without marks. Losses and norms of gradients of whole steps, in float64 and in several layouts, are those of PyTorch to 1e-10, which is given
each document alone where ours packs them; and weights after some steps are theirs to 1e-8. The same of preferences, whose loss is that of DPO.
"""
import json
import os
import random
import subprocess
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from hugging_face_oracle import EAGER, GPT2, SHARED, SMALL, Failures, in_float64
from oracle import run

# Each with {% generation %} around what an assistant says; without these marks ours finds it by itself.
TEMPLATES = {
    "chatml": "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.role == 'assistant' %}{% generation %}{{ m.content + '<|im_end|>' }}"
              "{% endgeneration %}{% else %}{{ m.content + '<|im_end|>' }}{% endif %}{{ '\n' }}{% endfor %}"
              "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "llama 2": "{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ ' ' + m.content + ' ' + eos_token }}{% endgeneration %}"
               "{% else %}{{ '[INST] ' + m.content + ' [/INST]' }}{% endif %}{% endfor %}",
    "no special tokens": "{% for m in messages %}{{ m.role + ': ' }}{% if m.role == 'assistant' %}{% generation %}{{ m.content + '\n\n' }}{% endgeneration %}"
                         "{% else %}{{ m.content + '\n\n' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}",
    "tools": "{% if tools %}{{ '<tools>' + (tools | tojson) + '</tools>' }}{% endif %}{% for m in messages %}{% if m.role == 'assistant' %}"
             "{{ '<|im_start|>assistant' }}{% generation %}{% if m.content %}{{ '\n' + m.content }}{% endif %}{% for call in m.tool_calls or [] %}"
             "{{ '\n<call>' + (call.function | tojson) + '</call>' }}{% endfor %}{{ '<|im_end|>\n' }}{% endgeneration %}{% else %}"
             "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endif %}{% endfor %}"
             "{% if add_generation_prompt %}{{ '<|im_start|>assistant' }}{% endif %}",
}
WORDS = "the a cat dog sat on mat and said hello wörld 中文 is naïve 42 3.14 ok , . ! ? \n \t emoji 🙂 New York <b> don't".split(" ")
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<s>"]
LENGTH, STEPS, RATE = 90, 3, 1e-3
BETA, SMOOTHING = 0.3, 0.1
CASES = {
    "llama": SHARED,
    "gpt2": GPT2,
    "mistral": SMALL | dict(num_key_value_heads=2, sliding_window=7),
    "qwen3_moe": SHARED | dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=20),
}
# Ranks and keys: nothing of the layout shows.
LAYOUTS = [(1, {}), (2, {"parallel.shard": 2}), (3, {"parallel.pipeline": 3}), (2, {"parallel.shard": 1, "recompute": "full"}),
           (2, {"parallel.pipeline": 2, "parallel.pipeline-order": "zero-bubble", "recompute": "selective"})]


def trained_tokenizer(folder):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer.train_from_iterator([" ".join(random.choices(WORDS, k=40)) for _ in range(300)],
                                  trainers.BpeTrainer(vocab_size=400, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="<|endoftext|>")
    fast.save_pretrained(folder)
    return fast


def said(most=12):
    return " ".join(random.choices(WORDS, k=random.randint(1, most))).strip() or "yes"


def conversation(tools):
    messages = [{"role": "system", "content": said()}] if random.random() < 0.4 else []
    for _ in range(random.choice([1, 1, 2, 4])):
        messages.append({"role": "user", "content": said()})
        answer = {"role": "assistant", "content": said()}
        if tools and random.random() < 0.5:
            answer["tool_calls"] = [{"type": "function", "function": {"name": "f", "arguments": {"x": said()}}}]
        messages.append(answer)
        if "tool_calls" in answer:
            messages += [{"role": "tool", "content": said()}, {"role": "assistant", "content": said()}]
    return messages


def write_lines(path, lines):
    with open(path, "w", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(line) + "\n")


def read_lines(text):
    return [json.loads(line) for line in text.splitlines()]


def mask_of(shown):
    mask = [0] * len(shown["token_ids"])
    for begin, end in shown["answer_tokens"]:
        mask[begin:end] = [1] * (end - begin)
    return mask


def encoded(folder, work, tokenizer, template, lines, learn="answers"):
    for name, content in (("template.jinja", template),):
        with open(os.path.join(work, name), "w", encoding="utf-8") as file:
            file.write(content)
    write_lines(os.path.join(work, "lines.jsonl"), lines)
    corpus = os.path.join(work, f"corpus-{random.randrange(10**9)}")
    run(os.path.join(folder, "trireme-data"), "encode", learn=learn, tokenizer=os.path.join(work, "tokenizer/tokenizer.json"),
        chat_template=os.path.join(work, "template.jinja"), input=os.path.join(work, "lines.jsonl"), out=corpus)
    return corpus, read_lines(run(os.path.join(folder, "trireme-data"), "cat", corpus))


def masks(folder, work, tokenizer, failures):
    compared = 0
    tools = [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {"x": {"type": "string"}}}}}]
    for name, template in TEMPLATES.items():
        lines = [{"messages": conversation(name == "tools")} | ({"tools": tools} if name == "tools" else {}) for _ in range(60)]
        due = []
        for line in lines:
            theirs = tokenizer.apply_chat_template(line["messages"], tools=line.get("tools"), chat_template=template, return_dict=True,
                                                   return_assistant_tokens_mask=True)
            due.append((list(theirs["input_ids"]), list(theirs["assistant_masks"])))
        for marked in (True, False):
            plain = template if marked else template.replace("{% generation %}", "").replace("{% endgeneration %}", "")
            _, shown = encoded(folder, work, tokenizer, plain, lines)
            failures.require(len(shown) == len(lines), f"{name}: {len(shown)} documents of {len(lines)} lines")
            for line, ours, (ids, mask) in zip(lines, shown, due):
                got = mask_of(ours)
                if not marked and name == "tools":
                    # What follows the last special token of an answer is white space that nobody gives; the marks have it.
                    newline = tokenizer.encode("\n")
                    mask = [0 if here and before and ids[i - 1] == SPECIAL.index("<|im_end|>") and [ids[i]] == newline else here
                            for i, (before, here) in enumerate(zip([0] + mask, mask))]
                failures.require(ours["token_ids"] == ids and got == mask, f"{name}, marked {marked}: {line}: {ours['token_ids']} {got}, due {ids} {mask}")
                compared += 1
    # Earlier answers that a template writes otherwise later are learnt as they were given.
    forgets = ("{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.reasoning and loop.last %}{{ '<think>' + m.reasoning + '</think>' }}{% endif %}"
               "{{ m.content + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "reasoning": "r"}, {"role": "user", "content": "c"},
            {"role": "assistant", "content": "d", "reasoning": "s"}]
    _, shown = encoded(folder, work, tokenizer, forgets, [{"messages": talk}])
    failures.require([one["answers"] for one in shown] == [["<think>r</think>b<|im_end|>"], ["<think>s</think>d<|im_end|>"]], f"reasoning: {shown}")
    # A weight of 0 leaves an answer out.
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "weight": 0}, {"role": "user", "content": "c"}, {"role": "assistant", "content": "d"}]
    for template in (TEMPLATES["chatml"], TEMPLATES["chatml"].replace("{% generation %}", "").replace("{% endgeneration %}", "")):
        _, shown = encoded(folder, work, tokenizer, template, [{"messages": talk}])
        failures.require([one["answers"] for one in shown] == [["d<|im_end|>"]], f"weights: {shown}")
    # Completions: theirs are the tokens behind the prompt's, and an end.
    lines = [{"prompt": said() + ":", "completion": " " + said()} for _ in range(60)]
    _, shown = encoded(folder, work, tokenizer, TEMPLATES["chatml"], lines)
    for line, ours in zip(lines, shown):
        ids, prompt = tokenizer.encode(line["prompt"] + line["completion"]) + [0], tokenizer.encode(line["prompt"])
        failures.require(ours["token_ids"] == ids and mask_of(ours) == [0] * len(prompt) + [1] * (len(ids) - len(prompt)), f"completion: {line}: {ours}")
        compared += 1
    print(f"{compared} conversations and completions have their ids and masks")


def alone(model, documents):
    """The mean loss of answers over documents that are read one by one; leaves the gradients."""
    count = sum(sum(mask[1:LENGTH + 1]) for _, mask in documents)
    total = 0
    for ids, mask in documents:
        ids, mask = torch.tensor(ids[:LENGTH + 1]), torch.tensor(mask[:LENGTH + 1])
        due = torch.where(mask[1:] > 0, ids[1:], -100)
        if not (due >= 0).any():
            continue
        loss = torch.nn.functional.cross_entropy(model(ids[None, :-1]).logits[0], due, reduction="sum", ignore_index=-100) / count
        loss.backward()
        total += loss.item()
    return total, norm_of(model)


def trained(folder, out, name, ranks, keys):
    """The records of a run, and the hash of its weights."""
    launcher = [os.path.join(os.path.dirname(sys.executable), "mpirun"), "--oversubscribe", "--bind-to", "none", "-n", str(ranks)] if ranks > 1 else []
    done = subprocess.run([*launcher, os.path.join(folder, "trireme-train"), "--run", out, "--json", *[f"--{key}={value}" for key, value in keys.items()]],
                          capture_output=True, text=True, env=os.environ | {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
                                                                            "OMP_NUM_THREADS": "1"})
    if done.returncode:
        sys.exit(f"{name}, {keys} on {ranks}: {done.stderr}")
    with open(os.path.join(out, "metrics.jsonl"), encoding="utf-8") as file:
        return [json.loads(line) for line in file], json.loads(done.stdout)["weights_hash"]


def training(folder, work, tokenizer, name, failures):
    torch.manual_seed(len(name))
    config = transformers.AutoConfig.for_model(name, **CASES[name] | dict(vocab_size=len(tokenizer)))
    config._attn_implementation = "eager"
    source = os.path.join(work, f"{name}-source")
    model = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    model.save_pretrained(source)
    # A batch of all rows: every step sees every document.
    lines = [{"messages": conversation(False)} for _ in range(24)]
    corpus, shown = encoded(folder, work, tokenizer, TEMPLATES["chatml"], lines)
    documents = [(one["token_ids"], mask_of(one)) for one in shown]
    rows = packed_rows([min(len(ids) - 1, LENGTH) for ids, _ in documents])
    keys = {"finetune.from": source, "data.path": corpus, "data.sequence-length": LENGTH, "data.micro-batch": 1, "data.global-batch": rows,
            "precision.compute": "fp64", "optimizer.learning-rate": RATE, "optimizer.weight-decay": 0, "optimizer.clip-norm": 0, "schedule.name": "constant",
            "schedule.warmup-steps": 0, "eval.every-steps": 0, "model.dropout": 0, "steps": STEPS}
    runs = []
    for number, (ranks, layout) in enumerate(LAYOUTS):
        out = os.path.join(work, f"{name}-run-{number}")
        runs.append(trained(folder, out, name, ranks, keys | layout))
    failures.require(len({weights for _, weights in runs}) == 1, f"{name}: layouts differ in weights: {[weights for _, weights in runs]}")
    with in_float64(name):
        exact = transformers.AutoModelForCausalLM.from_pretrained(source, **EAGER, dtype=torch.float64).train()
        optimizer = torch.optim.AdamW(exact.parameters(), lr=RATE, betas=(0.9, 0.95), eps=1e-8, weight_decay=0)
        offs = []
        for step in range(STEPS):
            optimizer.zero_grad()
            loss, norm = alone(exact, documents)
            optimizer.step()
            for records, _ in runs:
                off = max(abs(records[step]["loss"] - loss) / loss, abs(records[step]["grad_norm"] - norm) / norm)
                failures.require(off < (1e-10 if step == 0 else 1e-8), f"{name}: step {step + 1}: {records[step]}, due {loss} and {norm}")
            offs.append(off)
        exported = os.path.join(work, f"{name}-exported")
        run(os.path.join(folder, "trireme-model"), "export", os.path.join(work, f"{name}-run-0"), exported)
        learnt = transformers.AutoModelForCausalLM.from_pretrained(exported, **EAGER, dtype=torch.float64)
        furthest = max((a - b).abs().max().item() for a, b in zip(learnt.parameters(), exact.parameters()))
        failures.require(furthest < 1e-8, f"{name}: exported weights are {furthest:.1e} from theirs")
        failures.require(os.path.exists(os.path.join(exported, "chat_template.jinja")), f"{name}: the export has no chat template")
    print(f"{name}: {len(documents)} documents in {rows} rows, {len(LAYOUTS)} layouts: off by {', '.join(f'{off:.0e}' for off in offs)}; weights by {furthest:.0e}")


def of_preferences(model, reference, pairs):
    """The mean DPO loss over preferences, each answer read alone, and how many are preferred more than by the reference."""
    def log_probability(model, document):
        ids, mask = torch.tensor(document[0]), torch.tensor(document[1])
        of_tokens = torch.log_softmax(model(ids[None, :-1]).logits[0], -1).gather(-1, ids[1:, None])[:, 0]
        return (of_tokens * mask[1:]).sum()

    total, preferred = 0, 0
    for chosen, rejected in pairs:
        with torch.no_grad():
            margin = log_probability(reference, chosen) - log_probability(reference, rejected)
        m = BETA * (log_probability(model, chosen) - log_probability(model, rejected) - margin)
        loss = -((1 - SMOOTHING) * torch.nn.functional.logsigmoid(m) + SMOOTHING * torch.nn.functional.logsigmoid(-m)) / len(pairs)
        if torch.is_grad_enabled():
            loss.backward()
        total, preferred = total + loss.item(), preferred + (m > 0).item()
    return total, preferred


def norm_of(model):
    return torch.linalg.vector_norm(torch.cat([one.grad.flatten() for one in model.parameters() if one.grad is not None])).item()


def preferences(folder, work, tokenizer, name, failures):
    source = os.path.join(work, f"{name}-source")
    def line():
        if random.random() < 0.6:  # short ones, which share rows
            return {"prompt": said(2), "chosen": " " + said(3), "rejected": " " + said(3) + "!"}
        talk = [{"role": "user", "content": said(3)}]
        return {"prompt": talk, "chosen": [{"role": "assistant", "content": said(4)}], "rejected": [{"role": "assistant", "content": said(5) + "!"}]}

    corpora, pairs = [], []
    for count in (16, 6):
        corpus, shown = encoded(folder, work, tokenizer, TEMPLATES["chatml"], [line() for _ in range(count)], "preferences")
        corpora.append(corpus)
        pairs.append([[(one[which]["token_ids"], mask_of(one[which])) for which in ("chosen", "rejected")] for one in shown])
    room = max(sum(len(ids) - 1 for ids, _ in pair) for pair in pairs[0] + pairs[1])
    assert room <= LENGTH, room
    rows = packed_rows([sum(len(ids) - 1 for ids, _ in pair) for pair in pairs[0]])
    keys = {"finetune.from": source, "data.path": corpora[0], "eval.sets": f"other={corpora[1]}", "data.sequence-length": LENGTH, "data.micro-batch": 1,
            "data.global-batch": rows, "preference.beta": BETA, "preference.label-smoothing": SMOOTHING, "precision.compute": "fp64",
            "optimizer.learning-rate": RATE, "optimizer.weight-decay": 0, "optimizer.clip-norm": 0, "schedule.name": "constant", "schedule.warmup-steps": 0,
            "eval.every-steps": 1, "model.dropout": 0, "steps": STEPS}
    runs = []
    for number, (ranks, layout) in enumerate(LAYOUTS):
        out = os.path.join(work, f"{name}-preferences-{number}")
        if number == 1:  # stopped in between
            trained(folder, out, name, ranks, keys | layout | {"steps": 1})
        runs.append(trained(folder, out, name, ranks, keys | layout))
    failures.require(len({weights for _, weights in runs}) == 1, f"{name}: layouts differ in weights of preferences")
    with in_float64(name):
        exact, reference = (transformers.AutoModelForCausalLM.from_pretrained(source, **EAGER, dtype=torch.float64) for _ in range(2))
        optimizer = torch.optim.AdamW(exact.parameters(), lr=RATE, betas=(0.9, 0.95), eps=1e-8, weight_decay=0)
        offs = []
        for step in range(STEPS):
            optimizer.zero_grad()
            loss, _ = of_preferences(exact, reference, pairs[0])
            norm = norm_of(exact)
            optimizer.step()
            with torch.no_grad():
                due, preferred = of_preferences(exact, reference, pairs[1])
            for records, _ in runs:
                record = records[step]
                off = max(abs(record["loss"] - loss) / loss, abs(record["grad_norm"] - norm) / norm, abs(record["eval"]["other"]["loss"] - due) / due)
                failures.require(off < (1e-10 if step == 0 else 1e-8), f"{name}: preferences, step {step + 1}: {record}, due {loss}, {norm}, {due}")
                failures.require(record["eval"]["other"]["accuracy"] == preferred / len(pairs[1]), f"{name}: accuracy of {record}, due {preferred}")
            offs.append(off)
        failures.require(runs[0][0][-1]["loss"] < runs[0][0][0]["loss"], f"{name}: nothing is preferred: {runs[0][0]}")
    print(f"{name}: {len(pairs[0])} preferences in {rows} rows, {len(LAYOUTS)} layouts: off by {', '.join(f'{off:.0e}' for off in offs)}")


def packed_rows(lengths):
    """Best fit decreasing."""
    rooms = []
    for length in sorted(lengths, reverse=True):
        fitting = [room for room in rooms if room >= length]
        if fitting:
            rooms.remove(min(fitting))
            rooms.append(min(fitting) - length)
        else:
            rooms.append(LENGTH - length)
    return len(rooms)


def main():
    torch.set_num_threads(1)
    folder, *parts = sys.argv[1:]
    random.seed(5)
    failures = Failures()
    with tempfile.TemporaryDirectory(prefix="trireme-answers.") as work:
        tokenizer = trained_tokenizer(os.path.join(work, "tokenizer"))
        masks(folder, work, tokenizer, failures)
        for name in CASES:
            if not parts or any(part in name for part in parts):
                training(folder, work, tokenizer, name, failures)
                preferences(folder, work, tokenizer, name, failures)
    sys.exit(f"{failures.count} FAILED" if failures.count else 0)


if __name__ == "__main__":
    main()
