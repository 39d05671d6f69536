"""self-check: every layout of some ranks against one rank, as users run it on a new cluster; and checkpoints that go from layout to layout."""
import json

import trireme
from trireme import TRAIN, Case, launched, run

# Of each launch the ranks, how many layouts they must have at least, and flags: many ranks on few cores are slow.
LAUNCHES = ((1, 1, []), (2, 8, []), (3, 6, []), (4, 25, []), (6, 15, ["--pairs"]), (8, 15, ["--pairs"]))
STEPS = 20


class SelfCheck(Case):
    def test_every_layout_equals_one_rank(self):
        """Over the launches: data 1 to 8, pipelines 1, 2, 3, 4, 6 and 8, in both orders and up to three stages a rank, shard 0 to 3 and groups, with both
        families, fp32 and bf16, and all kinds of recompute: in turn, and on 6 and 8 ranks so that every two settings meet."""
        models = set()
        for ranks, least, flags in LAUNCHES:
            with self.subTest(ranks=ranks):
                result = run(launched(ranks, TRAIN, "self-check", "--json", "--steps", STEPS, *flags), limit=600)
                self.assertEqual(result.status, 0, result)
                found = result.json
                self.assertEqual((found["ranks"], found["steps"], found["differ"]), (ranks, STEPS, 0))
                self.assertGreaterEqual(len(found["layouts"]), least)
                for one in found["layouts"]:
                    self.assertEqual([one[key] for key in ("loss", "grad_norm", "gradient", "state", "eval_loss", "scores", "equal")], [0, 0, 0, 0, 0, 0, True], one)
                    models.add(one["model"])
        self.assertEqual(len(models), 12)

    def test_the_table(self):
        result = run(launched(2, TRAIN, "self-check"))
        self.assertEqual(result.status, 0, result)
        lines = result.stdout.splitlines()
        self.assertIn("limit 0", lines[0])
        self.assertTrue(all(line.endswith("equal") for line in lines[1:-1]), result)
        self.assertRegex(lines[-1], "layouts of 2 ranks, 3 steps each beside one rank alone: all equal, to the bit")

    def test_a_planted_fault_is_found(self):
        """Each site and fault is tried where ranks are threads; here what users see of it."""
        sites = run(launched(0, TRAIN, "self-check", "--sites")).stdout.split()
        self.assertIn("gradient-parts", sites)
        found = run(launched(4, TRAIN, "self-check", "--plant", "gradient-parts:twice", "--steps", 1, "--fail-fast"))
        self.assertEqual(found.status, 1, found)
        self.assertRegex(found.stdout, "DIFFERS\n1 layouts of 4 ranks, 1 steps each beside one rank alone: 1 differ")
        hangs = run(launched(4, TRAIN, "self-check", "--plant", "activations:wrong-group", "--steps", 1, "--patience", 3))
        self.assertEqual(hangs.status, 1, hangs)
        self.assertRegex(hangs.stderr, "data 2, pipeline 2 .*: (receiving|sending) .* has not been done for 3 s")
        unused = run(launched(2, TRAIN, "self-check", "--plant", "borrowed-weights:skip", "--steps", 1))
        self.assertEqual(unused.status, 0, unused)
        self.assertIn("no message of borrowed-weights came by", unused.stdout)
        few = run(launched(2, TRAIN, "self-check", "--plant", "norm-parts:wrong-group"))
        self.assertEqual(few.status, 2, few)
        self.assertIn("needs 3 ranks or more, got 2", few.stderr)
        wrong = run(launched(0, TRAIN, "self-check", "--plant", "gradients:twice"))
        self.assertEqual(wrong.status, 2, wrong)
        self.assertRegex(wrong.stderr, f"--plant must be none or SITE:FAULT.*{sites[0]}.*got 'gradients:twice'")

    def test_a_run_goes_from_layout_to_layout(self):
        """Saved in each, loaded in the next: thirteen pairs."""
        chain = [(0, {}), (2, {"parallel.shard": 1}), (4, {"parallel.shard": 3}), (2, {"parallel.pipeline": 2}), (3, {"parallel.shard": 2}),
                 (8, {"parallel.pipeline": 2, "parallel.pipeline-chunks": 2, "parallel.shard": 3}), (6, {"parallel.pipeline": 3, "parallel.pipeline-order": "zero-bubble"}),
                 (4, {"parallel.shard": 2, "parallel.shard-group": 2}), (5, {"parallel.shard": 0}), (4, {"parallel.pipeline": 4, "parallel.shard": 0}), (1, {"parallel.shard": 3}),
                 (6, {"parallel.shard": 3, "parallel.shard-group": 3}), (2, {"parallel.pipeline": 2, "parallel.pipeline-order": "zero-bubble"}), (0, {})]
        config = {"model.layers": 4, "model.dropout": 0.1, "optimizer.ema-decay": 0.9, "schedule.name": "constant", "schedule.warmup-steps": 0, "eval.every-steps": 0,
                  "parallel.shard": 1, "parallel.shard-group": 0, "parallel.pipeline": 1, "parallel.pipeline-chunks": 1, "parallel.pipeline-order": "1f1b"}
        for precision in ("fp32", "bf16"):
            with self.subTest(precision=precision):
                whole, wandering = self.new_run(), self.new_run()
                keys = config | {"precision.compute": precision}
                expected = self.train(0, whole, keys | {"steps": 2 * len(chain)}).json
                for i, (ranks, layout) in enumerate(chain):
                    last = self.train(ranks, wandering, keys | layout | {"steps": 2 * (i + 1)}).json
                self.assertEqual(last["weights_hash"], expected["weights_hash"])
                self.assertEqual(trireme.repeated(wandering), trireme.repeated(whole))


if __name__ == "__main__":
    trireme.main()
