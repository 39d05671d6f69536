"""Holds every kind of tokenizer.json against PyPI's tokenizers: equal ids, equal offsets, equal text.

    .venv/bin/python tests/golden/tokenizer_kinds_oracle.py build/dev/bin/tokenizer_dump [--full] [name parts ...]

Each kind is built of the parts that a well-known family of models has, and trained here. --full takes 10 MB of real text and 100,000 nasty
strings a kind, which is a matter of many minutes; without it, a tenth and less.
"""
import base64
import io
import json
import os
import struct
import subprocess
import sys
import tempfile
import time

import numpy
import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import tokenizer_texts

CL100K = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN = CL100K.replace(r"\p{N}{1,3}", r"\p{N}")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK = (r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
            r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
CLIP = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
ALPHABET = pre_tokenizers.ByteLevel.alphabet()
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
MARK = "\u2581"


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(Regex(pattern), behavior, invert)


def byte_level(prefix=False, regex=True):
    return pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=regex)


def around(before, behind, tokens):
    return processors.TemplateProcessing(single=" ".join([*before, "$A", *behind]), pair=" ".join([*before, "$A", *behind, "$B", *behind]),
                                         special_tokens=tokens)


class Maker:
    """Trains the kinds, each method one."""

    def __init__(self, texts, folder):
        self.texts, self.folder = texts, folder
        self._charsmap = None

    def bpe(self, size=2500, model=None, special=("<|endoftext|>",), alphabet=ALPHABET, **parts):
        tokenizer = Tokenizer(model or models.BPE())
        for name, part in parts.items():
            setattr(tokenizer, name, part)
        trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=list(special), show_progress=False, initial_alphabet=alphabet,
                                      **({} if alphabet else {"limit_alphabet": 500}), continuing_subword_prefix=tokenizer.model.continuing_subword_prefix or "",
                                      end_of_word_suffix=tokenizer.model.end_of_word_suffix or "")
        tokenizer.train_from_iterator(self.texts, trainer)
        return tokenizer

    def charsmap(self):
        """SentencePiece's table for nmt_nfkc, from a model that it trains."""
        if self._charsmap is None:
            out = io.BytesIO()
            sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(["some text, and more of it"] * 50), model_writer=out, vocab_size=17,
                                                     model_type="unigram", minloglevel=2)
            self._charsmap = base64.b64encode(bytes_field(bytes_field(out.getvalue(), 3), 2)).decode()
        return self._charsmap

    def unigram(self, size=3000, special=("<pad>", "</s>", "<unk>"), changes=None, **parts):
        tokenizer = Tokenizer(models.Unigram())
        for name, part in parts.items():
            setattr(tokenizer, name, part)
        trainer = trainers.UnigramTrainer(vocab_size=size, special_tokens=list(special), unk_token="<unk>", show_progress=False, max_piece_length=12)
        # Its trainer takes all characters that it sees into the vocabulary; that many texts have few of them.
        tokenizer.train_from_iterator([text for text in self.texts if max(map(ord, text)) < 0x600][:150], trainer)
        return changed(tokenizer, changes) if changes else tokenizer

    # --- byte-level

    def gpt2(self):
        return self.bpe(pre_tokenizer=byte_level(), decoder=decoders.ByteLevel(), post_processor=processors.ByteLevel(trim_offsets=True))

    def gpt2_with_prefix_space(self):
        return self.bpe(pre_tokenizer=byte_level(prefix=True), decoder=decoders.ByteLevel(),
                        post_processor=processors.ByteLevel(trim_offsets=True, add_prefix_space=True))

    def gpt_neox(self):
        tokenizer = self.bpe(normalizer=normalizers.NFC(), pre_tokenizer=byte_level(), decoder=decoders.ByteLevel(),
                             post_processor=processors.ByteLevel(trim_offsets=True))
        tokenizer.add_tokens([AddedToken(" " * n, normalized=True) for n in range(2, 25)])
        return tokenizer

    def llama3(self):
        tokenizer = self.bpe(pre_tokenizer=pre_tokenizers.Sequence([split(CL100K), byte_level(regex=False)]), decoder=decoders.ByteLevel(),
                             special=["<|begin_of_text|>", "<|end_of_text|>", "<|im_start|>"])
        tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False),
                                                        around(["<|begin_of_text|>"], [], [("<|begin_of_text|>", 0)])])
        return changed(tokenizer, lambda json: json["model"].update(ignore_merges=True))

    def qwen(self):
        return self.bpe(normalizer=normalizers.NFC(), pre_tokenizer=pre_tokenizers.Sequence([split(QWEN), byte_level(regex=False)]),
                        decoder=decoders.ByteLevel(), post_processor=processors.ByteLevel(trim_offsets=False),
                        special=["<|endoftext|>", "<|im_start|>", "<|im_end|>"])

    def o200k(self):
        return self.bpe(pre_tokenizer=pre_tokenizers.Sequence([split(O200K), byte_level(regex=False)]), decoder=decoders.ByteLevel())

    def deepseek(self):
        return self.bpe(pre_tokenizer=pre_tokenizers.Sequence([split(r"\p{N}{1,3}"), split("[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"),
                                                               split(DEEPSEEK), byte_level(regex=False)]), decoder=decoders.ByteLevel())

    def starcoder(self):
        return self.bpe(pre_tokenizer=pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level()]),
                        decoder=decoders.ByteLevel())

    def roberta(self):
        tokenizer = self.bpe(pre_tokenizer=byte_level(prefix=True), decoder=decoders.ByteLevel(), special=["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
        tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True)])
        tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
        return tokenizer

    def clip(self):
        tokenizer = self.bpe(model=models.BPE(unk_token="<|endoftext|>", end_of_word_suffix="</w>"), special=["<|startoftext|>", "<|endoftext|>"],
                             normalizer=normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]),
                             pre_tokenizer=pre_tokenizers.Sequence([split(CLIP, "removed", True), byte_level()]), decoder=decoders.ByteLevel())
        tokenizer.post_processor = processors.RobertaProcessing(("<|endoftext|>", 1), ("<|startoftext|>", 0), add_prefix_space=False)
        return tokenizer

    def bytes_that_are_missing(self):
        """Trained without the alphabet: text of other scripts has bytes without a token."""
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
        tokenizer.pre_tokenizer, tokenizer.decoder = byte_level(), decoders.ByteLevel()
        tokenizer.train_from_iterator(["plain words of English and no more"] * 20, trainers.BpeTrainer(vocab_size=80, special_tokens=["<unk>"],
                                                                                                        show_progress=False))
        return tokenizer

    def byte_level_normalizer(self):
        tokenizer = self.bpe(normalizer=normalizers.ByteLevel(), decoder=decoders.ByteLevel(), pre_tokenizer=split(r"\p{L}+|[^\p{L}]+"))
        tokenizer.add_tokens([AddedToken("God", normalized=True)])
        return tokenizer

    # --- as SentencePiece has it

    def llama2(self):
        tokenizer = self.bpe(model=models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True), special=["<unk>", "<s>", "</s>", *BYTES], alphabet=[],
                             pre_tokenizer=pre_tokenizers.Metaspace())
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(MARK), normalizers.Replace(" ", MARK)])
        tokenizer.pre_tokenizer = None
        tokenizer.decoder = decoders.Sequence([decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
        tokenizer.post_processor = around(["<s>"], [], [("<s>", 1)])
        return changed(tokenizer, only_special("<unk>", "<s>", "</s>"))

    def gemma(self):
        tokenizer = self.bpe(model=models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True), special=["<pad>", "<eos>", "<bos>", "<unk>", *BYTES],
                             alphabet=[], pre_tokenizer=pre_tokenizers.Metaspace())
        tokenizer.normalizer = normalizers.Replace(" ", MARK)
        tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
        tokenizer.decoder = decoders.Sequence([decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse()])
        tokenizer.post_processor = around(["<bos>"], [], [("<bos>", 2)])
        return changed(tokenizer, only_special("<pad>", "<eos>", "<bos>", "<unk>"))

    def mistral(self):
        tokenizer = self.bpe(model=models.BPE(unk_token="<unk>", fuse_unk=False, byte_fallback=True), alphabet=[],
                             special=["<unk>", "<s>", "</s>", "<mask>", *BYTES[:200]], pre_tokenizer=pre_tokenizers.Metaspace())
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
        tokenizer.decoder = decoders.Sequence([decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
        return changed(tokenizer, only_special("<unk>", "<s>", "</s>", "<mask>"))

    def t5(self):
        table = {"type": "Precompiled", "precompiled_charsmap": self.charsmap()}

        def parts(json):
            json["normalizer"] = table
        tokenizer = self.unigram(pre_tokenizer=pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]),
                                 decoder=decoders.Metaspace(), changes=parts)
        tokenizer.post_processor = around([], ["</s>"], [("</s>", 1)])
        return tokenizer

    def xlm_roberta(self):
        def parts(json):
            json["normalizer"] = {"type": "Sequence", "normalizers": [
                {"type": "Precompiled", "precompiled_charsmap": self.charsmap()}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]}
        tokenizer = self.unigram(special=["<s>", "<pad>", "</s>", "<unk>"], pre_tokenizer=pre_tokenizers.Metaspace(), decoder=decoders.Metaspace(),
                                 changes=parts)
        tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True)])
        tokenizer.post_processor = around(["<s>"], ["</s>"], [("<s>", 0), ("</s>", 2)])
        return tokenizer

    def albert(self):
        def parts(json):
            json["normalizer"] = {"type": "Sequence", "normalizers": [
                {"type": "Replace", "pattern": {"String": "``"}, "content": '"'}, {"type": "Replace", "pattern": {"String": "''"}, "content": '"'},
                {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}, {"type": "Precompiled", "precompiled_charsmap": self.charsmap()},
                {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]}
        return self.unigram(special=["<pad>", "<unk>", "[CLS]", "[SEP]"], changes=parts, decoder=decoders.Metaspace(),
                            pre_tokenizer=pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]))

    def unigram_with_bytes(self):
        tokenizer = self.unigram(special=["<unk>", *BYTES], pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme="never"))
        tokenizer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Strip()])
        tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="never")])

        def parts(json):
            json["model"]["byte_fallback"] = True
            only_special("<unk>")(json)
        return changed(tokenizer, parts)

    # --- words

    def bert(self, lowercase=True):
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=20))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece()
        trainer = trainers.WordPieceTrainer(vocab_size=2500, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False,
                                            limit_alphabet=600)
        tokenizer.train_from_iterator(self.texts, trainer)
        tokenizer.post_processor = around(["[CLS]"], ["[SEP]"], [("[CLS]", 2), ("[SEP]", 3)])
        return tokenizer

    def bert_cased(self):
        tokenizer = self.bert(lowercase=False)
        tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
        return tokenizer

    def bert_cut_short(self):
        tokenizer = self.bert()
        tokenizer.enable_truncation(48)
        tokenizer.enable_padding(length=64)
        return tokenizer

    def cut_short_at_the_begin(self):
        tokenizer = self.roberta()
        tokenizer.enable_truncation(30, direction="left")
        return tokenizer

    def words(self):
        tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.Lowercase(), normalizers.StripAccents()])
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        tokenizer.train_from_iterator(self.texts, trainers.WordLevelTrainer(vocab_size=3000, special_tokens=["[UNK]"], show_progress=False))
        tokenizer.add_tokens([AddedToken("single", single_word=True), AddedToken("Word", single_word=True, normalized=False)])
        return tokenizer

    def bpe_with_marks(self):
        tokenizer = self.bpe(model=models.BPE(unk_token="<unk>", continuing_subword_prefix="##", end_of_word_suffix="</w>"), special=["<unk>"], alphabet=[],
                             pre_tokenizer=pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("contiguous"),
                                                                    pre_tokenizers.Digits(individual_digits=False)]),
                             decoder=decoders.BPEDecoder(), normalizer=normalizers.Strip(left=True, right=False))
        return tokenizer

    def odd_cuts(self):
        return self.bpe(model=models.BPE(unk_token="<unk>"), special=["<unk>"], alphabet=[],
                        pre_tokenizer=pre_tokenizers.Sequence([pre_tokenizers.CharDelimiterSplit("e"), pre_tokenizers.Split("a", "merged_with_next"),
                                                               pre_tokenizers.Punctuation("merged_with_previous"),
                                                               split(r"[\w-]+|\S", "merged_with_next", True), split(r"^\w{2,4}|\b$", "isolated"),
                                                               pre_tokenizers.FixedLength(7)]),
                        normalizer=normalizers.Sequence([normalizers.NFKD(), normalizers.Replace(Regex(r"[\s\d]{2,3}+"), "<>"),
                                                         normalizers.Replace(Regex(r"x*"), "-")]))


def changed(tokenizer, change):
    document = json.loads(tokenizer.to_str())
    change(document)
    return Tokenizer.from_str(json.dumps(document))


def only_special(*names):
    """Byte tokens are tokens of the model, and none that text is searched for."""
    def change(document):
        document["added_tokens"] = [token for token in document["added_tokens"] if token["content"] in names]
    return change


def bytes_field(message, wanted):
    """A field of bytes of a protocol buffer."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
    while at < len(message):
        tag = varint()
        if tag & 7 == 2:
            size = varint()
            if tag >> 3 == wanted:
                return message[at:at + size]
            at += size
        elif tag & 7 == 0:
            varint()
        else:
            at += 4 if tag & 7 == 5 else 8
    raise KeyError(wanted)


class Comparison:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.path, self.documents, self.lines = (os.path.join(folder, name) for name in ("tokenizer.json", "documents", "lines"))

    def run(self, *arguments):
        done = subprocess.run([self.program, *arguments], capture_output=True)
        if done.returncode:
            sys.exit(f"{self.name}: {' '.join(arguments)}: {done.stderr.decode(errors='replace')}")
        return done.stdout

    def compare(self, name, tokenizer, groups):
        self.name = name
        if not tokenizer.padding:
            tokenizer.save(self.path)
        else:  # what is filled up is a batch
            tokenizer.save(self.path)
            tokenizer.no_padding()
        told = []
        for group, texts in groups.items():
            told.append(f"{group} {self.encode(tokenizer, group, texts)} tokens")
            self.decode(tokenizer, group, texts[:300])
        print(f"{name}: {', '.join(told)}: ids, offsets and texts equal", flush=True)

    def encode(self, tokenizer, group, texts):
        with open(self.documents, "wb") as file:
            for text in texts:
                content = text.encode()
                file.write(struct.pack("<I", len(content)) + content)
        numbers = numpy.frombuffer(self.run("spans", self.path, self.documents), numpy.uint32)
        at = tokens = 0
        for begin in range(0, len(texts), 2000):
            for text, theirs in zip(texts[begin:begin + 2000], tokenizer.encode_batch(texts[begin:begin + 2000])):
                count = int(numbers[at])
                ours = numbers[at + 1:at + 1 + 3 * count].reshape(count, 3)
                at += 1 + 3 * count
                tokens += count
                if ours[:, 0].tolist() != theirs.ids:
                    differ(self.name, group, text, "ids", ours[:, 0].tolist(), theirs.ids, theirs.tokens)
                offsets = in_characters(text, ours[:, 1:])
                expected = numpy.array(theirs.offsets, numpy.int64).reshape(-1, 2)
                if not numpy.array_equal(offsets, expected):
                    differ(self.name, group, text, "offsets", list(map(tuple, offsets.tolist())), theirs.offsets, theirs.tokens)
        return tokens

    def decode(self, tokenizer, group, texts):
        for skip in (True, False):
            rows = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
            with open(self.lines, "w") as file:
                file.write("\n".join(map(json.dumps, rows)) + "\n")
            answers = [json.loads(line) for line in self.run("text-skipped" if skip else "text", self.path, self.lines).splitlines()]
            for text, ids, (whole, streamed) in zip(texts, rows, answers, strict=True):
                theirs = tokenizer.decode(ids, skip_special_tokens=skip)
                if whole != theirs:
                    sys.exit(f"{self.name}, {group}: text of {text[:200]!r}, ids {ids[:60]}\n  ours   {whole[:300]!r}\n  theirs {theirs[:300]!r}")
                if streamed != whole and "\ufffd" not in whole:
                    sys.exit(f"{self.name}, {group}: stream of {text[:200]!r}\n  whole  {whole[:300]!r}\n  stream {streamed[:300]!r}")


def in_characters(text, spans):
    """Offsets in bytes as offsets in characters, which a span has to end between."""
    content = numpy.frombuffer(text.encode(), numpy.uint8)
    is_start = (content & 0xC0) != 0x80
    borders = numpy.append(numpy.cumsum(is_start) - is_start, is_start.sum())
    inside = numpy.append(~is_start, False)
    assert not inside[spans].any(), f"a span of {text[:100]!r} ends within a character"
    return borders[spans].reshape(-1, 2)


def differ(name, group, text, what, ours, theirs, tokens):
    first = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if tuple([a]) != tuple([b])), min(len(ours), len(theirs)))
    first = max(0, first - 3)
    sys.exit(f"{name}, {group}: {what} of {text[:200]!r} differ from token {first} on\n  ours   {ours[first:first + 12]}\n"
             f"  theirs {theirs[first:first + 12]}\n  tokens {tokens[first:first + 12]}")


def main():
    arguments = sys.argv[2:]
    full = "--full" in arguments
    wanted = [argument for argument in arguments if argument != "--full"]
    documents = tokenizer_texts.real_texts(10_000_000 if full else 400_000)
    groups = {"real text": documents, "nasty strings": tokenizer_texts.nasty_strings(100_000 if full else 2500),
              "code points": tokenizer_texts.every_code_point(1 if full else 61), "nothing": ["", " ", "\n"]}
    training = documents[::max(1, len(documents) // 300)]
    names = [name for name in vars(Maker) if not name.startswith("_") and name not in ("bpe", "charsmap", "unigram")]
    with tempfile.TemporaryDirectory() as folder:
        maker, comparison = Maker(training, folder), Comparison(sys.argv[1], folder)
        begin = time.time()
        for name in names:
            if not wanted or any(part in name for part in wanted):
                comparison.compare(name, getattr(maker, name)(), groups)
        print(f"{len(names)} kinds in {time.time() - begin:.0f} s")


if __name__ == "__main__":
    main()
