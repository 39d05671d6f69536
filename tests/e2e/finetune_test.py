"""A run that begins with a model: any source of the same weights, in any layout, gives the same run."""
import json
import shutil

import trireme
from trireme import MODEL, SERVE, TRAIN, Case, checkpoint, launched, records, repeated, run


# Of the training itself; the model's shape comes with the model.
TUNING = {"steps": 8, "data.sequence-length": 24, "data.micro-batch": 1, "data.global-batch": 6, "schedule.warmup-steps": 2,
          "optimizer.learning-rate": 0.003, "eval.every-steps": 4, "log.every-steps": 1}


class Finetune(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.base, cls.exported = cls.new_run("base"), cls.new_run("exported")
        cls.first = cls().train(1, cls.base, {"steps": 30, "optimizer.ema-decay": 0.9}).json
        assert run([MODEL, "export", cls.base, cls.exported]).status == 0
        (cls.exported / "generation_config.json").write_text('{"temperature": 0.6}\n')
        cls.other = cls.make_corpus("other", seed=5, tokenizer=cls.corpus / "tokenizer.json")

    def tune(self, ranks, source, config=None, status=0, run_folder=None):
        folder = run_folder or self.new_run()
        merged = TUNING | {"data.path": self.other, "finetune.from": source} | (config or {})
        merged = {key: value for key, value in merged.items() if value is not None}
        result = run(launched(ranks, TRAIN, "--run", folder, "--json", *trireme.flags(merged)))
        self.assertEqual(result.status, status, result)
        return folder, result

    def test_every_source_and_layout_gives_the_same_run(self):
        plain, result = self.tune(0, self.base)
        log = repeated(plain)
        self.assertNotEqual(result.json["weights_hash"], self.first["weights_hash"])
        self.assertLess(log[0]["loss"], records(self.base)[0]["loss"] - 1, "it goes on from what was learnt")
        for ranks, source, layout in ((2, self.exported, {}), (3, checkpoint(self.base, 30), {"parallel.shard": 3}),
                                      (2, self.exported, {"parallel.pipeline": 2}), (4, self.exported, {"parallel.shard": 2, "parallel.pipeline": 2})):
            folder, other = self.tune(ranks, source, layout)
            self.assertEqual(repeated(folder), log, (ranks, source, layout))
            self.assertEqual(other.json["weights_hash"], result.json["weights_hash"])

    def test_without_steps_to_take_the_weights_are_those_of_the_source(self):
        for config, due in (({}, self.first["weights_hash"]),
                            ({"finetune.weights": "ema"}, run([SERVE, self.base, "--weights", "ema", "--prompt", "x", "--json"]).json["weights_hash"])):
            _, result = self.tune(2, self.base, {"optimizer.learning-rate": 0, "steps": 2} | config)
            self.assertEqual(result.json["weights_hash"], due)

    def test_it_resumes_without_the_source_and_leaves_with_what_came_with_it(self):
        source = self.new_run("gone")
        shutil.copytree(self.exported, source)
        constant = {"schedule.name": "constant"}  # which a longer run has from its first step on
        folder, _ = self.tune(1, source, constant | {"steps": 4})
        shutil.rmtree(source)
        _, resumed = self.tune(2, source, constant, run_folder=folder)
        _, whole = self.tune(1, self.exported, constant)
        self.assertEqual(resumed.json["step"], 8)
        self.assertEqual(resumed.json["weights_hash"], whole.json["weights_hash"])
        out = self.new_run("out")
        self.assertEqual(run([MODEL, "export", folder, out]).status, 0)
        self.assertEqual((out / "generation_config.json").read_text(), '{"temperature": 0.6}\n')
        self.assertEqual(json.loads((out / "config.json").read_text()), json.loads((self.exported / "config.json").read_text()))
        self.assertEqual((out / "tokenizer.json").read_bytes(), (self.exported / "tokenizer.json").read_bytes())

    def test_another_shape_is_refused_by_name(self):
        for config, named in (({"model.width": 64}, "model.width is 32"), ({"model.family": "gpt2"}, "model.family is llama"),
                              ({"model.vocabulary": 400}, "model.vocabulary is 320"), ({"finetune.from": None, "finetune.weights": "ema"}, "are of finetune.from"), ({"finetune.step": "7"}, "step-00000007"),
                              ({"finetune.from": self.folder / "nowhere"}, "nowhere")):
            folder, result = self.tune(2, self.base, config, status=1 if "nowhere" in named or "7" in named[-1:] else 2)
            self.assertEqual(len(result.lines), 1, result)
            self.assertIn(named, result.stderr)
            self.assertFalse(folder.exists())

    def test_a_vocabulary_with_room_is_trained_and_served(self):
        folder = self.new_run()
        self.train(2, folder, {"steps": 8, "model.vocabulary": 384, "eval.every-steps": 4, "eval.sample-temperature": 50})
        self.assertEqual(run([MODEL, "inspect", folder, "--json"]).json["vocabulary"], 384)
        self.assertEqual(run([SERVE, folder, "--prompt", "The ", "--temperature", 5, "--max-tokens", 40]).status, 0)
        result = self.train(2, self.new_run(), {"steps": 8, "model.vocabulary": 100}, status=2)
        self.assertIn("model.vocabulary must be 0 or at least 320", result.stderr)
        other, _ = self.tune(2, folder)
        self.assertEqual(run([MODEL, "inspect", other, "--json"]).json["vocabulary"], 384)

    def test_another_tokenizer_is_said(self):
        strange = self.make_corpus("strange", seed=9, vocabulary=310)
        _, result = self.tune(2, self.base, {"data.path": strange})
        self.assertIn("another tokenizer", result.stderr)


if __name__ == "__main__":
    trireme.main()
