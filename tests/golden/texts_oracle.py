"""Models with their tokenizers and chat templates, as transformers opens them: conversations, prompts, sentences and classes as text.

    .venv/bin/python tests/golden/texts_oracle.py build/dev/bin

Random models of a few families, each with a tokenizer of the kind that such models have, trained here.
"""
import json
import os
import subprocess
import sys
import tempfile

import torch
import transformers

import tokenizer_texts
from tokenizer_kinds_oracle import Maker

LLAMA = """{{ bos_token }}{% for message in messages %}<|im_start|>{{ message.role }}
{{ message.content | trim }}<|end_of_text|>
{% endfor %}{% if tools %}{{ tools | tojson }}{% endif %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
MISTRAL = """<s>{% for message in messages %}{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must take turns') }}{% endif %}
{%- if message.role == 'user' %}[INST] {{ message.content }} [/INST]{% else %} {{ message.content }}</s>{% endif %}{% endfor %}"""
CONVERSATIONS = [
    [{"role": "user", "content": "Who made the heaven and the earth?"}],
    [{"role": "user", "content": "  a b  "}, {"role": "assistant", "content": "é 中文 😀"}, {"role": "user", "content": "And then?\n"}],
]
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"z": 1, "a": [True, None, "ü<"]}}}]
TEXTS = ["In the beginning", "the  waters\nof Ägypten 中", "a", "Word by word, <|im_start|> and </s> [MASK] too"]


class Checks:
    def __init__(self, programs, folder):
        self.programs, self.folder, self.failures, self.made = programs, folder, [], 0

    def require(self, holds, what):
        self.made += 1
        if not holds:
            self.failures.append(what)
            print("FAILED:", what)

    def batch(self, model, lines, *flags):
        requests, answers = (os.path.join(self.folder, name) for name in ("requests.jsonl", "answers.jsonl"))
        with open(requests, "w") as file:
            for number, (url, body) in enumerate(lines):
                file.write(json.dumps({"custom_id": str(number), "url": url, "body": body}) + "\n")
        if os.path.exists(answers):
            os.remove(answers)
        done = subprocess.run([os.path.join(self.programs, "trireme-serve"), model, "--batch", requests, "--out", answers, "--type", "float32", *flags],
                              capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{model}: {done.stderr}")
        with open(answers) as file:
            return [json.loads(line)["response"] for line in file], done.stderr


def saved(folder, name, model, tokenizer, special, **files):
    directory = os.path.join(folder, name)
    model.save_pretrained(directory)
    tokenizer.save(os.path.join(directory, "tokenizer.json"))
    with open(os.path.join(directory, "tokenizer_config.json"), "w") as file:
        json.dump({"tokenizer_class": "PreTrainedTokenizerFast", **special}, file)
    for file_name, content in files.items():
        with open(os.path.join(directory, file_name.replace("__", ".")), "w") as file:
            file.write(content)
    return directory, transformers.PreTrainedTokenizerFast.from_pretrained(directory)


def decoder(kind, vocabulary, **more):
    config = transformers.AutoConfig.for_model(kind, vocab_size=vocabulary, hidden_size=64, intermediate_size=96, num_hidden_layers=2,
                                               num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256, **more)
    return transformers.AutoModelForCausalLM.from_config(config).eval()


def continued(model, ids, count, ends):
    with torch.no_grad():
        ids = list(ids)
        for _ in range(count):
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
            if ids[-1] in ends:
                break
    return ids


def conversations(checks, name, tokenizer, template, special, kind, ends):
    torch.manual_seed(3)
    model = decoder(kind, tokenizer.get_vocab_size() + 5)
    model.generation_config.eos_token_id = ends
    directory, theirs = saved(checks.folder, name, model, tokenizer, special, chat_template__jinja=template)
    cases = [(messages, tools) for messages in CONVERSATIONS for tools in (None, TOOLS)]
    lines = [("/v1/chat/completions", {"messages": messages, "temperature": 0, "max_tokens": 12, "return_token_ids": True} |
              ({"tools": tools} if tools else {})) for messages, tools in cases]
    lines += [("/v1/completions", {"prompt": text, "temperature": 0, "max_tokens": 12, "return_token_ids": True}) for text in TEXTS]
    lines.append(("/v1/chat/completions", {"messages": [CONVERSATIONS[0][0]] * 2, "max_tokens": 3}))
    answers, _ = checks.batch(directory, lines)
    prompts = [theirs.apply_chat_template(messages, tools=tools, add_generation_prompt=True, return_dict=False) for messages, tools in cases]
    prompts += [theirs(text).input_ids for text in TEXTS]
    for (url, body), prompt, answer in zip(lines, prompts, answers):
        choice = answer["body"].get("choices", [None])[0]
        what = f"{name} {url} {json.dumps(body)[:80]}: "
        if choice is None:
            checks.require(False, what + json.dumps(answer["body"]))
            continue
        checks.require(answer["body"]["usage"]["prompt_tokens"] == len(prompt), what + f"{answer['body']['usage']}, theirs has {len(prompt)}")
        due = continued(model, prompt, 12, ends)
        checks.require(choice["token_ids"] == due[len(prompt):], what + f"{choice['token_ids']}, theirs {due[len(prompt):]}")
        whole, before = theirs.decode(due, skip_special_tokens=True), theirs.decode(prompt, skip_special_tokens=True)
        text = choice["text"] if "text" in choice else choice["message"]["content"]
        if whole.startswith(before) and "\ufffd" not in whole[len(before):]:
            checks.require(text == whole[len(before):], what + f"{text!r}, theirs {whole[len(before):]!r}")
    last = answers[-1]
    if "raise_exception" in template:
        checks.require(last["status_code"] == 400 and "roles must take turns" in last["body"]["error"]["message"], f"{name}: {last}")
    return directory


def sentences(checks, maker):
    """BERT: a vector of each text, cut as its file says, and its class."""
    tokenizer = maker.bert_cut_short()
    config = transformers.BertConfig(vocab_size=tokenizer.get_vocab_size(), hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
                                     intermediate_size=96, max_position_embeddings=64, id2label={0: "no", 1: "maybe", 2: "yes"}, pad_token_id=0)
    special = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]", "mask_token": "[MASK]"}
    torch.manual_seed(4)
    texts = TEXTS + [" ".join(TEXTS * 12)]
    model = transformers.BertModel(config).eval()
    directory, theirs = saved(checks.folder, "sentences", model, tokenizer, special)
    answers, _ = checks.batch(directory, [("/v1/embeddings", {"input": texts})])
    for text, ours in zip(texts, answers[0]["body"]["data"]):
        with torch.no_grad():
            hidden = model(**theirs(text, truncation=True, max_length=48, return_tensors="pt")).last_hidden_state[0].mean(0)
        off = float((hidden / hidden.norm() - torch.tensor(ours["embedding"])).abs().max())
        checks.require(off < 1e-5, f"embedding of {text[:40]!r} is off by {off}")
    torch.manual_seed(5)
    model = transformers.BertForSequenceClassification(config).eval()
    directory, theirs = saved(checks.folder, "classes", model, tokenizer, special)
    answers, _ = checks.batch(directory, [("/classify", {"input": TEXTS})])
    for text, ours in zip(TEXTS, answers[0]["body"]["data"]):
        with torch.no_grad():
            probabilities = model(**theirs(text, return_tensors="pt")).logits[0].softmax(-1)
        off = float((probabilities - torch.tensor(ours["probs"])).abs().max())
        checks.require(off < 1e-5, f"classes of {text[:40]!r} are off by {off}")
        checks.require(ours["label"] == config.id2label[int(probabilities.argmax())], f"class of {text[:40]!r}")


def defaults(checks, directory):
    """generation_config.json where a request is silent."""
    path = os.path.join(directory, "generation_config.json")
    with open(path) as file:
        config = json.load(file)

    def answer(**changes):
        with open(path, "w") as file:
            json.dump(config | changes, file)
        return checks.batch(directory, [("/v1/completions", {"prompt": "In the beginning", "seed": 1, "return_token_ids": True}),
                                        ("/v1/completions", {"prompt": "In the beginning", "temperature": 0, "max_tokens": 4, "return_token_ids": True})])
    (free, greedy), _ = answer(do_sample=False, max_new_tokens=4)
    ids = [one["body"]["choices"][0]["token_ids"] for one in (free, greedy)]
    checks.require(ids[0] == ids[1] and len(ids[0]) <= 4, f"do_sample false with max_new_tokens 4 gave {ids}")
    (free, _), _ = answer(do_sample=True, top_k=1, max_new_tokens=4)
    checks.require(free["body"]["choices"][0]["token_ids"] == ids[1], "top_k 1 is the likeliest token")
    (free, _), said = answer(do_sample=True, repetition_penalty=1.3)
    checks.require(len(free["body"]["choices"][0]["token_ids"]) > 4, "without max_new_tokens there are 16")
    checks.require("repetition_penalty 1.3" in said, f"what is not done is said: {said}")


def main():
    transformers.utils.logging.disable_progress_bar()
    programs = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        checks = Checks(programs, folder)
        texts = tokenizer_texts.real_texts(200_000)
        maker = Maker(texts, folder)
        directory = conversations(checks, "llama3", maker.llama3(), LLAMA, {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>"}, "llama", [1, 2])
        conversations(checks, "mistral", maker.mistral(), MISTRAL, {"bos_token": "<s>", "eos_token": "</s>"}, "mistral", [2])
        conversations(checks, "gemma", maker.gemma(), LLAMA, {"bos_token": "<bos>", "eos_token": "<eos>"}, "qwen2", [1])
        sentences(checks, maker)
        defaults(checks, directory)
        print(f"{checks.made} checks, {len(checks.failures)} failed")
        sys.exit(bool(checks.failures))


if __name__ == "__main__":
    main()
