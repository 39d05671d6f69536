"""The benchmarks' own arithmetic and page; nothing here measures. .venv/bin/python tests/bench/bench_test.py"""
import dataclasses
import io
import json
import math
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest
from contextlib import redirect_stderr

import bench
import report
import training
import tune_bench
import tune_functions
import tune_peer
import tune_runs
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
        Neighbours.worst = None
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


def regrets_of(ours, **peers):
    """One function's regrets, a seed a tuner, of peers that are named and of others that are far off."""
    return {"trireme bayes": [ours]} | {peer: [peers.get(peer.replace("-", "_"), 100.0)] for peer in tune_bench.PEERS}


class TuneVerdict(unittest.TestCase):
    def test_what_lies_below_a_thousandth_of_random_search_is_equal(self):
        medians, floor = tune_bench.floored({"random": [1000, 3000, 2000], "ax": [0, 1, 2.1], "grid": [3, 3, 3]})
        self.assertEqual((floor, medians), (2, {"random": 2000, "ax": 2, "grid": 3}))

    def test_equal_ones_share_their_places(self):
        self.assertEqual(tune_bench.ranks({"a": 5, "b": 1, "c": 5, "d": 7}), {"a": 2.5, "b": 1, "c": 2.5, "d": 4})

    def test_quartiles_lie_between_neighbours(self):
        self.assertEqual(tune_bench.quartiles([4, 1, 3, 2]), (1.75, 2.5, 3.25))
        self.assertEqual(tune_bench.quartiles([7]), (7, 7, 7))

    def test_a_function_is_judged_against_its_own_best_peer(self):
        entry = tune_bench.regret_figure(regrets_of(3.0, ax=1.5, optuna_gp=2.0))
        self.assertEqual((entry["figure"], entry["ratio"], entry["met"]), ("regret; peer: ax", 2.0, True))
        self.assertFalse(tune_bench.regret_figure(regrets_of(3.1, ax=1.5))["met"])

    def test_a_regret_of_nothing_divides_nothing(self):
        self.assertEqual(tune_bench.regret_figure(regrets_of(0.0, ax=0.0))["ratio"], 1)
        self.assertEqual(tune_bench.regret_figure(regrets_of(0.2, ax=0.0))["ratio"], 2)  # a thousandth of 100 is 0.1
        self.assertEqual(tune_bench.regret_figure({tuner: [0.0] for tuner in regrets_of(0)})["ratio"], 1)

    def test_three_of_four_functions_and_the_best_mean_rank_are_asked_for(self):
        good, poor = regrets_of(1.0, ax=2.0, grid=3.0), regrets_of(2.0, ax=1.0, grid=3.0)
        reached, rank = tune_bench.verdict(dict(zip("abcd", (good, good, good, poor))))
        self.assertEqual((reached["ratio"], reached["met"], rank["figure"], rank["met"]), (0.75, True, "mean rank; peer: ax", True))
        reached, rank = tune_bench.verdict(dict(zip("abcd", (good, poor, poor, poor))))
        self.assertEqual((reached["met"], rank["met"]), (False, False))

    def test_the_incumbent_is_what_was_observed_lowest(self):
        observed, values = [5.0] * 9 + [1.0, 2.0], [5.0] * 9 + [3.0, 2.0]
        self.assertEqual(tune_runs.regrets(values, observed, 0.5), [2.5, 2.5])

    def test_runs_are_a_line_each_and_read_back(self):
        runs = {"ax 1": {"branin 00": {"10": {"regret": [2.0]}, "2": {"regret": [1.0]}}}}
        self.assertEqual(json.loads(tune_runs.as_text(runs)), runs)
        self.assertEqual(sum("regret" in line for line in tune_runs.as_text(runs).splitlines()), 2)

    def test_a_set_is_judged_once_all_of_it_is_there(self):
        results = {name: {"regrets": regrets_of(1.0)} for name in tune_functions.FIXED}
        group = tune_bench.Tune()
        self.assertIn("all 8 fixed", [case for case, _ in group.figures(results)])
        self.assertTrue(list(group.notes(results)))
        del results["branin"]
        self.assertNotIn("all 8 fixed", [case for case, _ in group.figures(results)])


class TuneFunctions(unittest.TestCase):
    functions = [*tune_functions.FIXED.values(), *tune_functions.drawn(3).values()]

    def test_no_point_is_below_the_minimum_and_an_inactive_dimension_is_left_out(self):
        draw = random.Random(1)
        for function in self.functions:
            for _ in range(200):
                point = function.at([draw.random() for _ in function.dimensions])
                self.assertGreaterEqual(function.value(point), function.minimum, function.name)
                for dimension in function.dimensions:
                    self.assertEqual(dimension.name in point, all(point.get(parent) == value for parent, value in dimension.when.items()), function.name)
                    if dimension.name in point and not dimension.choices:
                        self.assertTrue(dimension.min <= point[dimension.name] <= dimension.max, dimension)

    def test_the_minimum_is_reached_where_a_base_has_it(self):
        for name, base in tune_functions.BASES.items():
            self.assertAlmostEqual(base.value(tune_functions.np.array(base.best, float)), base.minimum, delta=3e-4, msg=name)

    def test_the_minimum_of_the_space_with_branches_is_reached(self):
        function = tune_functions.FIXED["mixed-conditional"]
        rate = function.dimensions[1]
        width = function.dimensions[9].share(512)
        point = {"model": "network", "rate": math.exp(math.log(rate.min) * (1 - (0.75 - 0.6 * width))), "sample": 0.91, "layers": 6, "width": 512,
                 "activation": "leaky", "slope": 0.1}
        self.assertAlmostEqual(function.value(point), 0, delta=1e-12)

    def test_a_seed_draws_the_same_functions_and_another_seed_others(self):
        again = [function.definition for function in tune_functions.drawn.__wrapped__(3).values()]
        self.assertEqual(again, [function.definition for function in tune_functions.drawn(3).values()])
        self.assertNotEqual(again, [function.definition for function in tune_functions.drawn(4).values()])
        self.assertEqual(len(again), 10)

    def test_noise_belongs_to_the_run_and_the_trial(self):
        function = tune_functions.FIXED["noisy-hartmann-6"]
        point = function.at([0.5] * 6)
        told = [function.observed(point, seed, trial) for seed, trial in ((1, 1), (1, 1), (1, 2), (2, 1))]
        self.assertEqual((told[0], len(set(told))), (told[1], 3))

    def test_a_sweep_says_what_a_dimension_is(self):
        text = tune_bench.sweep(tune_functions.FIXED["mixed-conditional"], "bayes")
        for line in ("method: bayes", "  rate: {min: 1.0e-05, max: 1.0, log: true}", "  leaf: {min: 1, max: 64, log: true, when: {model: trees}}",
                     "  slope: {min: 0.0, max: 0.5, when: {activation: leaky}}", "  model: {values: [linear, trees, network]}"):
            self.assertIn(line, text.splitlines())

    def test_a_search_of_ours_is_run_to_its_end(self):
        """Against a program that answers like tune_probe, each line once: what is asked and told, and in which order."""
        probe = ("#!/usr/bin/env python3\nimport json, sys\n"
                 "log = open(sys.argv[0] + '.log', 'w')\n"
                 "for trial, line in enumerate(sys.stdin):\n"
                 "    print(line, end='', file=log, flush=True)\n"
                 "    question = json.loads(line)\n"
                 "    print(json.dumps({'params': {'x0': 0.5, 'x1': 7.5}, 'seconds': 0.25, 'trial': (trial - 1) // 2} if 'ask' in question else {'ok': True}), flush=True)\n")
        function = dataclasses.replace(tune_functions.FIXED["branin"], evaluations=3)
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder, "tune_probe")
            program.write_text(probe)
            program.chmod(0o755)
            run = tune_bench.search(pathlib.Path(folder), min(os.sched_getaffinity(0)), function, "bayes", 4)
            asked = [json.loads(line) for line in (program.parent / "tune_probe.log").read_text().splitlines()]
        self.assertEqual(asked[0], {"sweep": tune_bench.sweep(function, "bayes"), "seed": 4})
        self.assertEqual([("ask" in line, line.get("tell")) for line in asked[1:]], [(True, None), (False, 0), (True, None), (False, 1), (True, None), (False, 2)])
        self.assertEqual((len(run["values"]), run["seconds"]), (3, [0.25] * 3))
        self.assertEqual([line["value"] for line in asked[2::2]], run["observed"])

    def test_points_that_need_no_answer_fill_every_space(self):
        for function in self.functions:
            for peer in (tune_peer.Random, tune_peer.Grid):
                run = tune_peer.run(peer, function, 1)
                self.assertEqual(len(run["values"]), function.evaluations, function.name)


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
        for words in (["nonsense"], ["train", "--only", "nonsense"], ["--only", "0.9M-fp32"], ["--runs", "0"], ["--cores", "0"], ["--cores", "a,b"],
                      ["start", "--drawn", "7"], ["--peers-only"], ["tune", "--drawn", "x"]):
            with self.assertRaises(SystemExit) as ended, redirect_stderr(io.StringIO()):
                bench.parse(words)
            self.assertEqual(ended.exception.code, 2, words)


if __name__ == "__main__":
    unittest.main()
