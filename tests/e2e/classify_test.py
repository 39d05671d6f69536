"""Heads that tell classes of texts and labels of tokens: learnt, evaluated, resumed, asked and exported, in any layout."""
import json
import random

from safetensors.numpy import load_file

import trireme
from trireme import DATA, MODEL, SERVE, TRAIN, Case, launched, repeated, run

GOOD, BAD = "great lovely wonderful brilliant superb".split(), "awful dreadful poor terrible nasty".split()
FILLER = "the film was with a plot that many people saw last night in town and its music".split()
SMALL = {"model.layers": 2, "model.width": 32, "model.heads": 4, "model.context": 48, "data.sequence-length": 24, "data.micro-batch": 4,
         "data.global-batch": 16, "steps": 120, "schedule.warmup-steps": 5, "optimizer.learning-rate": 5e-3, "eval.every-steps": 60,
         "log.every-steps": 1}


def texts(count, seed):
    """(words, whether they praise)"""
    draw = random.Random(seed)
    for _ in range(count):
        praises = draw.random() < 0.5
        words = [draw.choice(FILLER) for _ in range(draw.randint(2, 12))]
        words.insert(draw.randrange(len(words) + 1), draw.choice(GOOD if praises else BAD))
        yield words, praises


class Classify(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lines = {kind: cls.new_run(kind).with_suffix(".jsonl") for kind in ("texts", "tokens")}
        with open(cls.lines["texts"], "w") as of_texts, open(cls.lines["tokens"], "w") as of_tokens:
            for words, praises in texts(800, 1):
                of_texts.write(json.dumps({"text": " ".join(words), "label": "good" if praises else "bad"}) + "\n")
                of_tokens.write(json.dumps({"text": words, "labels": ["P" if word in GOOD else "N" if word in BAD else None if word == "a" else "O"
                                                                      for word in words]}) + "\n")
        cls.tokenizer = cls.new_run("tokenizer").with_suffix(".json")
        assert run([DATA, "tokenizer", "train", "--input", cls.lines["texts"], "--vocab-size", 400, "--out", cls.tokenizer]).status == 0
        cls.corpora = {kind: cls.encoded(lines, "--labels", kind, "--validation", 0.2) for kind, lines in cls.lines.items()}

    @classmethod
    def encoded(cls, lines, *more, status=0):
        folder = cls.new_run("corpus")
        result = run([DATA, "encode", "--tokenizer", cls.tokenizer, "--input", lines, "--out", folder, *more])
        assert result.status == status, result
        return folder if status == 0 else result

    def learn(self, ranks, head, config=None, folder=None, status=0):
        folder = folder or self.new_run("learnt")
        merged = SMALL | {"model.head": head, "data.path": self.corpora["texts" if head == "classes" else "tokens"]} | (config or {})
        result = run(launched(ranks, TRAIN, "--run", folder, "--json", *trireme.flags(merged)))
        self.assertEqual(result.status, status, result)
        return folder, result

    def asked(self, model, *inputs, **more):
        requests, answers = self.new_run("requests"), self.new_run("answers")
        requests.write_text(json.dumps({"custom_id": "x", "url": "/classify", "body": {"model": "m", "input": list(inputs)} | more}) + "\n")
        result = run([SERVE, model, "--batch", requests, "--out", answers])
        self.assertEqual(result.status, 0, result)
        return json.loads(answers.read_text())["response"]["body"]

    def test_classes_are_learnt_the_same_in_every_layout_and_told(self):
        alone, result = self.learn(0, "classes")
        self.assertGreater(result.json["eval_accuracy"], 0.95)
        self.assertIsNone(result.json["eval_bits_per_byte"])
        for ranks, config in ((2, {}), (3, {"parallel.shard": 3}), (2, {"parallel.pipeline": 2}), (4, {"parallel.pipeline": 2, "parallel.shard": 2})):
            folder, other = self.learn(ranks, "classes", config)
            self.assertEqual(repeated(folder), repeated(alone), (ranks, config))
            for key in ("weights_hash", "eval_loss", "eval_accuracy"):
                self.assertEqual(other.json[key], result.json[key], (ranks, config))
        body = self.asked(alone, "the film was lovely", "a dreadful plot")
        self.assertEqual([one["label"] for one in body["data"]], ["good", "bad"])
        for one in body["data"]:
            self.assertEqual(one["num_classes"], 2)
            self.assertAlmostEqual(sum(one["probs"]), 1, places=5)
        self.assertEqual(run([SERVE, alone, "--prompt", "x"]).status, 1)

    def test_an_encoder_learns_the_same_in_every_layout(self):
        shape = {"model.family": "bert", "steps": 6, "schedule.warmup-steps": 1, "model.dropout": 0.1}
        for head in ("classes", "labels"):
            alone, result = self.learn(0, head, shape)
            for ranks, config in ((2, {"parallel.shard": 3}), (3, {"parallel.shard": 3, "recompute": "full"}), (2, {"parallel.shard": 2, "recompute": "selective"})):
                folder, other = self.learn(ranks, head, shape | config)
                self.assertEqual(repeated(folder), repeated(alone), (head, ranks, config))
                self.assertEqual(other.json["weights_hash"], result.json["weights_hash"], (head, ranks, config))
        self.assertIn("parallel.pipeline must be 1", self.learn(2, "classes", shape | {"parallel.pipeline": 2}, status=2)[1].stderr)

    def test_labels_are_learnt_resumed_and_told(self):
        constant = {"schedule.name": "constant"}
        whole, result = self.learn(1, "labels", constant)
        folder, _ = self.learn(2, "labels", constant | {"steps": 60})
        _, resumed = self.learn(2, "labels", constant | {"parallel.shard": 3}, folder=folder)
        for key in ("weights_hash", "eval_loss", "eval_accuracy"):
            self.assertEqual(resumed.json[key], result.json[key])
        self.assertGreater(result.json["eval_accuracy"], 0.95)
        text = self.new_run("text").with_suffix(".txt")
        text.write_text("the film was superb")
        ids = json.loads(run([DATA, "encode", "--tokenizer", self.tokenizer, "--input", text, "--print"]).stdout)
        [one] = self.asked(whole, ids, return_token_ids=True)["data"]
        self.assertEqual(one["token_ids"], ids)
        self.assertEqual(len(one["labels"]), len(ids))
        self.assertEqual((one["labels"][0], "P" in one["labels"]), ("O", True), one)

    def test_a_language_model_gets_a_head_and_keeps_its_weights(self):
        language = self.new_run("language")
        text = self.encoded(self.lines["texts"])
        keys = {key: value for key, value in SMALL.items() if not key.startswith("eval.")}
        self.assertEqual(run([TRAIN, "--run", language, *trireme.flags(keys | {"data.path": text})]).status, 0)
        begun, _ = self.learn(2, "classes", {"finetune.from": language, "optimizer.learning-rate": 0, "steps": 1, "schedule.warmup-steps": 0})
        exported = {name: self.new_run(name) for name in ("base", "begun")}
        for source, name in ((language, "base"), (begun, "begun")):
            self.assertEqual(run([MODEL, "export", source, exported[name]]).status, 0)
        base, mine = (load_file(exported[name] / "model.safetensors") for name in ("base", "begun"))
        self.assertEqual(set(mine) - set(base), {"score.weight"})
        for name, value in mine.items():
            self.assertTrue(name == "score.weight" or (value == base[name]).all(), name)
        _, tuned = self.learn(0, "classes", {"finetune.from": language})
        self.assertGreater(tuned.json["eval_accuracy"], 0.95)

    def test_what_does_not_fit_is_refused_by_name(self):
        texts_of = self.corpora["texts"]
        for config, why in (({"model.head": "classes", "data.path": self.corpora["tokens"]}, "has labels of tokens; model.head classes learns from labels of texts"),
                            ({"model.head": "language", "data.path": texts_of}, "has labels of texts; model.head language learns from labels of nothing"),
                            ({"model.head": "classes", "data.path": texts_of, "data.fim-rate": 0.5}, "data.fim-rate"),
                            ({"model.head": "classes", "data.path": texts_of, "eval.prompts": "x"}, "eval.prompts is for model.head language"),
                            ({"model.head": "classes", "data.path": self.encoded(self.lines["texts"])}, "has no labels"),
                            ({"model.head": "none", "data.path": texts_of}, "model.head none learns nothing"),
                            ({"model.head": "classes", "model.labels": "good", "data.path": texts_of}, "has the labels bad, good; the model has good")):
            result = run([TRAIN, "--run", self.new_run("refused"), *trireme.flags(SMALL | config)])
            self.assertNotEqual(result.status, 0, config)
            self.assertIn(why, result.stderr)
        for more, why in ((["--labels", "tokens"], "must be a list of words"), (["--labels", "texts", "--label-field", "kind"], 'no member "kind"'),
                          (["--labels", "texts", "--label-names", "good", "fine"], "'bad' is no label"), (["--label-names", "a", "b"], "go with --labels"),
                          (["--labels", "texts", "--vocabulary", 9], "not both")):
            result = self.encoded(self.lines["texts"], *more, status=2 if more[0] == "--label-names" or "--vocabulary" in more else 1)
            self.assertIn(why, result.stderr)

    def test_a_labelled_corpus_goes_out_and_in_again(self):
        for kind, corpus in self.corpora.items():
            self.assertEqual(run([DATA, "verify", corpus]).status, 0)
            lines = self.new_run("lines").with_suffix(".jsonl")
            lines.write_text(run([DATA, "cat", corpus]).stdout)
            again = self.encoded(lines, "--labels", kind)
            hashes = [json.loads(run([DATA, "inspect", one, "--json"]).stdout)["splits"]["training"]["content_hash"] for one in (corpus, again)]
            self.assertEqual(*hashes, kind)


if __name__ == "__main__":
    trireme.main()
