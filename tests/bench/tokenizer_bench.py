"""Group `tokenizer`: encoding and training on one core beside PyPI's tokenizers, each in a new process, so that caches start cold."""
import struct
import subprocess
import sys
import time

import corpora
from measure import PYTHON, ROOT, WORK, Better, BenchError, Group, Neighbours, clean_environment, figure, in_turns, pinned
from tokenizer_peer import pieces

VOCABULARY = 4096
# Kinds of tokenizers that tests/golden trains, on real texts in a dozen languages and source code.
KINDS = ["llama3", "qwen", "llama2", "gemma", "t5", "bert"]


class Tokenizer(Group):
    about = (f"megabytes of text a second on one core: `encode` and `train` the King James Bible in documents of 4,000 characters, vocabulary {VOCABULARY}; "
             "the other cases encode 10 MB of real texts in several languages, source code and Unicode's test files, with a tokenizer of that model's kind")
    peer = "PyPI's tokenizers (tests/bench/tokenizer_peer.py), encode_batch_fast"
    cases = ["encode", "train", *KINDS]
    target = 2.0

    def measure(self, case, options):
        WORK.mkdir(parents=True, exist_ok=True)
        name = "mixed" if case in KINDS else "bible"
        text, documents = WORK / f"{name}.txt", WORK / f"{name}.documents"
        tokenizer = WORK / (f"{case}-tokenizer.json" if case in KINDS else "bible-tokenizer.json")
        content = mixed() if case in KINDS else corpora.bible()
        text.write_text(content, newline="")
        documents.write_bytes(b"".join(struct.pack("<I", len(part)) + part for part in (piece.encode() for piece in pieces(content))))

        def run(*command):
            with Neighbours(options.cores[:1]):
                done = subprocess.run(pinned(options.cores[:1], command), env=clean_environment(), capture_output=True)
            if done.returncode:
                raise BenchError(f"{' '.join(map(str, command))} ended with {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
            return done.stdout

        dump = options.programs / "tokenizer_dump"
        megabytes = len(content.encode()) / 1e6
        if case in KINDS:
            trained_by_peer(case, pieces(content), tokenizer)
        else:
            tokenizer.write_bytes(run(dump, "train", VOCABULARY, 2, documents))

        def ours():
            if case != "train":
                return megabytes / float(run(dump, "time", tokenizer, documents, 1))
            begin = time.perf_counter()
            run(dump, "train", VOCABULARY, 2, documents)  # the start of the process counts
            return megabytes / (time.perf_counter() - begin)

        def peer():
            what, argument = ("train", VOCABULARY) if case == "train" else ("encode", tokenizer)
            return megabytes / float(run(PYTHON, ROOT / "tests/bench/tokenizer_peer.py", what, text, argument))

        return {"figures": [figure("MB/s", *in_turns(options.runs, ours, peer), Better.HIGHER, self.target)]}


def golden(module):
    sys.path.insert(0, str(ROOT / "tests/golden"))
    return __import__(module)


def mixed():
    return "".join(golden("tokenizer_texts").real_texts(10_000_000))


def trained_by_peer(kind, texts, path):
    maker = golden("tokenizer_kinds_oracle").Maker(texts[::12], WORK)
    getattr(maker, kind)().save(str(path))
