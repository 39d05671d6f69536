"""Encoding and training speed on one core beside PyPI's tokenizers, in one run, in turns.

    taskset -c 1 .venv/bin/python tests/bench/tokenizer_bench.py build/dev/bin/tokenizer_dump TEXT [VOCABULARY_SIZE]

Megabytes of text a second, median (slowest to fastest). Both sides use one thread. Theirs is encode_batch_fast, which
makes no offsets and no Python list of ids: the fastest that they offer.
"""
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
from tokenizers import Tokenizer, models, pre_tokenizers, trainers  # noqa: E402  (reads the environment)

ROUNDS = 7


def seconds(work):
    begin = time.perf_counter()
    result = work()
    return time.perf_counter() - begin, result


def pypi_train(texts, size):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=size, min_frequency=2, special_tokens=["<|endoftext|>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(texts, trainer)


def main():
    dump, size = sys.argv[1], int(sys.argv[3]) if len(sys.argv) > 3 else 4096
    with open(sys.argv[2], encoding="utf-8") as file:
        text = file.read()
    texts = [text[at:at + 4000] for at in range(0, len(text), 4000)]
    megabytes = len(text.encode()) / 1e6
    with tempfile.TemporaryDirectory() as folder:
        documents, path = os.path.join(folder, "documents"), os.path.join(folder, "tokenizer.json")
        with open(documents, "wb") as file:
            for content in (part.encode() for part in texts):
                file.write(struct.pack("<I", len(content)) + content)
        run = lambda *arguments: subprocess.run([dump, *arguments], check=True, capture_output=True).stdout
        train = {"ours": [], "PyPI": []}
        for _ in range(3):
            took, trained = seconds(lambda: run("train", str(size), "2", documents))
            train["ours"].append(took)
            train["PyPI"].append(seconds(lambda: pypi_train(texts, size))[0])
        with open(path, "wb") as file:
            file.write(trained)
        reference = Tokenizer.from_file(path)
        encode = {"ours": [], "PyPI": []}
        for _ in range(ROUNDS):
            encode["ours"].append(float(run("time", path, documents, "1")))  # a new process: its cache starts cold
            encode["PyPI"].append(seconds(lambda: reference.encode_batch_fast(texts))[0])
    print(f"{megabytes:.1f} MB, vocabulary {size}")
    for what, times in (("encode", encode), ("train", train)):
        for side, took in times.items():
            speeds = sorted(megabytes / one for one in took)
            print(f"{what} {side}: {statistics.median(speeds):.1f} MB/s ({speeds[0]:.1f} to {speeds[-1]:.1f})")
        print(f"{what}: ours is {statistics.median(times['PyPI']) / statistics.median(times['ours']):.1f} times as fast")


if __name__ == "__main__":
    main()
