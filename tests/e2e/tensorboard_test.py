"""What TensorBoard reads of a run: the numbers of the log, each step once, also after a resume and also when it was watching."""
import struct

from tensorboard.backend.event_processing import event_file_loader, plugin_event_accumulator
from tensorboard.util import tensor_util

import trireme
from trireme import Case, last_step, records

CONFIG = {"steps": 60, "eval.every-steps": 20, "checkpoint.every-steps": 25, "eval.sample-tokens": 8}
PROMPTS = ("--eval.prompts", "The king ", "--eval.prompts", "# no heading,\n* no <b>list</b>")


def float32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def board(run):
    return run / "tensorboard"


def accumulator(run):
    return plugin_event_accumulator.EventAccumulator(str(board(run)), size_guidance={"tensors": 0},
                                                     tensor_size_guidance={"scalars": 0, "text": 0})


def series(events, tag):
    return [(event.step, tensor_util.make_ndarray(event.tensor_proto).item()) for event in events.Tensors(tag)]


def texts(events, tag):
    return [(step, value.decode()) for step, value in series(events, tag)]


def unindented(text):
    lines = text.split("\n")
    assert all(line.startswith("    ") for line in lines), text
    return "\n".join(line[4:] for line in lines)


def raw_steps(run, tag):
    """Of all files in the folder, without what TensorBoard does to steps that come twice."""
    return [event.step for path in sorted(board(run).iterdir())
            for event in event_file_loader.LegacyEventFileLoader(str(path)).Load()
            for value in event.summary.value if value.tag == tag]


class TensorBoard(Case):
    def assert_log(self, events, run):
        log = records(run)
        for tag, name in (("train/loss", "loss"), ("train/grad_norm", "grad_norm"), ("train/tokens", "tokens"),
                          ("train/learning_rate", "learning_rate"), ("speed/step_ms", "step_ms"),
                          ("memory/resident_bytes", "memory_bytes")):
            self.assertEqual(series(events, tag), [(r["step"], float32(r[name])) for r in log], tag)
        self.assertEqual([e.wall_time for e in events.Tensors("train/loss")], [r["time"] for r in log])
        happened = records(run, "events.jsonl")
        self.assertEqual(series(events, "eval/validation/loss"),
                         [(r["step"], float32(r["eval_loss"])) for r in log if "eval_loss" in r])
        for number in (1, 2):
            self.assertEqual([(step, unindented(text)) for step, text in texts(events, f"sample/{number}")],
                             [(e["step"], e["prompt"] + e["text"]) for e in happened
                              if e["event"] == "sample" and e["number"] == number])
        self.assertEqual(unindented(texts(events, "config")[-1][1]), (run / "config.yaml").read_text())

    def test_holds_the_log_the_texts_and_the_config(self):
        run = self.new_run()
        self.train(2, run, CONFIG, *PROMPTS)
        events = accumulator(run).Reload()
        self.assert_log(events, run)
        self.assertEqual([step for step, _ in series(events, "eval/validation/loss")], [20, 40, 60])
        self.assertEqual([step for step, _ in texts(events, "sample/2")], [20, 40, 60])

    def test_no_step_comes_twice_after_a_loss_and_a_resume(self):
        run = self.new_run()
        job = self.start(0, run, CONFIG | {"steps": 2000}, *PROMPTS)
        job.wait_until(lambda: last_step(run) >= 60, what="step 60")
        job.kill()
        job.finish()
        watching = accumulator(run).Reload()
        lost = raw_steps(run, "train/loss")
        self.assertGreater(lost[-1], 50, "it wrote past its last checkpoint")
        self.train(0, run, CONFIG | {"steps": lost[-1] + 10}, *PROMPTS)
        self.assertEqual(len([path for path in board(run).iterdir() if path.stat().st_size]), 1, "one file that holds something")
        self.assertEqual(raw_steps(run, "train/loss"), [r["step"] for r in records(run)])
        self.assert_log(accumulator(run).Reload(), run)
        self.assert_log(watching.Reload(), run)  # one that had read the lost steps

    def test_samples_leave_no_trace_in_the_weights(self):
        hashes = [self.train(ranks, self.new_run(), CONFIG, f"--eval.sample-tokens={tokens}", *PROMPTS).json["weights_hash"]
                  for ranks, tokens in ((0, 8), (0, 0), (2, 40))]
        self.assertEqual(len(set(hashes)), 1, hashes)


if __name__ == "__main__":
    trireme.main()
