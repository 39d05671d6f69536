"""What was trained answers: whole UTF-8, the same seed the same answer, the checkpoint's hash in every answer."""
import shutil
import signal
import subprocess

import trireme
from trireme import SERVE, Case, checkpoint, checkpoint_steps, flip_bit, records, run


class Serve(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.trained = cls.new_run()
        cls.result = cls().train(2, cls.trained, {"steps": 60, "checkpoint.every-steps": 20})

    def answer(self, *flags, model=None, status=0):
        result = run([SERVE, model or self.trained, *flags])
        self.assertEqual(result.status, status, result)
        return result

    def test_the_same_seed_gives_the_same_answer(self):
        prompt = ("--prompt", "The king ", "--max-tokens", 40)
        self.assertEqual(self.answer(*prompt, "--seed", 3).stdout, self.answer(*prompt, "--seed", 3).stdout)
        self.assertNotEqual(self.answer(*prompt, "--seed", 3).stdout, self.answer(*prompt, "--seed", 4).stdout)

    def test_temperature_0_repeats_whatever_the_seed(self):
        answers = {self.answer("--prompt", "The ship ", "--temperature", 0, "--seed", seed, "--max-tokens", 30).stdout
                   for seed in (1, 2, 3)}
        self.assertEqual(len(answers), 1)
        self.assertGreater(len(answers.pop()), 20)

    def test_the_answer_carries_the_hash_of_the_weights(self):
        for model in (self.trained, checkpoint(self.trained, 60)):
            answer = self.answer("--prompt", "The king", "--json", model=model)
            self.assertEqual(len(answer.stdout.splitlines()), 1)
            self.assertEqual(answer.json["weights_hash"], self.result.json["weights_hash"])
        older = [event["weights_hash"] for event in records(self.trained, "events.jsonl")
                 if event["event"] == "checkpoint-durable" and event["step"] == 40]
        answer = self.answer("--prompt", "The king", "--json", model=checkpoint(self.trained, 40))
        self.assertEqual([answer.json["weights_hash"]], older)

    def test_text_streams_in_whole_characters(self):
        """High temperatures draw tokens that are parts of characters; none may reach the terminal in halves."""
        pieces = 0
        for seed in range(4):
            process = subprocess.Popen([SERVE, self.trained, "--prompt", "The café — ", "--temperature", "5", "--seed",
                                        str(seed), "--max-tokens", "100"], stdout=subprocess.PIPE, bufsize=0,
                                       env=trireme.clean_environment())
            self.addCleanup(process.stdout.close)
            while piece := process.stdout.read(1 << 16):
                piece.decode("utf-8")  # strict: raises in the middle of a character
                pieces += 1
            self.assertEqual(process.wait(30), 0)
        self.assertGreater(pieces, 20, "it streams")

    def test_a_model_that_is_not_there_or_damaged_is_one_line(self):
        empty = self.new_run("empty")
        empty.mkdir()
        for path in (self.folder / "nowhere", empty, self.corpus, self.folder / "corpus.txt"):
            result = self.answer("--prompt", "x", model=path, status=1)
            self.assertEqual(len(result.lines), 1, result)
            self.assertIn(str(path), result.stderr)
            self.assertEqual(result.stdout, "")

    def test_wrong_flags_are_one_line(self):
        for flags, named in ((("--prompt", "x", "--temperature", "nan"), "temperature"),
                             (("--prompt", "x", "--max-tokens", "-1"), "max-tokens"),
                             (("--prompt", "x", "--tempratur", "1"), "did you mean"),
                             (("--prompt", "x", "--top-p", "1.5"), "top-p"), ((), "--prompt")):
            result = self.answer(*flags, status=2)
            self.assertEqual(len(result.lines), 1, result)
            self.assertIn(named, result.stderr)

    def test_a_damaged_newest_checkpoint_is_passed_over(self):
        copy = self.new_run()
        shutil.copytree(self.trained, copy)
        flip_bit(checkpoint(copy, 60) / "rank-00000.h5", 4 * (checkpoint(copy, 60) / "rank-00000.h5").stat().st_size)
        result = self.answer("--prompt", "x", "--json", model=copy)
        self.assertIn("rank-00000.h5", result.stderr)
        forty = self.answer("--prompt", "x", "--json", model=checkpoint(self.trained, 40))
        self.assertEqual(result.json, forty.json)

    def test_a_run_that_still_trains_is_served(self):
        folder = self.new_run()
        job = self.start(1, folder, {"steps": 100000, "checkpoint.every-steps": 10})
        job.wait_until(lambda: checkpoint_steps(folder), what="a checkpoint")
        known = set()
        for _ in range(5):
            # Older checkpoints go while it reads: that must not matter.
            answer = self.answer("--prompt", "The king", "--json", "--max-tokens", 5, model=folder)
            known.add(answer.json["weights_hash"])
        job.signal(signal.SIGTERM)
        self.assertEqual(job.finish(60).status, 75)
        durable = {event["weights_hash"] for event in records(folder, "events.jsonl")
                   if event["event"] == "checkpoint-durable"}
        self.assertLessEqual(known, durable)
        self.assertGreater(len(known), 1, "newer weights are seen")


if __name__ == "__main__":
    trireme.main()
