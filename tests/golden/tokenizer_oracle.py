"""Holds the tokenizer against PyPI's tokenizers: equal ids and merges, both ways.

    .venv/bin/python tests/golden/tokenizer_oracle.py build/dev/bin/tokenizer_dump
"""
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

from tokenizer_texts import bible
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

END = "<|endoftext|>"
TRICKY = [" ", "  ", "   ", "\n", "\n\n", "\t", "\r\n", "\u00a0", "\u3000", "\u2028", "\u0085", "\u180e", "\u200b", "\ufeff", "\x00",
          "\x1c", "'", "'s", "'S", "'t", "'re", "'ll", "'ve", "'m", "'d", "'l", "''", "a", "I", "the", "God", "e\u0301", "ß", "İ", "中",
          "文字", "日本語", "한국", "1", "12345", "٣٤", "½", "Ⅷ", "²", "!", "...", "--", "_", "😀", "👩‍👩‍👧", "🇩🇪", "𐐀", "𝟎", "<", "<|",
          END, "<|endoftext", "endoftext|>", "http://x.y/z?a=1&b=2", "x=3.14e-10;", "\U0010ffff"]


def documents(text):
    """What both sides encode, by name."""
    chance = random.Random(2)
    scalars = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    planes = ["".join(chr(chance.choice(scalars[plane << 16:(plane + 1) << 16] or scalars)) for _ in range(200)) for plane in range(17)
              for _ in range(20)]
    return {
        "bible in documents": [text[at:at + 4000] for at in range(0, len(text), 4000)],
        "bible by lines": text.splitlines(keepends=True),
        "every code point": ["a" + chr(code) + " 1" + chr(code) + "!" for code in scalars[::7]],
        "every plane": planes,
        "tricky mixes": ["".join(chance.choices(TRICKY, k=chance.randint(1, 20))) for _ in range(20000)],
        "words that are long": ["".join(chance.choices("etaoinshr", k=size)) for size in range(1, 300)],
        "ten megabytes without a space": ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=10_000_000)), "a" * 1_000_000],
        "nothing": [""],
        "special tokens": [END, END + END, f"the end{END}\n{END} begin", f" {END} ", "<|endoftext|", END[:-1] + END],
    }


def write_documents(path, texts):
    with open(path, "wb") as file:
        for text in texts:
            content = text.encode()
            file.write(struct.pack("<I", len(content)) + content)


class Dump:
    """The program under test."""

    def __init__(self, program, folder):
        self.program, self.path = program, os.path.join(folder, "documents")

    def __call__(self, *arguments):
        return subprocess.run([self.program, *map(str, arguments)], check=True, capture_output=True).stdout.decode()

    def encode(self, tokenizer, texts, mode="encode"):
        write_documents(self.path, texts)
        return [json.loads(line) for line in self(mode, tokenizer, self.path).splitlines()]

    def train(self, size, min_frequency, texts):
        write_documents(self.path, texts)
        return self("train", size, min_frequency, self.path)


def trained_by_pypi(texts, size, min_frequency=2, add_prefix_space=False):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, min_frequency=min_frequency, special_tokens=[END], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def compare_ids(dump, path, reference, groups, what):
    for name, texts in groups.items():
        ours = dump.encode(path, texts)
        theirs = [encoding.ids for encoding in reference.encode_batch(texts)]
        assert len(ours) == len(theirs), f"{what}, {name}: {len(ours)} answers to {len(theirs)} documents"
        for text, mine, other in zip(texts, ours, theirs):
            if mine != other:
                sys.exit(f"{what}, {name}: {text[:300]!r}\n  ours   {mine[:60]}\n  theirs {other[:60]}")
        print(f"{what}, {name}: {len(texts)} documents, {sum(map(len, ours))} ids equal")


def compare_decoding(dump, path, groups, what):
    for name, texts in groups.items():
        write_documents(dump.path, texts)
        dump("decode", path, dump.path)
    print(f"{what}: all documents decode to themselves")


def compare_training(dump, texts, size, min_frequency, what):
    ours = json.loads(dump.train(size, min_frequency, texts))["model"]
    theirs = json.loads(trained_by_pypi(texts, size, min_frequency).to_str())["model"]
    for rank, (mine, other) in enumerate(zip(ours["merges"], theirs["merges"])):
        if mine != other:
            sys.exit(f"{what}: merge {rank} of {len(theirs['merges'])} is {mine}, PyPI's is {other}")
    assert len(ours["merges"]) == len(theirs["merges"]), f"{what}: {len(ours['merges'])} merges, {len(theirs['merges'])} by PyPI"
    assert ours["vocab"] == theirs["vocab"], f"{what}: vocabularies differ"
    print(f"{what}: {len(ours['merges'])} merges equal")


def main():
    with tempfile.TemporaryDirectory() as folder:
        dump = Dump(sys.argv[1], folder)
        text = bible()
        groups = documents(text)
        lines, small = text.splitlines(), {name: texts for name, texts in groups.items() if not name.startswith(("bible", "ten"))}
        # Our file is asked for all of them; the others differ in how words are cut, not in classes of characters.
        small["every code point"] = small["every code point"][::10]

        compare_training(dump, lines, 4096, 2, "training, 4096")
        compare_training(dump, groups["bible in documents"], 30000, 2, "training until no pair is left")
        compare_training(dump, lines[:2000], 20000, 0, "training without a limit of frequency")
        compare_training(dump, groups["tricky mixes"] + groups["every plane"], 8000, 2, "training on tricky text")
        compare_training(dump, ["ab" * 50 + " " + "a" * 37 + " " + "aab" * 11] * 3, 400, 1, "training on repeats")

        ours = os.path.join(folder, "ours.json")
        with open(ours, "w", encoding="utf-8") as file:
            file.write(dump.train(4096, 2, lines))
        reference = Tokenizer.from_file(ours)
        compare_ids(dump, ours, reference, groups, "our file")
        compare_decoding(dump, ours, groups, "our file")
        reference.encode_special_tokens = True
        texts = groups["special tokens"] + groups["tricky mixes"]
        assert dump.encode(ours, texts, "encode-plain") == [reference.encode(text).ids for text in texts], "special text as plain"
        reference.encode_special_tokens = False

        theirs = os.path.join(folder, "theirs.json")
        trained = trained_by_pypi(lines, 3000)
        trained.add_special_tokens(["<|im_start|>", "<|im_start|>user"])
        trained.add_tokens([AddedToken("God", normalized=True), AddedToken("<l>", lstrip=True, normalized=False),
                            AddedToken("<r>", rstrip=True), AddedToken("...")])
        trained.save(theirs)
        chance = random.Random(3)
        added = ["<|im_start|>", "user", "God", "<l>", "<r>", " ", "\u3000", "\n", "...", "..", "x", END]
        small["added tokens"] = ["".join(chance.choices(added, k=chance.randint(1, 12))) for _ in range(5000)]
        compare_ids(dump, theirs, Tokenizer.from_file(theirs), small, "PyPI's file")
        del small["added tokens"]  # lstrip and rstrip drop white space
        compare_decoding(dump, theirs, small, "PyPI's file")

        for what, change in {"prefix space": {"add_prefix_space": True}, "without the pattern": {"use_regex": False}}.items():
            document = json.loads(trained_by_pypi(lines, 1000).to_str())
            document["pre_tokenizer"].update(change)
            path = os.path.join(folder, "changed.json")
            with open(path, "w", encoding="utf-8") as file:
                json.dump(document, file)
            compare_ids(dump, path, Tokenizer.from_file(path), small, what)

        # Whole words of the vocabulary without the merges that would build them.
        document = json.loads(trained_by_pypi(lines, 1000).to_str())
        document["model"].update(ignore_merges=True, merges=[" ".join(pair) for pair in document["model"]["merges"][:100]])
        with open(path, "w", encoding="utf-8") as file:
            json.dump(document, file)
        compare_ids(dump, path, Tokenizer.from_file(path), small, "ignore_merges, merges as strings")


if __name__ == "__main__":
    main()
