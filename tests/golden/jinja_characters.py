"""Writes what Python's str methods know of Unicode, asked of the Python that runs transformers, the reference for chat templates.

    .venv/bin/python tests/golden/jinja_characters.py > data/jinja/characters.inc

Case mappings and classes change with each release of Unicode; a template must render the same on every machine.
"""
import sys
import unicodedata

CODES = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
# In the order of the constants in characters.cpp.
CLASSES = [str.isalpha, str.isdecimal, str.isdigit, str.isnumeric, str.islower, str.isupper, str.istitle, str.isspace, str.isprintable,
           lambda c: (c + "Σ").lower().endswith("ς"),                                            # counts as cased before a final sigma
           lambda c: not (c + "Σ").lower().endswith("ς") and ("A" + c + "Σ").lower().endswith("ς"),  # is passed over there
           lambda c: ("a" + c).isidentifier(), str.isidentifier]


def one(text):
    return ord(text) if len(text) == 1 else None


def rows():
    """First code point of each run of equal ones, its classes, and how far its cases lie from it."""
    last = None
    for code in CODES:
        c = chr(code)
        classes = sum(bool(test(c)) << bit for bit, test in enumerate(CLASSES))
        mapped = [one(c.upper()), one(c.lower()), one(c.title())]
        row = (classes, *(0 if to is None else to - code for to in mapped))
        if row != last or code == 0xE000:
            yield (code, *row)
        last = row


def expansions(change):
    return [(code, change(chr(code))) for code in CODES if len(change(chr(code))) > 1]


def lines(items):
    line = "   "
    for item in items:
        if len(line) + len(item) + 1 > 120:
            print(line)
            line = "   "
        line += " " + item
    print(line)


def main():
    print(f"// Made by tests/golden/jinja_characters.py from Python {sys.version.split()[0]}, Unicode {unicodedata.unidata_version}.")
    print("constexpr Row kRows[] = {  // first code point, classes, distance to its upper, lower and title case")
    lines("{0x%X, 0x%X, %d, %d, %d}," % row for row in rows())
    print("};")
    for name, change in [("Upper", str.upper), ("Lower", str.lower), ("Title", str.title)]:
        print(f"constexpr Expansion k{name}Of[] = {{  // what becomes more than one character")
        lines("{0x%X, \"%s\"}," % (code, "".join(f"\\x{byte:02x}" for byte in text.encode())) for code, text in expansions(change))
        print("};")


if __name__ == "__main__":
    main()
