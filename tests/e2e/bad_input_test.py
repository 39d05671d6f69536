"""What is wrong is refused in one line that names it, with the right exit status, and nothing is left half-written."""
import os
import shutil
import subprocess

import trireme
from trireme import DATA, MODEL, SERVE, SMALL, TRAIN, Case, checkpoint, checkpoint_steps, flip_bit, flags, launched, run, small_disk

STEPS = {"steps": 6}
FAILED, USAGE = 1, 2


class BadInput(Case):
    def assert_refused(self, result, status, *named):
        self.assertEqual(result.status, status, result)
        lines = [line for line in result.lines if line and not line.startswith("libgomp: ")]  # it speaks before main()
        self.assertEqual(len(lines), 1, f"one line on stderr\n{result}")
        for words in named:
            self.assertIn(words, result.stderr, result)
        self.assertEqual(result.stdout, "", result)

    def refuse(self, config, status, *named, more=(), env=None, worlds=(0, 2), run_folder=None):
        """On one process and on two ranks: one line, the status, nothing written."""
        folder = run_folder or self.new_run()
        before = trireme.listing(self.folder)
        for ranks in worlds:
            with self.subTest(config=config, more=more, ranks=ranks):
                result = run(self.command(ranks, folder, STEPS | config, *more), env=env)
                self.assert_refused(result, status, *named)
                self.assertEqual(trireme.listing(self.folder), before, "nothing is written")

    # ---- flags and config ---------------------------------------------------------------------------------------------

    def test_unknown_keys_get_a_hint(self):
        self.refuse({"optimizer.learning-rat": 1}, USAGE, "optimizer.learning-rat", "did you mean",
                    "optimizer.learning-rate")
        self.refuse({"zzz.qqq": 1}, USAGE, "zzz.qqq", worlds=(0,))

    def test_ranks_that_differ_are_refused(self):
        """Each rank reads its own environment: on several nodes those may differ."""
        folder = self.new_run()
        before = trireme.listing(self.folder)
        for variable in ("TRIREME_SEED", "TRIREME_STEPS", "TRIREME_EVAL_EVERY_STEPS"):
            train = self.command(0, folder, STEPS)
            result = run(launched(2, "bash", "-c", f'export {variable}=$((OMPI_COMM_WORLD_RANK + 300)); exec "$@"', "-",
                                  *[word for word in map(str, train) if "steps" not in word.split("=")[0]]))
            self.assert_refused(result, USAGE, "ranks 0 and 1 differ", "300", "301")
            self.assertEqual(trireme.listing(self.folder), before, "nothing is written")

    def test_a_result_that_cannot_be_written_is_a_failure(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run(list(map(str, self.command(0, self.new_run(), STEPS))), stdout=full,
                                  stderr=subprocess.PIPE, text=True, env=trireme.clean_environment(), check=False)
        self.assertEqual(done.returncode, FAILED, done.stderr)
        self.assertIn("cannot write to stdout", done.stderr)

    def test_wrong_values_name_key_value_and_what_is_allowed(self):
        for key, value in (("steps", "many"), ("optimizer.learning-rate", "nan"), ("optimizer.learning-rate", "inf"),
                           ("optimizer.learning-rate", "-1"), ("model.layers", "0"), ("data.micro-batch", "1.5"),
                           ("precision.compute", "fp12"), ("model.tie-embeddings", "maybe"), ("model.dropout", "2")):
            self.refuse({key: value}, USAGE, key, f"'{value}'", worlds=(0,))
        self.refuse({"optimizer.learning-rate": "nan"}, USAGE, "optimizer.learning-rate", "'nan'", worlds=(2,))

    def test_values_that_do_not_go_together(self):
        self.refuse({"model.heads": 3}, USAGE, "model.width", "model.heads")
        self.refuse({"model.heads": 4, "model.kv-heads": 3}, USAGE, "model.kv-heads", worlds=(0,))
        self.refuse({"data.global-batch": 5, "data.micro-batch": 2}, USAGE, "data.global-batch", "data.micro-batch",
                    worlds=(0,))
        self.refuse({"data.sequence-length": 65}, USAGE, "data.sequence-length", "model.context", worlds=(0,))
        self.refuse({"schedule.warmup-steps": 7}, USAGE, "schedule.warmup-steps", worlds=(0,))
        self.refuse({"model.family": "lama"}, USAGE, "model.family", "llama", worlds=(0,))

    def test_what_is_not_available_yet_is_refused_by_name(self):
        for key, value in (("device", "cuda"), ("precision.compute", "fp16"), ("parallel.tensor", "2"),
                           ("parallel.context", "2"), ("parallel.expert", "2")):
            self.refuse({key: value}, USAGE, key, value, "not available yet", worlds=(2,) if key == "device" else (0,))

    def test_layouts_that_cannot_be(self):
        self.refuse({"parallel.pipeline": 2}, USAGE, "parallel.pipeline 2 must divide the number of ranks, got 3; allowed: 2 or 4 ranks",
                    "or parallel.pipeline 1 or 3", worlds=(3,))
        self.refuse({"parallel.pipeline": 3}, USAGE, "model.layers", "got 3 x 1 stages for 2 layers", worlds=(3, 4))
        self.refuse({"parallel.pipeline": 2, "parallel.pipeline-chunks": 2}, USAGE, "parallel.pipeline-chunks", "got 2 x 2 stages for 2 layers", worlds=(2,))
        self.refuse({"parallel.pipeline": 2, "data.global-batch": 3}, USAGE, "parallel.pipeline 2 needs as many micro-batches", "2 data ranks",
                    "got 3", "data.global-batch 4 and above", worlds=(4,))
        self.refuse({"parallel.shard-group": 2}, USAGE, "parallel.shard-group must divide the 3 ranks", "got 2; allowed: 0 or 1 or 3", worlds=(3,))
        self.refuse({"parallel.shard-group": 2, "parallel.shard": 0}, USAGE, "parallel.shard-group", "must be 0 for 0", worlds=(2,))
        self.refuse({"parallel.shard": 4}, USAGE, "parallel.shard", "4")
        self.refuse({"parallel.pipeline-chunks": 2}, USAGE, "parallel.pipeline-chunks", "got 2")
        self.refuse({"parallel.pipeline-order": "zero-bubble"}, USAGE, "parallel.pipeline-order", "zero-bubble")

    def test_wrong_commands(self):
        for command, named in (([TRAIN, "--steps", "4"], "required"), ([TRAIN, "--run", self.folder / "x"], "data.path"),
                               ([TRAIN, "self-chek", "--run", "x"], "unknown command"), ([TRAIN, "--run"], "run"),
                               ([TRAIN, "--run", self.folder / "x", "--resume=sometimes"], "--resume"),
                               ([DATA, "encod"], "did you mean"), ([DATA], "encode"), ([DATA, "encode"], "--input"), ([DATA, "encode", "--input", "x", "--out", "y"], "--tokenizer"),
                               ([MODEL, "verfy", "x"], "did you mean"), ([MODEL], "verify"), ([SERVE], "model")):
            for ranks in (0, 2) if command[0] == TRAIN else (0,):
                with self.subTest(command=command[1:], ranks=ranks):
                    before = trireme.listing(self.folder)
                    self.assert_refused(run(launched(ranks, *command)), USAGE, named)
                    self.assertEqual(trireme.listing(self.folder), before)

    def test_threads_of_the_environment(self):
        for value in ("abc", "0", "-1", "1,2"):
            self.refuse({}, USAGE, "OMP_NUM_THREADS", value, env=trireme.clean_environment(OMP_NUM_THREADS=value),
                        worlds=(0, 2) if value == "abc" else (0,))

    def test_environment_variables_of_no_key(self):
        self.refuse({}, USAGE, "TRIREME_OPTIMIZER_LEARNING_RAT", "did you mean",
                    env=trireme.clean_environment(TRIREME_OPTIMIZER_LEARNING_RAT="1"))

    def test_config_files_name_file_line_and_column(self):
        for name, text, status, named in (
                ("key.yaml", "steps: 4\nmodel:\n  layer: 2\n", USAGE, ("line 3", "model.layer", "model.layers")),
                ("type.yaml", "steps: four\n", USAGE, ("line 1", "steps", "'four'")),
                ("shape.yaml", "model: 4\n", USAGE, ("model",)),
                ("cut.yaml", 'steps: "4\n', USAGE, ("cut.yaml",)),
                ("twice.yaml", "steps: 4\nsteps: 5\n", USAGE, ("steps", "twice", "line 2"))):
            (self.folder / name).write_text(text)
            config = self.folder / name
            with self.subTest(name=name):
                result = run([TRAIN, "--run", self.folder / "x", "--config", config])
                self.assert_refused(result, status, name, *named)
        for ranks in (0, 2):
            result = run(launched(ranks, TRAIN, "--run", self.folder / "x", "--config", self.folder / "none.yaml"))
            self.assertIn(result.status, (FAILED, USAGE), result)
            self.assertEqual(len(result.lines), 1, result)
            self.assertIn("none.yaml", result.stderr)
        self.assertFalse((self.folder / "x").exists())

    # ---- data ---------------------------------------------------------------------------------------------------------

    def broken_corpus(self, name, damage):
        copy = self.folder / name
        shutil.copytree(self.corpus, copy)
        damage(copy)
        return copy

    def test_damaged_corpora_are_refused_by_file(self):
        shard = "training-00000.h5"

        def cut(folder):
            with open(folder / shard, "r+b") as file:
                file.truncate((folder / shard).stat().st_size // 2)

        for name, damage, named in (
                ("missing", lambda folder: (folder / shard).unlink(), shard), ("cut", cut, shard),
                ("index", lambda folder: flip_bit(folder / "index.json", 4000), "index.json"),
                ("tokenizer", lambda folder: flip_bit(folder / "tokenizer.json", 9000), "tokenizer.json"),
                ("no-tokenizer", lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer.json")):
            corpus = self.broken_corpus(name, damage)
            self.refuse({"data.path": corpus}, FAILED, str(corpus / named))
            verified = run([DATA, "verify", corpus])
            self.assertEqual(verified.status, FAILED, verified)
        self.refuse({"data.path": self.folder / "nowhere"}, FAILED, "nowhere")
        self.refuse({"data.path": self.folder}, FAILED, str(self.folder), "index.json")

    def test_a_flipped_bit_in_tokens_is_found_when_it_is_read(self):
        corpus = self.broken_corpus("flipped", lambda folder: flip_bit(
            folder / "training-00000.h5", 4 * (folder / "training-00000.h5").stat().st_size))
        for ranks in (0, 2):
            folder = self.new_run()
            result = run(self.command(ranks, folder, STEPS | {"data.path": corpus}))
            self.assert_refused(result, FAILED, str(corpus / "training-00000.h5"))
            self.assertEqual(checkpoint_steps(folder), [])
        verified = run([DATA, "verify", corpus])
        self.assertEqual(verified.status, FAILED, verified)

    def test_a_tokenizer_of_another_vocabulary(self):
        other = self.make_corpus("other", seed=2, vocabulary=300)
        corpus = self.broken_corpus("exchanged", lambda folder: shutil.copy(other / "tokenizer.json", folder))
        self.refuse({"data.path": corpus}, FAILED, str(corpus / "tokenizer.json"))

    def test_a_corpus_shorter_than_a_sequence(self):
        tiny = self.make_corpus("tiny", seed=3, vocabulary=257, words=6, validation=0)
        self.refuse({"data.path": tiny, "data.sequence-length": 2000, "model.context": 2000}, FAILED, "2000")

    def test_mixtures_that_cannot_be(self):
        other = self.make_corpus("other-tokenizer", seed=2, vocabulary=300)
        short = self.make_corpus("short", seed=3, words=6, validation=0, tokenizer=self.folder / "corpus.tokenizer.json")
        copy = self.broken_corpus("copy", lambda folder: None)

        def refuse(path, status, *named, worlds=(0,), config=None):
            self.refuse({"data.path": path} | (config or {}), status, "data.path", *map(str, named), worlds=worlds)

        for weight in ("0", "-1", "nan", "x"):
            refuse(f"{self.corpus}=1,{copy}={weight}", USAGE, f"'{weight}'", copy, "number in [1e-06, 1e+06]",
                   worlds=(0, 2) if weight == "nan" else (0,))
        refuse(f"{self.corpus},{copy}", USAGE, "DIRECTORY=WEIGHT")
        refuse(f"{self.corpus}=1,{self.corpus}/=2", USAGE, "twice")
        refuse(f"{self.corpus}=1,{copy}=2", FAILED, self.corpus, copy, "same tokens")
        refuse(f"{self.corpus}=1,{other}=2", FAILED, self.corpus, other, "different tokenizers", worlds=(0, 2))
        refuse(f"{self.corpus}=1,{short}=2", FAILED, short, "a sequence of 200",
               config={"data.sequence-length": 200, "model.context": 200})

    def test_evaluation_sets_are_named(self):
        other = self.make_corpus("other-words", seed=2, vocabulary=300)
        evaluated = {"eval.every-steps": 2}
        self.refuse(evaluated | {"eval.sets": f"near={self.corpus},far={self.folder / 'none'}"}, FAILED, "eval.sets, far: ", "none")
        self.refuse(evaluated | {"eval.sets": f"far={other}"}, FAILED, "eval.sets, far: ", str(other), "another tokenizer", worlds=(0,))

    def test_the_best_checkpoint_needs_an_evaluation(self):
        whole = self.make_corpus("whole", seed=4, validation=0, tokenizer=self.corpus / "tokenizer.json")
        folder = self.new_run()
        before = trireme.listing(self.folder)
        result = run(self.command(0, folder, STEPS | {"data.path": whole, "eval.every-steps": 2, "checkpoint.keep-best": 1}))
        self.assertEqual(result.status, USAGE, result)
        warning, error = result.lines
        self.assertIn("no evaluation on a validation split", warning)
        for words in ("error: checkpoint.keep-best needs evaluations, got 1", str(whole), "eval.sets is empty"):
            self.assertIn(words, error)
        self.assertEqual(trireme.listing(self.folder), before, "nothing is written")

    def test_fill_in_the_middle_needs_its_tokens(self):
        self.refuse({"data.fim-rate": 0.5}, USAGE, "data.fim-rate", "<|fim_prefix|>", "--special-tokens")
        self.refuse({"data.token-dropout": 1}, USAGE, "data.token-dropout", "'1'", worlds=(0,))

    def test_encode_refuses_and_leaves_nothing(self):
        tokenizer, text = self.folder / "corpus.tokenizer.json", self.folder / "corpus.txt"
        (self.folder / "broken.jsonl").write_text('{"text": "fine"}\n{"text": 5}\n')
        (self.folder / "broken.json").write_text('{"model": ')
        (self.folder / "empty.txt").write_text("")
        before = trireme.listing(self.folder)
        for words, status, named in (
                (["--tokenizer", self.folder / "none.json", "--input", text], FAILED, "none.json"),
                (["--tokenizer", self.folder / "broken.json", "--input", text], FAILED, "broken.json"),
                (["--tokenizer", tokenizer, "--input", self.folder / "none.txt"], FAILED, "none.txt"),
                (["--tokenizer", tokenizer, "--input", self.folder / "broken.jsonl"], FAILED, "broken.jsonl"),
                (["--tokenizer", tokenizer, "--input", self.folder / "empty.txt"], FAILED, ""),
                (["--tokenizer", tokenizer, "--input", text, "--validation", "1.5"], USAGE, "validation")):
            with self.subTest(words=words):
                result = run([DATA, "encode", *words, "--out", self.folder / "made"])
                self.assert_refused(result, status, named)
                self.assertEqual(trireme.listing(self.folder), before)
        result = run([DATA, "encode", "--tokenizer", tokenizer, "--input", text, "--out", self.corpus])
        self.assert_refused(result, FAILED, str(self.corpus))
        self.assertEqual(trireme.listing(self.folder), before)

    # ---- checkpoints --------------------------------------------------------------------------------------------------

    def test_what_decides_the_run_may_not_change_on_resume(self):
        folder = self.new_run()
        self.train(0, folder, STEPS)
        more = {"steps": 9}
        for key, value, old in (("model.layers", 3, "2"), ("seed", 5, "1"), ("optimizer.learning-rate", 0.5, "0.01"),
                                ("data.global-batch", 6, "12"), ("precision.compute", "bf16", "fp32")):
            self.refuse(more | {key: value}, USAGE, key, str(value), old, run_folder=folder,
                        worlds=(0, 2) if key == "seed" else (0,))
        other = self.make_corpus("another", seed=9)
        self.refuse(more | {"data.path": other}, FAILED, "data.path", str(other), run_folder=folder)

    def test_a_checkpoint_of_another_model_is_refused(self):
        folder, other = self.new_run(), self.new_run()
        self.train(0, folder, STEPS)
        self.train(0, other, {"steps": 8, "model.width": 48})
        shutil.copytree(checkpoint(other, 8), checkpoint(folder, 8))
        self.refuse({"steps": 9}, USAGE, str(checkpoint(folder, 8)), "another model", run_folder=folder)

    # ---- full disks ---------------------------------------------------------------------------------------------------

    def disk(self, kibibytes):
        disk = self.enterContext(small_disk(kibibytes))
        if disk is None:
            self.skipTest("mounting a small tmpfs needs root")
        return disk

    def test_a_full_disk_while_encoding(self):
        disk = self.disk(64)
        text = self.folder / "long.txt"
        text.write_text(trireme.text_of(5, words=60000))
        result = run([DATA, "encode", "--tokenizer", self.folder / "corpus.tokenizer.json", "--input", text, "--out",
                      disk / "corpus"])
        self.assert_refused(result, FAILED, str(disk), "No space left")
        self.assertEqual(trireme.listing(disk), {})

    def test_a_full_disk_while_saving(self):
        for ranks in (0, 2):
            with self.subTest(ranks=ranks):
                # One checkpoint fits, two do not.
                size = sum(path.stat().st_size for path in self.saved().iterdir()) // 1024
                disk = self.disk(size * 3 // 2 + 32)
                result = run(self.command(ranks, disk / "run", {"steps": 10, "checkpoint.every-steps": 5}))
                self.assertEqual(result.status, FAILED, result)
                errors = [line for line in result.lines if "error: " in line]
                self.assertEqual(len(errors), 1, result)
                self.assertIn("cannot save step 10", errors[0])
                self.assertIn("are free in " + str(disk), errors[0])
                self.assertIn("the newest checkpoint is of step 5", errors[0])
                self.assertEqual(trireme.last_step(disk / "run"), 10, "training went on to its end")
                self.assertEqual([path.name for path in (disk / "run/checkpoints").iterdir()], ["step-00000005"])
                self.assert_sound(checkpoint(disk / "run", 5))

    def saved(self):
        if not hasattr(type(self), "_saved"):
            type(self)._saved = self.new_run()
            self.train(0, self._saved, STEPS)
        return checkpoint(self._saved, STEPS["steps"])

    def test_a_full_disk_while_logging(self):
        disk = self.disk(64)
        for ranks in (0, 2):
            with self.subTest(ranks=ranks):
                folder = disk / f"run-{ranks}"
                result = run(self.command(ranks, folder, {"steps": 100000, "checkpoint.every-steps": 0}), limit=60)
                self.assertEqual(result.status, FAILED, result)
                errors = [line for line in result.lines if "error: " in line]
                self.assertEqual(len(errors), 1, result)
                self.assertIn(str(folder), errors[0])  # whichever of its logs was the first that did not fit
                self.assertIn("No space left", errors[0])
                shutil.rmtree(folder)

    def test_a_run_may_have_a_name_of_any_bytes_a_corpus_not(self):
        name = os.fsdecode(b"na\xffme")
        folder = self.folder / f"run-{name}"
        self.train(0, folder, STEPS)
        self.assert_sound(checkpoint(folder, STEPS["steps"]))
        self.train(2, folder, STEPS | {"steps": 8})
        # config.yaml would hold another name than the one that was given, and the next start would not find it.
        self.refuse({"data.path": self.broken_corpus(name, lambda folder: None)}, USAGE, "data.path", "UTF-8", worlds=(0,))

    def test_a_run_that_cannot_be_written(self):
        (self.folder / "file").write_text("")
        self.refuse({}, FAILED, str(self.folder / "file"), run_folder=self.folder / "file" / "run")


if __name__ == "__main__":
    trireme.main()
