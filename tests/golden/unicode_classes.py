"""Writes data/tokenizer/unicode_classes.inc: which code points GPT-2's pattern takes for letters, numbers and spaces.

    .venv/bin/python tests/golden/unicode_classes.py > data/tokenizer/unicode_classes.inc

The classes are asked of PyPI's tokenizers, the reference for ids, rather than taken from a library of the machine:
Debian's PCRE2 and Python know Unicode 14, and 9,392 code points that came later would split differently.
"""
import tokenizers
from tokenizers import pre_tokenizers

LAST = 0x10FFFF


def classify(split, char):
    """A code point belongs to the class whose member it forms one piece with."""
    for name, member in (("Letter", "a"), ("Number", "1"), ("Other", "!")):
        if len(split.pre_tokenize_str(member + char)) == 1:
            return name
    return "Space"


def ranges_of(classes, name):
    start = None
    for code in range(LAST + 2):
        inside = code <= LAST and classes[code] == name
        if inside and start is None:
            start = code
        if not inside and start is not None:
            yield start, code - 1
            start = None


def main():
    split = pre_tokenizers.ByteLevel(add_prefix_space=False)
    surrogate = range(0xD800, 0xE000)
    classes = ["Other" if code in surrogate else classify(split, chr(code)) for code in range(LAST + 1)]
    print(f"// Made by tests/golden/unicode_classes.py from PyPI tokenizers {tokenizers.__version__}. First and last code point.")
    for name in ("Letter", "Number", "Space"):
        entries = [f"{{0x{first:X}, 0x{last:X}}}," for first, last in ranges_of(classes, name)]
        print(f"constexpr CodeRange k{name}Ranges[] = {{")
        line = "   "
        for entry in entries:
            if len(line) + len(entry) + 1 > 120:
                print(line)
                line = "   "
            line += " " + entry
        print(line)
        print("};")


if __name__ == "__main__":
    main()
