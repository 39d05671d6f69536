"""Group `tokenizer`: encoding and training on one core beside PyPI's tokenizers, each in a new process, so that caches start cold."""
import struct
import subprocess
import time

import corpora
from measure import PYTHON, ROOT, WORK, Better, BenchError, Group, Neighbours, clean_environment, figure, in_turns, pinned
from tokenizer_peer import pieces

VOCABULARY = 4096


class Tokenizer(Group):
    about = f"megabytes of text a second on one core: the King James Bible in documents of 4,000 characters, vocabulary {VOCABULARY}"
    peer = "PyPI's tokenizers (tests/bench/tokenizer_peer.py), encode_batch_fast"
    cases = ["encode", "train"]
    target = 2.0

    def measure(self, case, options):
        WORK.mkdir(parents=True, exist_ok=True)
        text, documents, tokenizer = WORK / "bible.txt", WORK / "bible.documents", WORK / "bible-tokenizer.json"
        content = corpora.bible()
        text.write_text(content)
        documents.write_bytes(b"".join(struct.pack("<I", len(part)) + part for part in (piece.encode() for piece in pieces(content))))

        def run(*command):
            with Neighbours(options.cores[:1]):
                done = subprocess.run(pinned(options.cores[:1], command), env=clean_environment(), capture_output=True)
            if done.returncode:
                raise BenchError(f"{' '.join(map(str, command))} ended with {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
            return done.stdout

        dump = options.programs / "tokenizer_dump"
        megabytes = len(content.encode()) / 1e6
        tokenizer.write_bytes(run(dump, "train", VOCABULARY, 2, documents))

        def ours():
            if case == "encode":
                return megabytes / float(run(dump, "time", tokenizer, documents, 1))
            begin = time.perf_counter()
            run(dump, "train", VOCABULARY, 2, documents)  # the start of the process counts
            return megabytes / (time.perf_counter() - begin)

        def peer():
            return megabytes / float(run(PYTHON, ROOT / "tests/bench/tokenizer_peer.py", case, text, VOCABULARY if case == "train" else tokenizer))

        return {"figures": [figure("MB/s", *in_turns(options.runs, ours, peer), Better.HIGHER, self.target)]}
