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

    ADAPTERS = {"model.lora.rank": 4, "model.lora.dropout": 0.1, "optimizer.learning-rate": 0.02}

    def test_adapters_train_alike_in_every_layout_and_leave_the_base_alone(self):
        plain, result = self.tune(0, self.base, self.ADAPTERS)
        log = repeated(plain)
        whole, _ = self.tune(0, self.base)
        self.assertEqual(log[0]["loss"], repeated(whole)[0]["loss"], "adapters begin as nothing")
        self.assertNotEqual(log[1]["loss"], repeated(whole)[1]["loss"])
        for ranks, source, layout in ((2, self.exported, {}), (3, self.base, {"parallel.shard": 3}), (2, self.exported, {"recompute": "full"}),
                                      (2, self.exported, {"parallel.pipeline": 2, "parallel.pipeline-order": "zero-bubble"}),
                                      (4, self.base, {"parallel.shard": 3, "parallel.pipeline": 2, "recompute": "selective"})):
            folder, other = self.tune(ranks, source, self.ADAPTERS | layout)
            self.assertEqual(repeated(folder), log, (ranks, source, layout))
            self.assertEqual(other.json["weights_hash"], result.json["weights_hash"])
        seen = run([MODEL, "inspect", plain, "--json"]).json
        names = {tensor["name"] for tensor in seen["tensors"] if tensor["name"].startswith("weights/")}
        self.assertTrue(names and all(".lora-" in name for name in names), names)
        self.assertEqual(run([MODEL, "inspect", plain / "base", "--json"]).json["weights_hash"], self.first["weights_hash"])

    def test_adapters_resume_serve_and_merge_without_the_source(self):
        source = self.new_run("source")
        shutil.copytree(self.base, source)
        constant = self.ADAPTERS | {"schedule.name": "constant"}
        folder, _ = self.tune(1, source, constant | {"steps": 4})
        shutil.rmtree(source)
        moved = self.new_run("moved")
        shutil.copytree(folder, moved)
        _, resumed = self.tune(2, source, constant, run_folder=moved)
        _, whole = self.tune(1, self.base, constant)
        self.assertEqual(resumed.json["weights_hash"], whole.json["weights_hash"])
        merged, alone = self.new_run("merged"), self.new_run("alone")
        self.assertEqual(run([MODEL, "merge", moved, merged]).status, 0)
        self.assertEqual(run([MODEL, "export-weights", moved, alone]).status, 0)
        answers = {run([SERVE, model, "--prompt", "The ", "--temperature", 0, "--max-tokens", 20]).stdout for model in (moved, merged, alone)}
        self.assertEqual(len(answers), 1)
        self.assertNotIn(run([SERVE, moved / "base", "--prompt", "The ", "--temperature", 0, "--max-tokens", 20]).stdout, answers)
        # A base that is gone, or another one, is said.
        (moved / "base").rename(moved / "elsewhere")
        result = run([SERVE, moved, "--prompt", "x"])
        self.assertEqual((result.status, len(result.lines)), (1, 1), result)
        self.assertIn("--base", result.stderr)
        self.assertIn(run([SERVE, moved, "--base", moved / "elsewhere", "--prompt", "The ", "--temperature", 0, "--max-tokens", 20]).stdout, answers)
        result = run([SERVE, moved, "--base", merged, "--prompt", "x"])
        self.assertEqual((result.status, len(result.lines)), (1, 1), result)
        self.assertIn("not the model that the adapters", result.stderr)

    def test_a_base_is_checked_and_nothing_is_lost_in_its_place(self):
        folder = self.new_run()
        (folder / "base").mkdir(parents=True)
        (folder / "base" / "thesis.tex").write_text("mine")
        _, result = self.tune(2, self.exported, self.ADAPTERS | {"steps": 2}, run_folder=folder)
        self.assertIn("it is kept as", result.stderr)
        kept, = folder.glob("base.left-*")
        self.assertEqual((kept / "thesis.tex").read_text(), "mine")
        # A run that begins with what is its base already leaves it where it is.
        for checkpoint_folder in (folder / "checkpoints").iterdir():
            shutil.rmtree(checkpoint_folder)
        before = sorted((path.name, path.stat().st_ino) for path in (folder / "base").iterdir())
        _, result = self.tune(1, folder / "base", self.ADAPTERS | {"steps": 2}, run_folder=folder)
        self.assertEqual(sorted((path.name, path.stat().st_ino) for path in (folder / "base").iterdir()), before)
        self.assertEqual(run([MODEL, "verify", folder]).status, 0)
        # One number of a base that a sample of rows does not see.
        weights = folder / "base" / "model.safetensors"
        data = bytearray(weights.read_bytes())
        header = 8 + int.from_bytes(data[:8], "little")
        begin = json.loads(data[8:header])["model.embed_tokens.weight"]["data_offsets"][0]
        data[header + begin + 4 * 32 * 100] ^= 1  # row 100 of 320
        weights.unlink()
        weights.write_bytes(data)
        result = run([MODEL, "verify", folder])
        self.assertEqual(result.status, 1, result)
        self.assertIn("the base of step-00000002: its weights have the hash", result.stdout)
        # Adapters in a circle.
        peft = self.new_run("peft")
        self.assertEqual(run([MODEL, "export", folder, peft]).status, 0)
        config = json.loads((peft / "adapter_config.json").read_text())
        (peft / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": str(peft)}))
        result = run([MODEL, "inspect", peft])
        self.assertEqual((result.status, len(result.lines)), (1, 1), result)
        self.assertIn("holds adapters itself", result.stderr)
        # They go on where --base says.
        shutil.rmtree(folder / "base")
        (peft / "adapter_config.json").write_text(json.dumps(config))
        _, result = self.tune(1, peft, {"steps": 2}, status=1)
        self.assertIn("finetune.base", result.stderr)
        self.tune(1, peft, {"steps": 2, "finetune.base": self.base})

    def test_adapters_that_cannot_be_are_refused_by_name(self):
        for config, named in (({"model.lora.targets": "query,gates"}, "model.lora.targets must be all, or some of"),
                              ({"model.lora.layers": "7"}, "model.lora.layers"), ({"model.lora.rank": 0, "model.lora.alpha": 4}, "model.lora.alpha"),
                              ({"finetune.from": None}, "model.lora.rank needs finetune.from"),
                              ({"finetune.penalty": 0.1}, "finetune.penalty has no meaning")):
            folder, result = self.tune(2, self.base, self.ADAPTERS | config, status=2)
            self.assertEqual(len(result.lines), 1, result)
            self.assertIn(named, result.stderr)
            self.assertFalse(folder.exists())

    def test_a_penalty_keeps_weights_near_their_start_in_every_layout(self):
        for extra in ({}, {"finetune.importance": self.corpus, "finetune.importance-steps": 3}):
            guarded = {"finetune.penalty": 0.5, "optimizer.weight-decay": 0, "schedule.name": "constant"} | extra
            plain, result = self.tune(0, self.base, guarded)
            log = repeated(plain)
            self.assertNotIn("penalty", log[0])
            self.assertGreater(log[-1]["penalty"], 0)
            for ranks, source, layout in ((3, self.exported, {"parallel.shard": 3}), (2, self.base, {"parallel.shard": 0}),
                                          (4, self.base, {"parallel.shard": 2, "parallel.pipeline": 2})):
                folder, other = self.tune(ranks, source, guarded | layout)
                self.assertEqual(repeated(folder), log, (ranks, layout, extra))
                self.assertEqual(other.json["weights_hash"], result.json["weights_hash"])
            # It goes on without the source, and without the corpus that importance was measured on.
            halfway, _ = self.tune(2, self.exported, guarded | {"steps": 4})
            _, resumed = self.tune(3, self.folder / "gone", {"schedule.name": "constant", "optimizer.weight-decay": 0, "steps": 8} | {
                key: value for key, value in guarded.items() if key.startswith("finetune.")} | {"finetune.from": self.exported}, run_folder=halfway)
            self.assertEqual(resumed.json["weights_hash"], result.json["weights_hash"])
            _, free = self.tune(0, self.base, guarded | {"finetune.penalty": 1e6})
            # So strong that they cannot leave: loss on the old text stays as it was.
            self.assertNotEqual(free.json["weights_hash"], result.json["weights_hash"])

    def test_another_tokenizer_is_said(self):
        strange = self.make_corpus("strange", seed=9, vocabulary=310)
        _, result = self.tune(2, self.base, {"data.path": strange})
        self.assertIn("another tokenizer", result.stderr)


if __name__ == "__main__":
    trireme.main()
