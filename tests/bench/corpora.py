"""Corpora for the benchmarks, made once by our own tools from the King James Bible (Debian package bible-kjv) and kept in build/bench."""
import random
import subprocess

from measure import WORK, BenchError


def bible():
    """A verse a line, a blank line between chapters, as the quickstart has it."""
    lines, last = [], None
    for line in subprocess.run(["bible", "-l", "100000", "-f", "Gen1:1-Rev22:21"], check=True, capture_output=True, text=True).stdout.splitlines():
        place, _, verse = line.partition(" ")
        chapter = place.partition(":")[0]
        if last not in (None, chapter):
            lines.append("")
        lines.append(verse)
        last = chapter
    return "\n".join(lines) + "\n"


def made_up_words(count):
    """The Bible has too few words for a vocabulary of 32,000; each of these comes twice, which makes merges of it."""
    draw = random.Random(1)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(4, 9))) for _ in range(count)]
    return "".join(" ".join(words[at:at + 20]) + "\n" for at in range(0, count, 20)) * 2


def corpus(data_program, vocabulary):
    """Folder of a corpus with so many token ids and a validation split."""
    folder = WORK / f"corpus-{vocabulary}"
    if folder.exists():
        return folder
    WORK.mkdir(parents=True, exist_ok=True)
    text, tokenizer = WORK / f"text-{vocabulary}.txt", WORK / f"tokenizer-{vocabulary}.json"
    text.write_text(bible() + (made_up_words(30000) if vocabulary > 12000 else ""))
    for command in (["tokenizer", "train", "--input", text, "--vocab-size", vocabulary, "--out", tokenizer],
                    ["encode", "--tokenizer", tokenizer, "--input", text, "--validation", "0.05", "--out", folder]):
        done = subprocess.run([data_program, *map(str, command)], capture_output=True, text=True)
        if done.returncode:
            raise BenchError(f"trireme-data {command[0]} ended with {done.returncode}: {done.stderr.strip()}")
    return folder
