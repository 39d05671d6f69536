"""Texts that tokenizers are held to: real ones in several languages and scripts, source code, Unicode's own test files, and nasty strings."""
import bz2
import glob
import gzip
import itertools
import os
import random
import shutil
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UNICODE = "/usr/share/unicode"

NASTY = [" ", "  ", "   ", "\n", "\n\n", "\t", "\r\n", "\r", "\u00a0", "\u3000", "\u2028", "\u2029", "\u0085", "\u180e", "\u200b", "\u200d", "\u2009",
         "\ufeff", "\ufffd", "\x00", "\x01", "\x1c", "\x7f", "\x9f", "'", "'s", "'S", "'t", "'re", "'LL", "'ll", "'ve", "'Ve", "'m", "'d", "'l", "''",
         "'\u017f", "\u017f", "a", "I", "the", "God", "THE", "e\u0301", "e\u0323\u0307", "e\u0307\u0323", "\u0301", "\u0345\u0301", "ß", "ẞ", "İ",
         "ı", "Σ", "ς", "ﬁ", "ﬃ", "Å", "\u212b", "½", "²", "Ⅷ", "㍿", "㌔", "ﷺ", "ﾊﾟ", "が", "か\u3099", "ガ", "中", "文字", "日本語", "한국", "\u1112\u1161\u11ab", "각",
         "กำ", "นี้", "हिन्दी", "क्ष", "தமிழ்", "مرحبا", "\u0600", "שלום", "Ωmega", "Ǆ", "ǅ", "1", "12345", "٣٤", "१२३", "𝟎", "!", "...", "--", "_", "__a", "#", "##", "##a", "`",
         "``", "$", "+", "<", ">", "|", "^", "~", "¿", "«»", "“”", "—", "…", "、", "。", "！", "😀", "👩‍👩‍👧", "🇩🇪", "❤️", "𐐀", "𑤸", "\U0001e030", "\U000e0041", "\U0010ffff", "▁", "▁▁", "▁a",
         "</w>", "a</w>", "Ġ", "Ċ", "<0x0A>", "<unk>", "<s>", "</s>", "<pad>", "[CLS]", "[SEP]", "[UNK]", "[MASK]", "<|endoftext|>", "<|im_start|>",
         "<|", "|>", "<mask>", " <mask> ", "single", "singles", "Word", "x_single", "http://x.y/z?a=1&b=2", "x=3.14e-10;", "\u0e33", "\u0f73", "\u1fbe", "\u03b1\u0345"]


def nasty_strings(count, seed=2):
    chance = random.Random(seed)
    scalars = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    marks = [code for code in scalars if 0x300 <= code < 0x370 or 0x591 <= code < 0x5c8 or 0x900 <= code < 0xe00]

    def piece():
        kind = chance.random()
        if kind < 0.8:
            return chance.choice(NASTY)
        if kind < 0.9:
            return chr(chance.choice(scalars if kind < 0.85 else scalars[:0x3000]))
        return chr(chance.choice(marks))

    return ["".join(piece() for _ in range(chance.randint(1, 24))) for _ in range(count)]


def every_code_point(step):
    scalars = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    return ["a" + chr(code) + " 1" + chr(code) + "!" + chr(code) for code in scalars[::step]]


def bible():
    """4.4 MB of English; where the machine has no such text, words made up of syllables."""
    if shutil.which("bible"):
        return subprocess.run(["bible", "-l", "100000", "-f", "Gen1:1-Rev22:21"], check=True, capture_output=True).stdout.decode()
    print("no program `bible` (Debian package bible-kjv): made-up words instead")
    chance = random.Random(1)
    syllables = [c + v for c in ["b", "th", "s", "gr", "l", "m", "sh", "tr"] for v in "aeiou"]
    words = ["".join(chance.choices(syllables, k=chance.randint(1, 4))) for _ in range(8000)]
    weights = [1 / (rank + 1) for rank in range(len(words))]
    return "\n".join(" ".join(chance.choices(words, weights, k=25)) + "." for _ in range(25000))


def _read(path):
    opener = {".gz": gzip.open, ".bz2": bz2.open}.get(os.path.splitext(path)[1], open)
    with opener(path, "rb") as file:
        return file.read().decode(errors="replace")


def _of_code_points(path, separator):
    """The characters that a test file of Unicode's spells as hexadecimal numbers."""
    for line in _read(path).splitlines():
        for field in line.split("#")[0].split(separator):
            numbers = [word for word in field.replace("÷", " ").replace("×", " ").split() if word.strip()]
            if numbers and all(all(c in "0123456789ABCDEF" for c in word) and len(word) >= 4 for word in numbers):
                yield "".join(chr(int(word, 16)) for word in numbers if not 0xD800 <= int(word, 16) < 0xE000)


def sources():
    """Iterators of real texts by name, each with the share that it gets."""
    def code():
        for pattern in ("core/**/*.cpp", "data/**/*.cpp", "train/**/*.cpp", "tests/**/*.py", "scripts/**/*"):
            for path in sorted(glob.glob(os.path.join(ROOT, pattern), recursive=True)):
                if os.path.isfile(path):
                    yield _read(path)
        for path in sorted(glob.glob("/usr/include/*.h")):
            yield _read(path)

    def manuals():
        for language in "cs da de es fi fr hu id it ja ko nl pl pt_BR ro ru sr sv tr uk zh_CN zh_TW".split():
            for path in sorted(glob.glob(f"/usr/share/man/{language}/man1/*.gz"))[:25]:
                yield _read(path)

    def faq():
        for path in sorted(glob.glob("/usr/share/doc/debian/FAQ/*.txt.gz")):
            yield _read(path)

    def unicode_tests():
        for path, separator in (("NormalizationTest.txt.bz2", ";"), ("auxiliary/GraphemeBreakTest.txt", "\n"), ("auxiliary/WordBreakTest.txt", "\n")):
            found = glob.glob(os.path.join(UNICODE, path + "*")) or glob.glob(os.path.join(UNICODE, path))
            if found:
                texts = _of_code_points(found[0], separator)
                while chunk := list(itertools.islice(texts, 100)):
                    yield " ".join(chunk)

    def readings():
        for path in ("Unihan_Readings.txt.bz2", "NamesList.txt"):
            if os.path.exists(os.path.join(UNICODE, path)):
                yield _read(os.path.join(UNICODE, path))

    return {"bible": (lambda: iter([bible()]), 0.2), "faq": (faq, 0.2), "manuals": (manuals, 0.15), "code": (code, 0.2),
            "unicode tests": (unicode_tests, 0.1), "readings": (readings, 0.15)}


def real_texts(size, document=4000):
    """About `size` characters of documents; sources that the machine lacks are made up for by the others."""
    documents = []
    for source, share in sources().values():
        left = int(size * share)
        for text in source():
            for at in range(0, min(len(text), left), document):
                documents.append(text[at:at + document])
            left -= len(text)
            if left <= 0:
                break
    text = bible()
    at = 0
    while (missing := size - sum(map(len, documents))) > 0 and at < len(text):
        documents.append(text[at:at + min(document, missing)])
        at += document
    return documents
