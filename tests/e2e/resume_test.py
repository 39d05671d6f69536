"""A run that was stopped and resumed, on whatever ranks, is the run that was never stopped."""
import json
import signal
import time

import trireme
from trireme import Case, checkpoint_steps, last_step, mixed, records, repeated

STEPS = 160
CONFIG = {"steps": STEPS, "eval.every-steps": 40, "checkpoint.every-steps": 30, "checkpoint.keep": 0}


class Resume(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.straight = cls.new_run("straight")
        cls.result = cls().train(0, cls.straight, CONFIG)

    def assert_undisturbed(self, run, result):
        self.assertEqual(repeated(run), repeated(self.straight))
        for key in ("weights_hash", "samples_hash", "loss", "eval_loss", "step", "tokens"):
            self.assertEqual(result.json[key], self.result.json[key], key)

    def stop_after(self, step, ranks, run, number=signal.SIGTERM):
        job = self.start(ranks, run, CONFIG)
        job.wait_until(lambda: last_step(run) >= step, what=f"step {step}")
        job.signal(number)
        result = job.finish(30)
        self.assertEqual(result.status, 75, result)
        self.assertIn("stopping on request", result.stderr)
        reached = result.json["step"]
        self.assertEqual(checkpoint_steps(run)[-1], reached, "the step that was reached is saved")
        # A step whose evaluation was stopped is logged when that is done.
        self.assertIn(last_step(run), (reached, reached - 1 if reached % CONFIG["eval.every-steps"] == 0 else reached))
        self.assertEqual(records(run, "events.jsonl")[-1]["reason"], "signal")
        return reached

    def test_stopped_twice_and_resumed_on_other_ranks(self):
        for worlds in ((2, 3, 0), (0, 5, 2)):
            with self.subTest(worlds=worlds):
                run = self.new_run()
                first = self.stop_after(25, worlds[0], run)
                second = self.stop_after(first + 20, worlds[1], run, signal.SIGINT)
                self.assertGreater(second, first)
                self.assertLess(second, STEPS)
                result = self.train(worlds[2], run, CONFIG)
                self.assertIn(f"resumed at step {second}", result.stderr)
                self.assert_undisturbed(run, result)
                events = [event["event"] for event in records(run, "events.jsonl")]
                self.assertEqual([events.count(name) for name in ("start", "resumed", "end")], [1, 2, 1])

    def test_a_complete_run_started_again_trains_nothing_and_prints_the_same(self):
        log = (self.straight / "metrics.jsonl").read_bytes()
        for ranks in (0, 2):
            again = self.train(ranks, self.straight, CONFIG)
            self.assertEqual(again.stdout, self.result.stdout)
        self.assertEqual((self.straight / "metrics.jsonl").read_bytes(), log)
        self.assertEqual([e["event"] for e in records(self.straight, "events.jsonl")].count("start"), 1)

    def test_config_of_the_run_stands_below_the_flags(self):
        """Only --run is needed to go on; more steps may be asked for."""
        run = self.new_run()
        self.train(0, run, CONFIG | {"steps": 30, "schedule.name": "constant"})
        result = trireme.run([trireme.TRAIN, "--run", run, "--json", "--steps=60"])
        self.assertEqual(result.status, 0, result)
        whole = self.new_run()
        expected = self.train(2, whole, CONFIG | {"steps": 60, "schedule.name": "constant"})
        self.assertEqual(result.json["weights_hash"], expected.json["weights_hash"])

    def test_dropout_goes_on_where_it_was_in_every_family(self):
        for family, keys in trireme.FAMILIES.items():
            with self.subTest(family):
                config = keys | {"steps": 20, "schedule.name": "constant", "model.dropout": 0.1, "data.micro-batch": 2}
                expected = self.train(0, self.new_run(), config)
                run = self.new_run()
                self.train(2, run, config | {"steps": 9})
                result = self.train(3, run, config | {"recompute": "full"})
                self.assertIn("resumed at step 9", result.stderr)
                self.assertEqual(result.json["weights_hash"], expected.json["weights_hash"])

    def test_wsd_with_more_steps_is_the_run_that_had_them_from_the_start(self):
        wsd = CONFIG | {"schedule.name": "wsd", "schedule.decay-steps": 20, "checkpoint.every-steps": 10}
        whole = self.new_run()
        expected = self.train(2, whole, wsd | {"steps": 90})
        run = self.new_run()
        self.train(0, run, wsd | {"steps": 60})
        result = self.train(0, run, wsd | {"steps": 90}, "--resume=40")
        self.assertNotIn("warning", result.stderr)
        self.assertEqual(result.json["weights_hash"], expected.json["weights_hash"])
        self.assertEqual(repeated(run), repeated(whole))

    def test_the_average_of_the_weights_goes_on_to_the_bit(self):
        config = CONFIG | {"steps": 60, "schedule.name": "wsd", "optimizer.ema-decay": 0.95}
        hashes = []
        for stops in ((), (20, 45)):
            run = self.new_run()
            for ranks, stop in enumerate(stops, 1):
                job = self.start(ranks, run, config)
                job.wait_until(lambda: last_step(run) >= stop, what=f"step {stop}")
                job.signal(signal.SIGTERM)
                self.assertIn(job.finish(30).status, (0, 75))
            result = self.train(3 if stops else 0, run, config)
            served = [trireme.run([trireme.SERVE, run, "--prompt", "The", "--weights", weights, "--max-tokens", "1", "--json"])
                      for weights in ("current", "ema")]
            for answer in served:
                self.assertEqual(answer.status, 0, answer)
            hashes.append([answer.json["weights_hash"] for answer in served])
            self.assertEqual(hashes[-1][0], result.json["weights_hash"])
            self.assertNotEqual(*hashes[-1])
        self.assertEqual(*hashes)
        refused = trireme.run([trireme.SERVE, self.straight, "--prompt", "The", "--weights", "ema"])
        self.assertEqual((refused.status, len(refused.lines)), (1, 1), refused)
        self.assertIn("optimizer.ema-decay 0", refused.stderr)
        refused = self.train(0, self.straight, CONFIG | {"steps": STEPS + 1, "optimizer.ema-decay": 0.9}, status=2)
        self.assertIn("optimizer.ema-decay", refused.stderr)

    def test_other_learning_rates_than_planned_are_said_so(self):
        run = self.new_run()
        self.train(0, run, CONFIG | {"steps": 20})
        result = self.train(0, run, CONFIG | {"steps": 30})
        self.assertIn("steps was 20 and is 30", result.stderr)

    def test_a_mixture_goes_on_from_other_folders_and_on_other_ranks(self):
        mixture = self.make_mixture()
        config = {"schedule.name": "constant", "checkpoint.every-steps": 10, "data.token-dropout": 0.1}
        whole, run = self.new_run(), self.new_run()
        expected = self.train(0, whole, config | {"steps": 30, "data.path": mixed(mixture)})
        self.train(2, run, config | {"steps": 13, "data.path": mixed(mixture)})
        moved = [(corpus.rename(corpus.with_name(f"moved-{corpus.name}")), weight) for corpus, weight in mixture[1:]]
        result = self.train(3, run, config | {"steps": 30, "data.path": mixed([*moved, mixture[0]])})
        self.assertIn("resumed at step 13", result.stderr)
        self.assertEqual(repeated(run), repeated(whole))
        for key in ("weights_hash", "samples_hash"):
            self.assertEqual(result.json[key], expected.json[key], key)

        other = [*moved, (mixture[0][0], 0.6)]
        result = self.train(2, run, {"steps": 40, "data.path": mixed(other)}, status=2)
        self.assertEqual(len(result.lines), 1, result)
        for words in ("data.path", "share 0.", "trained with 0.", str(trireme.checkpoint(run, 30))):
            self.assertIn(words, result.stderr)

    def test_resume_never_refuses_a_run_that_has_checkpoints(self):
        before = trireme.listing(self.straight)
        for ranks in (0, 2):
            result = self.train(ranks, self.straight, CONFIG, "--resume=never", status=2)
            self.assertEqual(len(result.lines), 1, result)
            self.assertIn("--resume=never", result.stderr)
        self.assertEqual(trireme.listing(self.straight), before)
        self.train(0, self.new_run(), CONFIG | {"steps": 5}, "--resume=never")

    def test_resume_from_a_step_goes_on_from_there(self):
        run = self.new_run()
        self.train(0, run, CONFIG)
        result = self.train(2, run, CONFIG, "--resume=60")
        self.assertIn("resumed at step 60", result.stderr)
        self.assert_undisturbed(run, result)
        before = trireme.listing(run)
        result = self.train(2, run, CONFIG, "--resume=61", status=2)
        self.assertEqual(len(result.lines), 1, result)
        self.assertIn("--resume=61", result.stderr)
        self.assertEqual(trireme.listing(run), before)

    def test_a_run_that_went_back_to_a_step_does_not_jump_forward_again(self):
        run = self.new_run()
        self.train(0, run, CONFIG)
        job = self.start(2, run, CONFIG | {"checkpoint.every-steps": 0}, "--resume=60")
        job.wait_until(lambda: 60 < last_step(run) < STEPS, what="a step after 60")
        job.signal(signal.SIGTERM)
        self.assertEqual(job.finish(30).status, 75)
        stopped = last_step(run)
        self.assertEqual(checkpoint_steps(run), [30, 60, stopped])
        result = self.train(2, run, CONFIG)
        self.assertIn(f"resumed at step {stopped}", result.stderr)
        self.assert_undisturbed(run, result)

    def test_stopped_again_and_again_at_any_moment(self):
        run = self.new_run()
        for delay in (0.05, 0.35, 0.6, 0.75, 0.9, 1.05):
            job = self.start(2, run, CONFIG)
            time.sleep(delay)
            job.signal(signal.SIGTERM)
            result = job.finish(60)
            self.assertIn(result.status, (0, 75), result)
        self.assert_undisturbed(run, self.train(3, run, CONFIG))


if __name__ == "__main__":
    trireme.main()
