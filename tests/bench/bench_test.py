"""The benchmarks' own arithmetic and page; nothing here measures. .venv/bin/python tests/bench/bench_test.py"""
import io
import os
import subprocess
import sys
import unittest
from contextlib import redirect_stderr

import bench
import report
import training
from measure import Better, BenchError, Group, Neighbours, figure, in_turns, pinned

SPIN = "import time; end = time.process_time() + 0.5\nwhile time.process_time() < end: pass"


class Figures(unittest.TestCase):
    def test_the_ratio_is_of_medians_and_its_spread_of_single_turns(self):
        entry = figure("tokens/s", [10, 30, 20], [10, 10, 40], Better.HIGHER)
        self.assertEqual((entry["ratio"], entry["ratio_min"], entry["ratio_max"]), (2, 0.5, 3))
        self.assertEqual((entry["ours"]["median"], entry["ours"]["min"], entry["ours"]["max"]), (20, 10, 30))
        self.assertNotIn("met", entry)

    def test_a_target_binds_in_its_own_direction_and_its_bound_is_met(self):
        for better, ratio, met in ((Better.HIGHER, 1.5, True), (Better.HIGHER, 1.49, False), (Better.LOWER, 1.5, True), (Better.LOWER, 1.51, False)):
            self.assertIs(figure("", [ratio], [1], better, 1.5)["met"], met, (better, ratio))

    def test_equal_means_closer_than_one_sides_own_runs(self):
        self.assertTrue(figure("", [3.0, 3.1, 3.2], [3.25, 3.2, 3.3], Better.EQUAL)["met"])
        self.assertFalse(figure("", [3.0, 3.1, 3.2], [3.45, 3.4, 3.5], Better.EQUAL)["met"])

    def test_turns_alternate(self):
        order = []
        in_turns(2, lambda: order.append("ours"), lambda: order.append("peer"))
        self.assertEqual(order, ["ours", "peer", "ours", "peer"])


class NeighboursTakeCores(unittest.TestCase):
    cores = sorted(os.sched_getaffinity(0))[:1]

    def share(self, command):
        """What is said of others while a child of ours and this other program run."""
        Neighbours.worst = 0.0
        other = subprocess.Popen(pinned(self.cores, command))
        with redirect_stderr(io.StringIO()) as said, Neighbours(self.cores):
            subprocess.run(pinned(self.cores, [sys.executable, "-c", SPIN]), check=True)
        other.kill()
        other.wait()
        return Neighbours.worst, said.getvalue()

    def test_others_are_told_from_our_own(self):
        share, said = self.share([sys.executable, "-c", SPIN.replace("0.5", "60")])
        self.assertGreater(share, 0.3)
        self.assertLess(share, 0.9, "our own half is no other's")
        self.assertIn("warning: other programs took", said)


class Training(unittest.TestCase):
    def test_a_rate_is_of_the_median_step_after_warmup(self):
        records = [{"step_ms": ms} for ms in (9000, 100, 300, 200)]
        keys = {"data.global-batch": 4, "data.sequence-length": 50}
        self.assertEqual(training.step_rate(records, keys, 1), 1000)
        self.assertEqual(training.step_rate(records, keys, 1, of=min), 2000)
        with self.assertRaises(BenchError):
            training.step_rate(records, keys, 4)

    def test_operations_are_six_a_multiplying_weight_and_causal_attention(self):
        keys = {"model.width": 2, "model.layers": 3, "model.ffn": 5, "data.sequence-length": 7}
        self.assertEqual(training.flops_per_token(keys, 11), 6 * (3 * (4 * 4 + 3 * 10) + 22) + 6 * 3 * 2 * 7)

    def test_all_shapes_are_legal(self):
        for shape, (keys, _) in training.SHAPES.items():
            self.assertEqual(keys["model.width"] % (2 * keys["model.heads"]), 0, shape)


class Page(unittest.TestCase):
    def test_only_the_named_section_is_made_anew(self):
        section = "<!-- {0}: made by scripts/bench, not to be edited -->\n{1}<!-- {0}: end -->\n"
        page = "# a\n" + section.format("train", "old\n") + "between\n" + section.format("start", "kept\n")
        once = report.replaced(page, "train", ["new"])
        self.assertEqual(once, page.replace("old", "new"))
        self.assertEqual(report.replaced(once, "train", ["new"]), once)

    def test_a_page_without_the_section_is_an_error(self):
        with self.assertRaises(BenchError):
            report.replaced("# a\n", "train", [])

    def test_the_page_of_the_tree_shows_the_results_of_the_tree(self):
        page = report.PAGE.read_text()
        for name, group in bench.GROUPS.items():
            results = report.load(name)
            self.assertEqual(report.replaced(page, name, report.table(group, results) if results else []), page, name)

    def test_a_missed_target_is_named(self):
        results = {"a": {"figures": [figure("rate", [1], [1], Better.HIGHER, 2)]}, "b": {"figures": [figure("rate", [2], [1], Better.HIGHER, 2)]}}
        (line,) = report.missed(Group(), results)
        self.assertIn("a: rate is 1.00", line)


class CommandLine(unittest.TestCase):
    def test_what_is_wrong_is_refused_with_status_2(self):
        for words in (["nonsense"], ["train", "--only", "nonsense"], ["--only", "0.9M-fp32"], ["--runs", "0"], ["--cores", "0"], ["--cores", "a,b"]):
            with self.assertRaises(SystemExit) as ended, redirect_stderr(io.StringIO()):
                bench.parse(words)
            self.assertEqual(ended.exception.code, 2, words)


if __name__ == "__main__":
    unittest.main()
