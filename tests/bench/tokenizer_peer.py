"""The peer of our tokenizer: PyPI's `tokenizers` on one thread. Prints seconds.

    tokenizer_peer.py train TEXT VOCABULARY_SIZE | tokenizer_peer.py encode TEXT TOKENIZER

encode_batch_fast makes no offsets and no Python list of ids: the fastest that it offers.
"""
import os
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
from tokenizers import Tokenizer, models, pre_tokenizers, trainers  # noqa: E402  (reads the environment)


def pieces(text):
    return [text[at:at + 4000] for at in range(0, len(text), 4000)]


def train(texts, size):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=size, min_frequency=2, special_tokens=["<|endoftext|>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(texts, trainer)


def main(what, path, argument):
    with open(path, encoding="utf-8", newline="") as file:
        texts = pieces(file.read())
    if what == "train":
        work = lambda: train(texts, int(argument))
    else:
        tokenizer = Tokenizer.from_file(argument)
        work = lambda: tokenizer.encode_batch_fast(texts)
    begin = time.perf_counter()
    work()
    print(time.perf_counter() - begin)


if __name__ == "__main__":
    main(*sys.argv[1:])
