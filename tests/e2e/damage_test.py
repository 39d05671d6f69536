"""A checkpoint never lies: every flipped bit and every cut is found, and the newest good checkpoint is used instead."""
import random
import shutil

import trireme
from trireme import MODEL, Case, checkpoint, checkpoint_steps, flip_bit, repeated, run

CONFIG = {"steps": 60, "checkpoint.every-steps": 20, "checkpoint.keep": 0, "checkpoint.writers": 2,
          "model.layers": 1}
BATCH = 50


class Damage(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.straight = cls.new_run("straight")
        cls.result = cls().train(2, cls.straight, CONFIG)
        cls.draw = random.Random(7)

    def copy(self):
        copy = self.new_run()
        shutil.copytree(self.straight, copy)
        return copy

    def assert_all_found(self, damages):
        """Each damage is done to a copy of one checkpoint; one process then verifies a batch of them."""
        source = checkpoint(self.straight, 60)
        for begin in range(0, len(damages), BATCH):
            folder = self.new_run("batch")
            batch = damages[begin:begin + BATCH]
            # The last one stays as it was: else a verify that refuses everything would pass.
            for number in range(len(batch) + 1):
                shutil.copytree(source, checkpoint(folder, number + 1))
            for number, (name, what, damage) in enumerate(batch):
                damage(checkpoint(folder, number + 1) / name)
            result = run([MODEL, "verify", folder, "--json"])
            self.assertEqual(result.status, 1, result)
            self.assertEqual(len(result.lines), 1, result)
            answers = {answer["checkpoint"]: answer for answer in result.json["checkpoints"]}
            self.assertEqual(len(answers), len(batch) + 1)
            for number, (name, what, _) in enumerate(batch):
                answer = answers[str(checkpoint(folder, number + 1))]
                self.assertFalse(answer["sound"], f"{what} of {name} was not found")
                self.assertTrue(any(name in problem for problem in answer["problems"]),
                                f"{what} of {name}: {answer['problems']}")
            self.assertTrue(answers[str(checkpoint(folder, len(batch) + 1))]["sound"])
            shutil.rmtree(folder)

    def files(self):
        return sorted(checkpoint(self.straight, 60).iterdir())

    def test_any_flipped_bit_is_found(self):
        files = self.files()
        self.assertEqual([path.name for path in files],
                         ["manifest.json", "rank-00000.h5", "rank-00001.h5", "tokenizer.json"])
        bits = []
        for path in files:
            size = 8 * path.stat().st_size
            bits += [(path.name, bit) for bit in (0, 1, 7, size - 8, size - 1)]
            bits += [(path.name, self.draw.randrange(size)) for _ in range(120)]
        self.assertEqual(len(bits), 500)
        self.assert_all_found([(name, f"flipped bit {bit}", lambda path, bit=bit: flip_bit(path, bit))
                               for name, bit in bits])

    def test_any_cut_or_growth_or_missing_file_is_found(self):
        def cut_to(size):
            def cut(path):
                with open(path, "r+b") as file:
                    file.truncate(size)
            return cut

        def grow(path):
            with open(path, "ab") as file:
                file.write(b"\n")

        damages = []
        for path in self.files():
            size = path.stat().st_size
            for kept in (0, 1, size - 1, *(self.draw.randrange(size) for _ in range(9))):
                damages.append((path.name, f"cut to {kept} of {size} bytes", cut_to(kept)))
            damages.append((path.name, "growth", grow))
            damages.append((path.name, "absence", lambda path: path.unlink()))
        damages.append(("stranger.h5", "presence", lambda path: path.write_text("?")))
        self.assert_all_found(damages)

    def test_the_next_start_uses_the_newest_good_step_and_says_so(self):
        def flip_in_the_middle(path):
            flip_bit(path, 4 * path.stat().st_size)

        def cut(path):
            path.write_bytes(path.read_bytes()[:-1])

        for ranks, steps, name, damage in ((0, [60], "rank-00000.h5", flip_in_the_middle), (2, [60], "rank-00001.h5", cut),
                                           (3, [60, 40], "manifest.json", flip_in_the_middle),
                                           (0, [60, 40], "manifest.json", cut),
                                           (2, [60], "rank-00001.h5", lambda path: path.unlink())):
            with self.subTest(ranks=ranks, steps=steps, name=name):
                folder = self.copy()
                for step in steps:
                    damage(checkpoint(folder, step) / name)
                result = self.train(ranks, folder, CONFIG)
                for step in steps:
                    [line] = [line for line in result.lines if f"step {step} is damaged" in line]
                    self.assertIn(name, line)
                self.assertIn(f"resumed at step {min(steps) - 20}", result.stderr)
                self.assertEqual(result.json["weights_hash"], self.result.json["weights_hash"])
                self.assertEqual(repeated(folder), repeated(self.straight))
                self.assertEqual(checkpoint_steps(folder), [20, 40, 60])
                verified = run([MODEL, "verify", folder])
                self.assertEqual(verified.status, 0, verified)

    def test_a_damaged_checkpoint_never_pushes_out_a_sound_one(self):
        folder = self.copy()
        path = checkpoint(folder, 60) / "rank-00000.h5"
        flip_bit(path, 8 * path.stat().st_size - 100)
        # Stopped again before the damaged step is reached, and only one is to be kept: it has to be a sound one.
        self.train(1, folder, CONFIG | {"steps": 45, "checkpoint.keep": 1})
        self.assertEqual(checkpoint_steps(folder), [45])
        self.assertEqual(len(list((folder / "checkpoints").glob("step-00000060.damaged-*"))), 1)
        result = self.train(0, folder, CONFIG | {"steps": 60, "checkpoint.keep": 1})
        self.assertIn("resumed at step 45", result.stderr)
        self.assertEqual(trireme.last_step(folder), 60)

    def test_a_run_without_a_good_checkpoint_is_refused_and_left_alone(self):
        folder = self.copy()
        for step in (20, 40, 60):
            flip_bit(checkpoint(folder, step) / "manifest.json", 4000)
        before = trireme.listing(folder)
        for ranks in (0, 2):
            result = self.train(ranks, folder, CONFIG, status=1)
            self.assertEqual(sum("error: " in line for line in result.lines), 1, result)
            self.assertIn("every checkpoint", result.lines[-1])
        self.assertEqual(trireme.listing(folder), before)

    def test_a_damaged_checkpoint_asked_for_by_step_is_refused(self):
        folder = self.copy()
        flip_bit(checkpoint(folder, 40) / "rank-00000.h5", 4 * (checkpoint(folder, 40) / "rank-00000.h5").stat().st_size)
        before = trireme.listing(folder)
        for ranks in (0, 2):
            result = self.train(ranks, folder, CONFIG, "--resume=40", status=1)
            self.assertEqual(len(result.lines), 1, result)
            self.assertIn("rank-00000.h5", result.stderr)
        self.assertEqual(trireme.listing(folder), before)


if __name__ == "__main__":
    trireme.main()
