"""Holds parts of tokenizers that nobody has put together so against PyPI's tokenizers: random normalizers, pre-tokenizers, models, decoders
and added tokens; and classes of regular expressions over every code point.

    .venv/bin/python tests/golden/tokenizer_combinations_oracle.py build/dev/bin/tokenizer_dump [--seed N] [--count N] [--keep FOLDER]

What differs is written to --keep. Ours may refuse by name what theirs takes, and that is counted.
"""
import argparse
import collections
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

import numpy
from tokenizers import Tokenizer

import tokenizer_texts
from tokenizer_kinds_oracle import BYTES, MARK, in_characters

BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
REGEXES = [r"\s+", r"\w+", r"\p{L}+|\p{N}+", r"[^\p{L}\s]", r"(?=[A-Z])", r"\b", r"\B", r"^.|.$", r"x*", r"(?<=a)b", r"[[:punct:]]+", r"\d{1,2}",
           r"(?i:the|god)", r".{3}", r"[\p{Han}\p{Hiragana}]", r"\p{M}", r"\P{L}", r"\S\s", r"a|ab|abc", r"\p{Lu}\p{Ll}*"]
PIECES = ["a", "b", "c", "t", "h", "e", "the", "x", "1", "2", MARK, MARK + "a", MARK + "the", "_", "!", "é", "中", "文", "Ġ", "Ġa", "Ġthe", "Ã",
          "©", "##a", "##b", "##e", "ab", "bc", "abc", "th", "he", "G", "o", "d", "God", "s", "i", "n", "g", "l", "single", "ha", ".", " ",
          "</w>", "a</w>", "e</w>", "<", "|", ">"]
ADDED = ["<s>", "</s>", "[MASK]", "single", "God", "the", " a", "<|im_start|>", "<|", "中", "x_", "Ω", "  "]  # no "É", which ByteLevel takes for a byte there
# Over every code point, alone and beside a word.
CLASSES = r"""\s \S \w \W \d \D \h \H \b \B .\b [\w] [^\w] [[:alpha:]] [[:alnum:]] [[:ascii:]] [[:blank:]] [[:digit:]] [[:lower:]] [[:upper:]]
[[:punct:]] [[:space:]] [[:word:]] [[:xdigit:]] [^[:alpha:]] \p{Han} \P{Han} \p{han} \p{Latin} \p{Common} \p{Inherited} \p{Arabic} \p{Hangul}
\p{Katakana} \p{Hiragana} \p{Cyrillic} \p{Thai} \p{L} \P{L} \p{^L} \p{N} \p{M} \p{P} \p{S} \p{Z} \p{Lu} \p{Ll} \p{Lt} \p{Lm} \p{Lo} \p{Cf} \p{Cc}
\p{So} \p{Sm} \p{Sk} \p{Sc} \p{Pd} \p{Mc} \p{Me} \p{Nd} \p{Nl} \p{No} (?i)[a-z] (?i)k (?i)ſ (?i)é [^\p{L}\p{N}\s] [^\x00-\x7F] . (?m). $ ^ \A
\z \Z""".split()


class Made:
    """Random parts of a tokenizer.json."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def chance(self, share):
        return self.random.random() < share

    def one_of(self, those):
        return self.random.choice(those)

    def pattern(self):
        return {"Regex": self.one_of(REGEXES)} if self.chance(0.7) else {"String": self.one_of([" ", "a", "the", "!", "#", "  ", MARK])}

    def normalizer(self, depth=0):
        kind = self.one_of(["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "Strip", "Prepend", "Replace", "BertNormalizer",
                            "ByteLevel"] + ["Sequence"] * (depth < 2))
        parts = {"Strip": lambda: {"strip_left": self.chance(0.5), "strip_right": self.chance(0.5)},
                 "Prepend": lambda: {"prepend": self.one_of([MARK, "x", "  ", "é"])},
                 "Replace": lambda: {"pattern": self.pattern(), "content": self.one_of(["", "x", MARK, " ", "éa"])},
                 "BertNormalizer": lambda: {"clean_text": self.chance(0.5), "handle_chinese_chars": self.chance(0.5),
                                            "strip_accents": self.one_of([None, True, False]), "lowercase": self.chance(0.5)},
                 "Sequence": lambda: {"normalizers": [self.normalizer(depth + 1) for _ in range(self.random.randint(0, 3))]}}
        return {"type": kind} | parts.get(kind, dict)()

    def pre_tokenizer(self, depth=0):
        kind = self.one_of(["BertPreTokenizer", "ByteLevel", "CharDelimiterSplit", "Metaspace", "Whitespace", "Split", "Split", "Punctuation",
                            "WhitespaceSplit", "Digits", "FixedLength"] + ["Sequence"] * (depth < 2))
        parts = {"ByteLevel": lambda: {"add_prefix_space": self.chance(0.5), "trim_offsets": self.chance(0.5), "use_regex": self.chance(0.5)},
                 "CharDelimiterSplit": lambda: {"delimiter": self.one_of("a中 ")},
                 "Metaspace": lambda: {"replacement": self.one_of([MARK, "_", "x"]), "prepend_scheme": self.one_of(["always", "first", "never"]),
                                       "split": self.chance(0.6)},
                 "Split": lambda: {"pattern": self.pattern(), "behavior": self.one_of(BEHAVIORS), "invert": self.chance(0.4)},
                 "Punctuation": lambda: {"behavior": self.one_of(BEHAVIORS)},
                 "Digits": lambda: {"individual_digits": self.chance(0.5)},
                 "FixedLength": lambda: {"length": self.random.randint(1, 6)},
                 "Sequence": lambda: {"pretokenizers": [self.pre_tokenizer(depth + 1) for _ in range(self.random.randint(0, 3))]}}
        return {"type": kind} | parts.get(kind, dict)()

    def decoder(self, depth=0):
        kind = self.one_of(["ByteFallback", "ByteLevel", "CTC", "Fuse", "Metaspace", "Replace", "Strip", "WordPiece", "BPEDecoder"] +
                           ["Sequence"] * (depth < 2))
        parts = {"BPEDecoder": lambda: {"suffix": "</w>"},
                 "ByteLevel": lambda: {"add_prefix_space": True, "trim_offsets": True, "use_regex": True},
                 "CTC": lambda: {"pad_token": "a", "word_delimiter_token": "b", "cleanup": self.chance(0.5)},
                 "Metaspace": lambda: {"replacement": MARK, "prepend_scheme": self.one_of(["always", "first", "never"]), "split": True},
                 "Replace": lambda: {"pattern": self.pattern(), "content": self.one_of(["", "x", " "])},
                 "Strip": lambda: {"content": self.one_of(" ax"), "start": self.random.randint(0, 2), "stop": 0},
                 "WordPiece": lambda: {"prefix": "##", "cleanup": self.chance(0.5)},
                 "Sequence": lambda: {"decoders": [self.decoder(depth + 1) for _ in range(self.random.randint(1, 3))]}}
        return {"type": kind} | parts.get(kind, dict)()

    def model(self):
        kind = self.one_of(["BPE", "BPE", "WordPiece", "WordLevel", "Unigram"])
        pieces = self.random.sample(PIECES, self.random.randint(12, len(PIECES)))
        if kind != "Unigram" or self.chance(0.9):
            pieces.insert(self.random.randrange(len(pieces)), "<unk>")
        pieces += BYTES[:self.one_of([0, 0, 256, 200])]
        ids = {piece: place for place, piece in enumerate(pieces)}
        if kind == "Unigram":
            return {"type": kind, "unk_id": ids.get("<unk>"), "byte_fallback": self.chance(0.5),
                    "vocab": [[piece, self.one_of([-1.0, -2.0, -2.5, -3.0, 0.0])] for piece in pieces]}
        if kind == "WordLevel":
            return {"type": kind, "unk_token": "<unk>", "vocab": ids}
        if kind == "WordPiece":
            return {"type": kind, "unk_token": "<unk>", "continuing_subword_prefix": self.one_of(["##", "", "é"]),
                    "max_input_chars_per_word": self.one_of([100, 5, 0]), "vocab": ids}
        prefix, suffix = self.one_of(["", "", "##"]), self.one_of(["", "", "</w>"])
        merges = [[left, right] for left in pieces for right in pieces
                  if right.startswith(prefix) and left + right[len(prefix):] in ids and self.chance(0.8)]
        self.random.shuffle(merges)
        # Bytes that stand for a prefix or suffix have spans there that lie beside the text: only ids are equal.
        return {"type": kind, "dropout": None, "unk_token": self.one_of([None, "<unk>"]), "continuing_subword_prefix": prefix or None,
                "end_of_word_suffix": suffix or None, "fuse_unk": self.chance(0.5), "ignore_merges": self.chance(0.3),
                "byte_fallback": self.chance(0.5) and not prefix and not suffix, "vocab": ids, "merges": merges}

    def post_processor(self):
        def special(name):
            return {"SpecialToken": {"id": name, "type_id": 0}}

        kind = self.random.random()
        if kind < 0.25:
            return {"type": "RobertaProcessing", "sep": ["a", 0], "cls": ["b", 1], "trim_offsets": self.chance(0.7),
                    "add_prefix_space": self.chance(0.5)}
        if kind < 0.5:
            text, pair = {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}
            return {"type": "TemplateProcessing", "single": [special("q"), text, special("r")], "pair": [text, pair],
                    "special_tokens": {"q": {"id": "q", "ids": [1, 2], "tokens": ["x", "y"]}, "r": {"id": "r", "ids": [0], "tokens": ["z"]}}}
        if kind < 0.6:
            return {"type": "ByteLevel", "add_prefix_space": self.chance(0.5), "trim_offsets": True, "use_regex": True}
        return None

    def tokenizer(self):
        model = self.model()
        made = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
                "normalizer": self.normalizer() if self.chance(0.6) else None, "pre_tokenizer": self.pre_tokenizer() if self.chance(0.8) else None,
                "post_processor": self.post_processor(), "decoder": self.decoder() if self.chance(0.9) else None, "model": model}
        known = set(model["vocab"]) if isinstance(model["vocab"], dict) else {piece for piece, _ in model["vocab"]}
        for content in self.random.sample(ADDED, self.random.randint(0, 5)):
            flags = {name: self.chance(share) for name, share in
                     (("single_word", 0.3), ("lstrip", 0.3), ("rstrip", 0.2), ("normalized", 0.5), ("special", 0.4))}
            if content not in known:
                made["added_tokens"].append({"id": len(known) + len(made["added_tokens"]), "content": content} | flags)
        # White space that one token takes along and that is another one is there twice in theirs.
        if any(token["content"][0] == " " for token in made["added_tokens"]):
            for token in made["added_tokens"]:
                token["rstrip"] = False
        if self.chance(0.2):
            made["truncation"] = {"direction": self.one_of(["Left", "Right"]), "max_length": self.random.randint(5, 20),
                                  "strategy": "LongestFirst", "stride": 0}
        return made


class Refused(Exception):
    pass


class Ours:
    def __init__(self, dump, folder, text):
        self.dump, self.folder, self.file = dump, folder, os.path.join(folder, "tokenizer.json")
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(text)

    def asked(self, what, content):
        argument = os.path.join(self.folder, what)
        with open(argument, "wb") as file:
            file.write(content)
        done = subprocess.run([self.dump, what, self.file, argument], capture_output=True, timeout=120)
        # Two tokens of which the normalizer makes one are refused too.
        if done.returncode == 1 and (b"not supported" in done.stderr or b"is there twice" in done.stderr):
            raise Refused(done.stderr.decode())
        assert done.returncode == 0, f"ended with {done.returncode}: {done.stderr.decode(errors='replace')[:300]}"
        return done.stdout

    def encode(self, texts):
        """Of each text ids and spans in bytes."""
        output = self.asked("spans", b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in texts))
        numbers, at = numpy.frombuffer(output, numpy.uint32), 0
        for _ in texts:
            count = int(numbers[at])
            rows = numbers[at + 1:at + 1 + 3 * count].reshape(count, 3)
            at += 1 + 3 * count
            yield rows[:, 0].tolist(), rows[:, 1:]

    def decode(self, rows):
        """Of each row its text, whole and streamed."""
        output = self.asked("text", "".join(json.dumps(row) + "\n" for row in rows).encode()) if rows else b""
        return [json.loads(line) for line in output.splitlines()]


def has_empty_token(theirs, made):
    """A token whose content its normalizer takes away matches everywhere there, which ends in a panic at most texts."""
    return theirs.normalizer and any(token["normalized"] and not theirs.normalizer.normalize_str(token["content"])
                                     for token in made["added_tokens"])


def difference(ours, theirs, texts):
    """What differs first, or None."""
    encoded = []
    for text in texts:
        try:
            encoded.append((text, theirs.encode(text)))
        except BaseException:  # a panic there; some are known, of text that a normalizer made empty
            continue
    for (text, due), (ids, spans) in zip(encoded, ours.encode([text for text, _ in encoded])):
        if ids != due.ids:
            return f"ids of {text!r}: {ids[:20]}, theirs {due.ids[:20]} {due.tokens[:20]}"
        offsets = [tuple(span) for span in in_characters(text, spans).tolist()] if ids else []
        if offsets != due.offsets:
            return f"offsets of {text!r}: {offsets[:20]}, theirs {due.offsets[:20]} {due.tokens[:20]}"
    rows = [due.ids for _, due in encoded if due.ids]
    for row, (whole, streamed) in zip(rows, ours.decode(rows)):
        try:
            due = theirs.decode(row, skip_special_tokens=False)
        except BaseException:
            continue
        if whole != due:
            return f"text of {row[:20]}: {whole[:100]!r}, theirs {due[:100]!r}"
        if streamed != whole and "\ufffd" not in whole:
            return f"text of {row[:20]}: {whole[:100]!r}, streamed {streamed[:100]!r}"
    return None


def combinations(dump, folder, keep, seed, count):
    made, counts = Made(seed), collections.Counter()
    strings = tokenizer_texts.nasty_strings(3000, seed=seed + 100)
    for number in range(count):
        parts = made.tokenizer()
        text = json.dumps(parts)
        sample = made.random.sample(strings, 60) + ["", "a", " the"]
        try:
            theirs = Tokenizer.from_str(text)
        except BaseException:
            counts["refused by theirs"] += 1
            continue
        if has_empty_token(theirs, parts):
            counts["not compared"] += 1
            continue
        try:
            found = difference(Ours(dump, folder, text), theirs, sample)
        except Refused:
            counts["refused by ours"] += 1
            continue
        except AssertionError as error:
            found = str(error)
        if found:
            counts["differ"] += 1
            where = os.path.join(keep or folder, f"combination-{seed}-{number}.json")
            with open(where, "w", encoding="utf-8") as file:
                file.write(text)
            print(f"combination {number} of seed {seed} ({where}): {found}")
        else:
            counts["equal"] += 1
    print(f"combinations of seed {seed}: " + ", ".join(f"{number} {what}" for what, number in sorted(counts.items())))
    assert counts["equal"] > count * 2 // 3, "too few were compared"
    return counts["differ"]


def classes(dump, folder):
    # Planes 4 to 13 have nothing, 15 and 16 nothing but private use.
    codes = [code for code in [*range(0x32400), *range(0xE0000, 0xE0200), *range(0xF0000, 0xF0100)] if not 0xD800 <= code < 0xE000]
    texts = [beside + beside.join(map(chr, codes[at:at + 2000])) + beside for beside in "a!" for at in range(0, len(codes), 2000)]
    differ = 0
    for pattern in CLASSES:
        text = json.dumps({"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
                           "pre_tokenizer": {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False},
                           "post_processor": None, "decoder": None, "model": {"type": "WordLevel", "unk_token": "u", "vocab": {"u": 0}}})
        theirs = Tokenizer.from_str(text).encode_batch(texts)
        for content, due, (_, spans) in zip(texts, theirs, Ours(dump, folder, text).encode(texts)):
            if in_characters(content, spans).tolist() != [list(span) for span in due.offsets]:
                differ += 1
                print(f"{pattern} differs from U+{ord(content[1]):04X} on, beside {content[0]!r}")
    print(f"{len(CLASSES)} classes of regular expressions over {len(codes)} code points: {differ} differ")
    return differ


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dump")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--keep")
    options = parser.parse_args()
    os.environ["RUST_BACKTRACE"] = "0"
    with tempfile.TemporaryDirectory(prefix="trireme-combinations.") as folder:
        sys.exit(1 if combinations(options.dump, folder, options.keep, options.seed, options.count) + classes(options.dump, folder) else 0)


if __name__ == "__main__":
    main()
