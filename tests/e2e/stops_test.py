"""Stops that come in an evaluation or by the clock, and which checkpoints stay for their loss."""
import json
import signal
import time

import trireme
from trireme import Case, checkpoint_steps, last_step, records, repeated

# A step takes 10 ms, an evaluation some seconds.
STEPS = 12
LONG = {"steps": STEPS, "eval.every-steps": 5, "checkpoint.every-steps": 0, "data.global-batch": 4}


class Stops(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.long = cls.make_corpus("long", seed=2, words=60000, validation=0.9)

    def event(self, run, name):
        return [event for event in records(run, "events.jsonl") if event["event"] == name]

    def test_an_evaluation_is_stopped_at_once_and_made_at_the_next_start(self):
        config = LONG | {"data.path": self.long, "optimizer.ema-decay": 0.9}
        straight = self.new_run()
        expected = self.train(2, straight, config)
        # Signals come when half of the shortest evaluation is over, however fast this machine is.
        logged = {record["step"]: record["time"] for record in records(straight)}
        shortest = min(event["time"] - logged[event["step"] - 1] for event in self.event(straight, "eval"))
        # The last evaluation: of a run that has done all of its steps.
        for evaluations, ranks in ((0, 2), (0, 0), (2, 3)):
            with self.subTest(evaluations=evaluations, ranks=ranks):
                run = self.new_run()
                step = (5, 10, STEPS)[evaluations]
                job = self.start(ranks, run, config)
                job.wait_until(lambda: last_step(run) >= step - 1, what=f"step {step - 1}")
                time.sleep(shortest / 2)
                sent = time.monotonic()
                job.signal(signal.SIGTERM)
                result = job.finish(60)
                self.assertLess(time.monotonic() - sent, 3, "not the rest of the evaluation")
                self.assertEqual((result.status, result.json["step"]), (75, step), result)
                self.assertEqual(len(self.event(run, "eval")), evaluations)
                self.assertEqual((last_step(run), checkpoint_steps(run)[-1]), (step - 1, step))
                self.assertEqual(self.event(run, "stopped")[-1]["reason"], "signal")
                result = self.train(ranks, run, config)
                self.assertEqual(repeated(run), repeated(straight))
                self.assertEqual([event["eval_loss"] for event in self.event(run, "eval")],
                                 [event["eval_loss"] for event in self.event(straight, "eval")])
                for key in ("weights_hash", "eval_loss", "eval_bits_per_byte"):
                    self.assertEqual(result.json[key], expected.json[key], key)

    def test_a_stop_while_texts_are_written_cuts_them_short_and_undoes_nothing(self):
        config = {"steps": 6, "eval.every-steps": 3, "checkpoint.every-steps": 0}
        straight = self.new_run()
        expected = self.train(2, straight, config, "--eval.sample-tokens=0")
        run = self.new_run()
        # Behind the last evaluation the run is done, whatever becomes of its texts.
        for step, status in ((3, 75), (6, 0)):
            job = self.start(2, run, config, *["--eval.prompts=The"] * 800)
            job.wait_until(lambda: f"step {step}: validation loss" in job.stderr(), what="the evaluation")
            job.signal(signal.SIGTERM)
            result = job.finish(30)
            self.assertEqual((result.status, result.json["step"]), (status, step), result)
            self.assertEqual(checkpoint_steps(run)[-1], step)
            reasons = [event["finish_reason"] for event in self.event(run, "sample") if event["step"] == step]
            self.assertEqual((len(reasons), reasons[-1]), (800, "interrupted"))
        self.assertEqual(repeated(run), repeated(straight))
        self.assertEqual(result.json["weights_hash"], expected.json["weights_hash"])
        self.assertEqual(records(run, "events.jsonl")[-1]["event"], "end")

    def test_several_sets_are_evaluated_and_told_by_name(self):
        other = self.make_corpus("other", seed=3)
        # Encoded whole, with the first corpus's tokenizer.
        whole, text = self.folder / "whole", self.folder / "other.txt"
        encoded = trireme.run([trireme.DATA, "encode", "--tokenizer", f"{self.corpus}.tokenizer.json", "--input", text, "--out", whole])
        self.assertEqual(encoded.status, 0, encoded)
        config = {"steps": 6, "eval.every-steps": 3, "optimizer.ema-decay": 0.5}
        plain, run = self.new_run(), self.new_run()
        self.train(0, plain, config)
        result = self.train(3, run, config | {"eval.sets": f"whole={whole},again={self.corpus}"})
        for step, (one, more) in enumerate(zip(repeated(plain), repeated(run)), 1):
            self.assertEqual(one, more, "further sets change nothing")
            self.assertEqual("eval_loss" in one, step in (3, 6))
        evaluations = [record["eval"] for record in records(run) if "eval" in record]
        self.assertEqual([event["eval"] for event in self.event(run, "eval")], evaluations)
        for found, event in zip(evaluations, self.event(run, "eval")):
            self.assertEqual(set(found), {"validation", "whole", "again"})
            self.assertEqual(found["validation"], found["again"], "the same text")
            self.assertNotEqual(found["validation"], found["whole"])
            self.assertEqual(found["validation"]["loss"], event["eval_loss"])
            self.assertEqual(set(found["whole"]), {"loss", "bits_per_byte", "ema_loss", "ema_bits_per_byte"})
        for name in ("validation", "whole", "again"):
            self.assertIn(f"step 6: {name} loss", result.stderr)
        # A part of each set, the same from any number of ranks; all of it when more is asked for than there is.
        parts = []
        for ranks, batches in ((0, 7), (3, 7), (2, 100000)):
            run = self.new_run()
            self.train(ranks, run, config | {"eval.batches": batches})
            parts.append(records(run)[-1]["eval"]["validation"])
        self.assertEqual(parts[0], parts[1])
        self.assertEqual(parts[2], evaluations[-1]["validation"])
        self.assertNotEqual(parts[0], parts[2])
        self.assertAlmostEqual(parts[0]["loss"] / parts[2]["loss"], 1, delta=0.2)
        for sets, status, message in ((f"x={other}", 1, "another tokenizer"), ("x=/no/such", 1, "/no/such"), ("x", 2, "NAME=DIRECTORY")):
            refused = self.train(0, self.new_run(), config | {"eval.sets": sets}, status=status)
            self.assertEqual(len(refused.lines), 1, refused)
            self.assertIn(message, refused.stderr)

    def test_a_time_limit_saves_stops_and_can_be_gone_on_from(self):
        config = {"steps": 400, "checkpoint.every-steps": 0}
        straight = self.new_run()
        expected = self.train(0, straight, config)
        run = self.new_run()
        endless = config | {"steps": 100000, "schedule.name": "constant"}
        for ranks, limit in ((0, "3"), (2, "4s")):
            run = self.new_run()
            started = time.monotonic()
            result = self.train(ranks, run, endless, f"--time-limit={limit}", status=75)
            self.assertLess(time.monotonic() - started, int(limit.rstrip("s")) + 0.5 * ranks)
            self.assertIn("stopping for the time limit", result.stderr)
            step = result.json["step"]
            self.assertGreater(step, 5)
            self.assertEqual(checkpoint_steps(run), [step])
            self.assertEqual(records(run, "events.jsonl")[-1] | {"time": 0},
                             {"event": "stopped", "step": step, "time": 0, "reason": "time-limit"})
        # Nothing of the limit stays in the run.
        again = self.train(3, run, endless | {"steps": step + 5}, status=0)
        self.assertEqual(again.json["step"], step + 5)
        done = self.train(0, self.new_run(), config, "--time-limit=1h")
        self.assertEqual(done.json["weights_hash"], expected.json["weights_hash"], "a limit that is far away changes nothing")

    def test_a_time_limit_stops_an_evaluation(self):
        run = self.new_run()
        config = LONG | {"data.path": self.long, "steps": 1000, "eval.every-steps": 20, "schedule.name": "constant"}
        result = self.train(2, run, config, "--time-limit=4", status=75)
        self.assertLess(result.seconds, 6, result)
        self.assertEqual(self.event(run, "stopped")[-1]["reason"], "time-limit")

    def test_a_time_limit_that_is_no_duration_is_refused(self):
        for limit in ("soon", "", "0", "-1", "1h30", "1.5h"):
            result = self.train(0, self.new_run(), {}, f"--time-limit={limit}", status=2)
            self.assertEqual(len(result.lines), 1, result)
            self.assertIn("--time-limit", result.stderr)
            self.assertIn(limit, result.stderr)

    def test_the_best_checkpoints_stay_and_are_found_by_name(self):
        # A learning rate that ruins what was learnt: the best are in the middle.
        config = {"steps": 60, "eval.every-steps": 5, "checkpoint.every-steps": 7, "checkpoint.keep": 2, "checkpoint.keep-best": 2,
                  "optimizer.learning-rate": 1, "optimizer.clip-norm": 0, "schedule.name": "linear", "schedule.warmup-steps": 60}
        run = self.new_run()
        self.train(2, run, config)
        losses = {event["step"]: event["eval_loss"] for event in self.event(run, "eval")}
        ranked = sorted(losses, key=lambda step: (losses[step], -step))
        self.assertNotIn(60, ranked[:2], losses)
        self.assertEqual(checkpoint_steps(run), sorted({*ranked[:2], 56, 60}))
        saved = {event["step"]: event for event in self.event(run, "checkpoint-durable")}
        for step, loss in losses.items():
            before = sorted(losses[other] for other in losses if other < step)
            if len(before) < 2 or loss < before[1]:
                self.assertEqual(saved[step]["eval_loss"], loss)
                self.assertEqual(saved[step]["best"], not before or loss <= before[0])

        def best_of(*command):
            result = trireme.run([*command, "--json"])
            self.assertEqual(result.status, 0, result)
            return result.json
        inspected = best_of(trireme.MODEL, "inspect", run)
        self.assertEqual((inspected["step"], inspected["best"]), (60, {"step": ranked[0], "eval_loss": losses[ranked[0]]}))
        best = best_of(trireme.MODEL, "inspect", run, "--step", "best")
        self.assertEqual((best["step"], best["eval_loss"]), (ranked[0], losses[ranked[0]]))
        answer = best_of(trireme.SERVE, run, "--step", "best", "--prompt", "The", "--max-tokens", "1")
        self.assertEqual(answer["weights_hash"], best["weights_hash"])

        # Going on, or back to a step before them, deletes none of them.
        self.train(0, run, config | {"steps": 70})
        self.assertTrue({*ranked[:2]} <= {*checkpoint_steps(run)})
        self.train(0, run, config | {"steps": 70}, f"--resume={min(ranked[:2])}")
        kept = [path for path in (run / "checkpoints").iterdir() if ".left-" in path.name]
        self.assertEqual([path.name.split(".")[0] for path in kept], [f"step-{max(ranked[:2]):08}"])
        self.assertEqual(json.loads((kept[0] / "manifest.json").read_text())["training"]["eval-loss"], losses[max(ranked[:2])])


if __name__ == "__main__":
    trireme.main()
