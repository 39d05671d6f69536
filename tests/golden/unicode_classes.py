"""Writes what the tokenizers know of Unicode, asked of PyPI's tokenizers, the reference for ids, rather than taken from a library of the machine.

    .venv/bin/python tests/golden/unicode_classes.py classes > data/tokenizer/unicode_classes.inc
    .venv/bin/python tests/golden/unicode_classes.py sets > data/tokenizer/char_sets.inc

Debian's PCRE2 and Python know Unicode 14, and 9,392 code points that came later would split differently. Parts of theirs stem from several
releases of Unicode (what is a combining mark is older than what is a letter), so each set is asked of the part that uses it.
"""
import base64
import json
import struct
import sys
import unicodedata

import tokenizers
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers

CODES = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
# The release that PCRE2 10.42 and Python 3.11 know.
assert unicodedata.unidata_version == "14.0.0", f"this Python knows Unicode {unicodedata.unidata_version}; 3.11 is needed"


def ranges(codes):
    """First and last of each run."""
    found = []
    for code in sorted(codes):
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return found


def print_array(head, entries):
    print(head)
    line = "   "
    for entry in entries:
        if len(line) + len(entry) + 2 > 120:
            print(line)
            line = "   "
        line += f" {entry},"
    print(line)
    print("};")


def print_ranges(name, codes):
    print_array(f"constexpr CodeRange k{name}Ranges[] = {{", [f"{{0x{first:X}, 0x{last:X}}}" for first, last in ranges(codes)])


def classes():
    """What GPT-2's pattern sees: a code point belongs to the class whose member it forms one piece with."""
    split = pre_tokenizers.ByteLevel(add_prefix_space=False)
    of = {"Letter": [], "Number": [], "Other": [], "Space": []}
    for code in CODES:
        for name, member in (("Letter", "a"), ("Number", "1"), ("Other", "!"), ("Space", None)):
            if member is None or len(split.pre_tokenize_str(member + chr(code))) == 1:
                of[name].append(code)
                break
    print(f"// Made by tests/golden/unicode_classes.py from PyPI tokenizers {tokenizers.__version__}. First and last code point.")
    for name in ("Letter", "Number", "Space"):
        print_ranges(name, of[name])


def removed_by(normalizer):
    return [code for code in CODES if normalizer.normalize_str(f"a{chr(code)}a") == "aa"]


def bert(**on):
    return normalizers.BertNormalizer(**{"clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False, **on})


def lowercase_runs(pairs):
    """Entries of (first, last, step, difference) that give each of `pairs`."""
    runs = []
    for code, lower in pairs:
        difference = lower - code
        if runs:
            run = runs[-1]
            step = code - run[1]
            if run[3] == difference and (step == run[2] or (run[0] == run[1] and step <= 2)):
                run[1], run[2] = code, step
                continue
        runs.append([code, code, 1, difference])
    return runs


def joining():
    """Code points that are of one cluster with an "a" before them: a table of SentencePiece's with that one entry replaces all of it."""
    array = [0] * 512  # a double array: a leaf behind the byte 0x61
    array[0], array[0x60], array[0x61] = 1 << 10, 0x61 | 1 << 8 | 1 << 10, 1 << 31
    table = struct.pack("<513I", 4 * len(array), *array) + b"X\0"
    tokenizer = Tokenizer.from_str(json.dumps({"model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0]]}, "normalizer": {
        "type": "Precompiled", "precompiled_charsmap": base64.b64encode(table).decode()}}))
    return [code for code in CODES if code and tokenizer.normalizer.normalize_str("a" + chr(code)) == "X"]


def members(pattern):
    """Code points that a class of their regular expressions has."""
    others = normalizers.Replace(Regex(f"[^{pattern}]"), "")
    for at in range(0, len(CODES), 50000):
        yield from map(ord, others.normalize_str("".join(map(chr, CODES[at:at + 50000]))))


CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cf".split()


# U+1171E has changed.
OLDER = {"Mc": ("Cn", "Mn")}


def scripts():
    """Names of Unicode's Scripts.txt, of Debian's unicode-data."""
    with open("/usr/share/unicode/Scripts.txt", encoding="utf-8") as file:
        return sorted({line.split(";")[1].split("#")[0].strip() for line in file if ";" in line.split("#")[0]})


def property_members():
    """Code points that the regular expressions of PyPI's tokenizers have of a property and PCRE2 with Unicode 14 has not. Other_Alphabetic and
    its like are what the property has beside general categories, and whole."""
    for name in [*CATEGORIES, *scripts()]:
        for first, last in ranges(code for code in members(rf"\p{{{name}}}") if unicodedata.category(chr(code)) in OLDER.get(name, "Cn")):
            yield f'{{"{name}", 0x{first:X}, 0x{last:X}}}'
    for name, categories in (("Alphabetic", r"\p{L}\p{Nl}"), ("Lowercase", r"\p{Ll}"), ("Uppercase", r"\p{Lu}")):
        for first, last in ranges(set(members(rf"\p{{{name}}}")) - set(members(categories))):
            yield f'{{"Other_{name}", 0x{first:X}, 0x{last:X}}}'


def sets():
    print(f"// Made by tests/golden/unicode_classes.py from PyPI tokenizers {tokenizers.__version__}. First and last code point.")
    words, digits, punctuation = pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=False), pre_tokenizers.Punctuation()
    print_ranges("Word", [code for code in CODES if (pieces := words.pre_tokenize_str("a" + chr(code)))[0][0] != "a" and len(pieces) == 1])
    print_ranges("Numeric", [code for code in CODES if len(digits.pre_tokenize_str("1" + chr(code))) == 1])
    print_ranges("Punctuation", [code for code in CODES if len(punctuation.pre_tokenize_str(f"a{chr(code)}a")) == 3])
    print_ranges("Control", removed_by(bert(clean_text=True)))
    print_ranges("Mark", removed_by(normalizers.StripAccents()))
    print_ranges("NonspacingMark", removed_by(bert(strip_accents=True)))
    print_ranges("Joining", joining())
    lower = normalizers.Lowercase()
    pairs = [(code, lower.normalize_str(chr(code))) for code in CODES]
    longer = [(code, text) for code, text in pairs if len(text) > 1]
    assert longer == [(0x130, "i\u0307")], "char_sets.cpp knows one character whose lower case has two"
    runs = lowercase_runs([(code, ord(text)) for code, text in pairs if len(text) == 1 and text != chr(code)])
    print_array("constexpr CaseRun kLowercase[] = {", [f"{{0x{first:X}, 0x{last:X}, {step}, {by}}}" for first, last, step, by in runs])
    print_array("constexpr PropertyMembers kPropertyMembers[] = {", property_members())
    print_array("constexpr std::string_view kScripts[] = {", [f'"{name}"' for name in scripts()])


if __name__ == "__main__":
    {"classes": classes, "sets": sets}[sys.argv[1]]()
