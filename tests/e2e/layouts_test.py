"""The layout never changes the run: any number of ranks gives the losses, gradients and weights of one, to the bit."""
import sys

import trireme
from trireme import FIM_TOKENS, TRAIN, Case, launched, mixed, repeated, run


class Layouts(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.corpus = cls.make_corpus("marked", seed=1, tokenizer_flags=["--special-tokens", *FIM_TOKENS])
        cls.mixture = cls.make_mixture()

    def assert_same_on(self, worlds, config, threads=1, of_each=None):
        """of_each: ranks -> more keys for that world, which may not change the run either."""
        results, logs = {}, {}
        for ranks in worlds:
            run = self.new_run()
            results[ranks] = self.train(ranks, run, config | {"threads": threads} | (of_each or {}).get(ranks, {})).json
            logs[ranks] = repeated(run)
            self.assertEqual(len(logs[ranks]), config["steps"])
        first = worlds[0]
        for ranks in worlds[1:]:
            self.assertEqual(logs[first], logs[ranks], f"records of {first} and of {ranks} ranks")
            for key in ("weights_hash", "samples_hash", "loss", "eval_loss", "eval_bits_per_byte", "step", "tokens"):
                self.assertEqual(results[first][key], results[ranks][key], f"{key} of {first} and of {ranks} ranks")
        return logs[first]

    def test_any_number_of_ranks_gives_the_bits_of_one_in_fp32(self):
        # 12 micro-batches: even shares on 1 to 4 ranks, uneven ones on 5.
        log = self.assert_same_on([0, 1, 2, 3, 4, 5], {"steps": 16, "eval.every-steps": 5})
        self.assertEqual([r["step"] for r in log if "eval_loss" in r], [5, 10, 15, 16])
        self.assertLess(log[-1]["loss"], log[0]["loss"] - 0.3, "it learns")

    def test_any_number_of_ranks_gives_the_bits_of_one_in_bf16(self):
        self.assert_same_on([0, 2, 3, 4, 5], {"steps": 12, "precision.compute": "bf16", "eval.every-steps": 5})

    def test_what_ranks_share_out(self):
        """Stage 1 is the default, and thus in all other tests. Uneven shares of micro-batches, evaluations and samples included."""
        for family, precision in (("llama", "fp32"), ("gpt2", "bf16")):
            with self.subTest(family, precision=precision):
                self.assert_same_on([0, 1, 2, 3, 4, 5, 6, 7, 8], trireme.FAMILIES[family] | {
                    "steps": 12, "precision.compute": precision, "eval.every-steps": 5, "model.width": 64, "optimizer.ema-decay": 0.9},
                    of_each={ranks: {"parallel.shard": stage} for ranks, stage in ((0, 0), (1, 3), (2, 2), (3, 0), (4, 3), (5, 3))} | {
                        6: {"parallel.shard": 3, "parallel.shard-group": 3}, 7: {"parallel.shard": 2}, 8: {"parallel.shard": 3, "parallel.shard-group": 2, "parallel.pipeline": 2}})

    def test_stages_of_a_pipeline(self):
        """Evaluations, samples and checkpoints included; the number of ranks, and what they share."""
        pipelines = {2: {"parallel.pipeline": 2}, 3: {"parallel.pipeline": 3, "parallel.pipeline-order": "zero-bubble"},
                     4: {"parallel.pipeline": 2, "parallel.shard": 2, "parallel.pipeline-order": "zero-bubble"},
                     5: {"parallel.pipeline": 5, "recompute": "full"},
                     6: {"parallel.pipeline": 2, "parallel.pipeline-chunks": 2, "parallel.shard": 1}, 8: {"parallel.pipeline": 4, "parallel.shard": 0}}
        for family, precision in (("llama", "fp32"), ("gpt2", "bf16")):
            with self.subTest(family, precision=precision):
                self.assert_same_on([0, *pipelines], trireme.FAMILIES[family] | {
                    "steps": 12, "precision.compute": precision, "eval.every-steps": 5, "model.layers": 5, "model.dropout": 0.1, "optimizer.ema-decay": 0.9},
                    of_each=pipelines)

    def test_what_other_families_are_made_of(self):
        """Experts, windows, bounds, norms of heads and behind parts, parallel parts: in each layout the same bits."""
        families = {"mixtral": {"model.experts.count": 3, "model.experts.ffn": 40, "recompute": "selective"},
                    "qwen3_moe": {"model.experts.count": 4, "model.experts.ffn": 24, "model.experts.layers": "1,3", "precision.compute": "bf16"},
                    "gemma2": {"model.attention-softcap": 4, "model.logit-softcap": 5, "model.window": 7, "model.window-layers": "0,2", "recompute": "selective",
                               "model.dropout": 0.1},
                    "gpt_neox": {"model.kv-heads": 0, "model.rope-share": 0.25, "recompute": "full"}}
        for family, config in families.items():
            with self.subTest(family):
                self.assert_same_on([0, 2, 3, 4], {"model.family": family, "model.layers": 4, "steps": 6, "eval.every-steps": 3} | config,
                                    of_each={2: {"parallel.pipeline": 2, "parallel.pipeline-order": "zero-bubble"}, 3: {"parallel.shard": 3},
                                             4: {"parallel.pipeline": 2, "parallel.shard": 2}})

    def test_sharing_out_saves_memory(self):
        # With bf16 moments are 8 bytes a weight, masters 4 and gradients 4, of 39M weights on each of two ranks. Two micro-batches a rank: with one,
        # stage 1 does what stage 2 does.
        peaks = []
        for stage in (0, 1, 2):
            result = self.train(2, self.new_run(), {
                "steps": 3, "model.layers": 8, "model.width": 640, "model.heads": 4, "data.global-batch": 4, "schedule.warmup-steps": 0,
                "precision.compute": "bf16", "parallel.shard": stage}).json
            peaks.append(result["peak_memory_bytes"])
        self.assertLess(peaks[1], peaks[0] - 0.7 * 12 * 39e6)
        self.assertLess(peaks[2], peaks[1] - 0.3 * 4 * 39e6)

    def test_the_plan_knows_the_peak(self):
        """Of the rank that needs most, as the kernel counts it, less what a tiny model takes. scripts/bench memory does it with larger ones on four ranks."""
        shape = {"steps": 3, "model.layers": 6, "model.width": 768, "model.heads": 12, "model.kv-heads": 12, "model.ffn": 2048, "model.context": 128, "data.sequence-length": 128,
                 "data.global-batch": 4, "schedule.warmup-steps": 0, "checkpoint.every-steps": 0}
        base = self.peak(shape | {"model.width": 48, "model.ffn": 64, "model.layers": 2})
        for layout in ({"parallel.shard": 0}, {"parallel.shard": 1, "recompute": "full"}, {"parallel.shard": 2, "precision.compute": "bf16"}, {"parallel.shard": 3},
                       {"parallel.pipeline": 2, "parallel.pipeline-order": "zero-bubble"}):
            with self.subTest(layout=layout):
                found = self.peak(shape | layout) - base
                plan = run(self.command(0, self.new_run(), shape | layout) + ["--dry-run", "--ranks", "2"]).json["memory"]
                self.assertGreater(found, 150e6)
                # The program's own size is known to some 10 MB.
                self.assertLess(abs(plan["peak"] - found), 0.1 * found + 10e6, (found, plan))

    def test_search_ranks_all_layouts(self):
        config = {"model.layers": 8, "model.width": 256, "data.global-batch": 32}
        search = self.command(0, self.new_run(), config) + ["--dry-run=search", "--ranks", "8"]
        found = run([*search, "--peak-flops=1e11", "--bandwidth=1e10", "--memory=110e6"]).json
        layouts = found["layouts"]
        self.assertGreater(len(layouts), 60)
        self.assertEqual(len({one["layout"] for one in layouts}), len(layouts))
        fit = [one for one in layouts if one["fits"]]
        self.assertTrue(0 < len(fit) == found["fit"] < len(layouts), (len(fit), len(layouts)))
        self.assertEqual(fit, layouts[:len(fit)])
        self.assertEqual([one["step_seconds"] for one in fit], sorted(one["step_seconds"] for one in fit))
        for one in layouts:
            self.assertEqual(one["fits"], one["memory"]["peak"] <= 110e6)
        # What it says to start starts, as what it says.
        plan = run(self.command(0, self.new_run(), config) + ["--dry-run", "--ranks", "8", *fit[0]["flags"].split()]).json
        self.assertEqual((plan["layout"], plan["memory"]), (fit[0]["layout"], fit[0]["memory"]))
        table = run(launched(0, *[word for word in search if word != "--json"], "--peak-flops=1e11", "--bandwidth=1e10")).stdout
        self.assertIn("the first 20 are shown", table)
        for more, message in (([*search, "--memory=1e6"], "no layout of 8 ranks fits --memory"), ([*search, "--peak-flops=1e11"], "needs --bandwidth"),
                              ([*search, "--bandwidth=1e9"], "needs --peak-flops"), ([*search[:-3], "--ranks=2"], "--ranks is of a plan, got 2"),
                              ([*search[:-3], "--dry-run", "--memory=1e9"], "--memory is of --dry-run=search"), ([*search[:-3], "--dry-run=yes"], "no, plan, search")):
            refused = run(more)
            self.assertEqual(refused.status, 2, refused)
            self.assertIn(message, refused.stderr)

    def peak(self, config):
        """The most that any of two ranks had resident."""
        out = self.new_run("peak")
        command = self.command(2, self.new_run(), config)
        at = command.index(TRAIN)
        result = run([*command[:at], sys.executable, trireme.ROOT / "tests/bench/with_peak.py", out, *command[at:]])
        self.assertEqual(result.status, 0, result)
        return max(int(path.read_text()) for path in out.parent.glob(out.name + ".*"))

    def test_two_threads_a_rank(self):
        self.assert_same_on([1, 2], {"steps": 12, "model.width": 64, "eval.every-steps": 5}, threads=2)

    def test_more_ranks_than_micro_batches(self):
        # Two of five ranks have no micro-batch at all.
        self.assert_same_on([0, 5], {"steps": 12, "data.global-batch": 3, "eval.every-steps": 5})

    def test_micro_batches_of_several_sequences_and_untied_embeddings(self):
        self.assert_same_on([0, 3], {"steps": 12, "data.global-batch": 14, "data.micro-batch": 2,
                                     "model.tie-embeddings": "false", "eval.every-steps": 5})

    def test_dropout_and_what_is_computed_twice_in_every_family(self):
        for family, keys in trireme.FAMILIES.items():
            for precision in ("fp32", "bf16"):
                with self.subTest(family, precision=precision):
                    self.assert_same_on([0, 2, 5], keys | {"steps": 8, "precision.compute": precision, "model.dropout": 0.1, "eval.every-steps": 5,
                                                           "data.micro-batch": 2 if precision == "fp32" else 1},
                                        of_each={2: {"recompute": "selective"}, 5: {"recompute": "full"}})

    def test_recompute_saves_memory(self):
        peaks = []
        for recompute in ("none", "selective", "full"):
            result = self.train(0, self.new_run(), {
                "steps": 2, "model.layers": 6, "model.width": 64, "model.context": 512, "data.sequence-length": 512,
                "data.micro-batch": 8, "data.global-batch": 8, "schedule.warmup-steps": 0, "recompute": recompute}).json
            peaks.append(result["peak_memory_bytes"])
        self.assertLess(peaks[1], peaks[0] - 10e6)
        self.assertLess(peaks[2], peaks[1] - 20e6)

    def test_a_mixture_of_corpora_with_augmentation(self):
        self.assert_same_on([0, 2, 5], {"steps": 12, "data.path": mixed(self.mixture), "eval.every-steps": 5,
                                        "data.token-dropout": 0.1, "data.fim-rate": 0.5})

    def test_what_changes_the_run_changes_its_hashes(self):
        """Else equal hashes would prove nothing."""
        hashes, samples = set(), set()
        other_weights = [(corpus, weight + 0.01) for corpus, weight in self.mixture]
        for config in ({}, {"seed": 2}, {"data.micro-batch": 2}, {"optimizer.learning-rate": 0.0101},
                       {"model.dropout": 0.1}, trireme.FAMILIES["gpt2"], {"data.path": mixed(self.mixture)},
                       {"data.path": mixed(other_weights)}, {"data.token-dropout": 0.1}, {"data.fim-rate": 0.5}):
            result = self.train(0, self.new_run(), config | {"steps": 5}).json
            hashes.add(result["weights_hash"])
            samples.add(result["samples_hash"])
        self.assertEqual(len(hashes), 10)
        self.assertGreaterEqual(len(samples), 4)


if __name__ == "__main__":
    trireme.main()
