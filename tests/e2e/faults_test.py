"""Ranks that are killed, fail or are stopped: the others say so at once, the status is true, nothing that counts is lost."""
import os
import random
import signal
import time

import trireme
from trireme import Case, checkpoint, checkpoint_steps, last_step, repeated

STEPS = 150
CONFIG = {"steps": STEPS, "checkpoint.every-steps": 20}
NOTICE_SECONDS = 2


class Faults(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.straight = cls.new_run("straight")
        cls.result = cls().train(0, cls.straight, CONFIG)

    def assert_undisturbed(self, run, result):
        self.assertEqual(repeated(run), repeated(self.straight))
        self.assertEqual(result.json["weights_hash"], self.result.json["weights_hash"])

    def started(self, ranks, run, step, config=CONFIG, **more):
        job = self.start(ranks, run, config, **more)
        job.wait_until(lambda: last_step(run) >= step, what=f"step {step}")
        processes = job.ranks()
        self.assertEqual(sorted(processes), list(range(ranks)))
        return job, processes

    def test_survivors_name_a_killed_rank_and_the_next_start_loses_nothing(self):
        for ranks, victims in ((2, [0]), (2, [1]), (3, [0]), (3, [2]), (5, [1, 3])):
            with self.subTest(ranks=ranks, victims=victims):
                run = self.new_run()
                # By then the save of step 20 is durable: the one of step 40 waits for it.
                job, processes = self.started(ranks, run, 45)
                killed_at = time.monotonic()
                for victim in victims:
                    os.kill(processes[victim], signal.SIGKILL)
                result = job.finish(30)
                self.assertEqual(result.status, 75, result)
                for survivor in set(range(ranks)) - set(victims):
                    for victim in victims:
                        named = [at for at, line in job.stderr_lines
                                 if f"rank {survivor}: " in line and f"rank {victim} is lost" in line]
                        self.assertTrue(named, f"rank {survivor} names rank {victim}\n{result}")
                        self.assertLess(named[0] - killed_at, NOTICE_SECONDS, result)
                self.assertLess(last_step(run), STEPS)
                newest = checkpoint_steps(run)[-1]
                result = self.train(2, run, CONFIG)
                self.assertIn(f"resumed at step {newest}", result.stderr)
                self.assert_undisturbed(run, result)

    def test_a_job_without_a_surviving_rank_is_never_done(self):
        run = self.new_run()
        job, processes = self.started(2, run, 25)
        for process in processes.values():
            os.kill(process, signal.SIGKILL)
        result = job.finish(60)
        self.assertEqual(result.status, 75, result)
        self.assert_undisturbed(run, self.train(0, run, CONFIG))

    def test_a_stopped_rank_that_is_killed_later(self):
        """A rank that hangs, until somebody ends it."""
        run = self.new_run()
        job, processes = self.started(2, run, 25)
        os.kill(processes[1], signal.SIGSTOP)
        time.sleep(0.5)
        self.assertIsNone(job.process.poll())
        os.kill(processes[1], signal.SIGKILL)
        self.assertEqual(job.finish(30).status, 75)
        self.assert_undisturbed(run, self.train(3, run, CONFIG))

    def test_one_rank_that_fails_ends_all_with_its_message(self):
        # Rank 1 reads a copy of the corpus with one flipped bit in its tokens, the others the sound one.
        broken = self.make_corpus("broken", seed=1)
        [shard] = broken.glob("training-*.h5")
        trireme.flip_bit(shard, 8 * (shard.stat().st_size // 2))
        wrapper = self.folder / "wrapper.sh"
        wrapper.write_text(f'#!/bin/sh\n[ "$OMPI_COMM_WORLD_RANK" != 1 ] || set -- "$@" --data.path={broken}\n'
                           f'exec {trireme.TRAIN} "$@"\n')
        wrapper.chmod(0o755)
        for ranks in (2, 4):
            with self.subTest(ranks=ranks):
                run = self.new_run()
                command = self.command(ranks, run, CONFIG)
                command[command.index(trireme.TRAIN)] = wrapper
                job = trireme.Job(command)
                result = job.finish(60)
                self.assertEqual(result.status, 1, result)
                errors = [(at, line) for at, line in job.stderr_lines if "error" in line]
                self.assertEqual(len(errors), 1, result)
                self.assertIn("rank 1: ", errors[0][1])
                self.assertIn(shard.name, errors[0][1])
                self.assertLess(job.started + result.seconds - errors[0][0], NOTICE_SECONDS, result)

    def test_a_stop_at_any_time_after_the_launch_is_resumable(self):
        config = CONFIG | {"steps": 100000}
        for delay in (0.1, 0.2, 0.5, 1, 2):
            with self.subTest(delay=delay):
                job = self.start(2, self.new_run(), config)
                time.sleep(delay)
                job.signal(signal.SIGTERM)
                result = job.finish(60)
                self.assertEqual(result.status, 75, result)

    def test_a_second_stop_ends_at_once(self):
        run = self.new_run()
        job, _ = self.started(2, run, 5, CONFIG | {"steps": 100000})
        job.signal(signal.SIGTERM)
        job.signal(signal.SIGTERM)
        result = job.finish(10)
        self.assertEqual(result.status, 75, result)

    def test_a_kill_at_any_moment_of_a_save_damages_nothing_that_was_committed(self):
        config = CONFIG | {"checkpoint.every-steps": 1, "checkpoint.keep": 3, "model.width": 64}
        expected = self.train(0, self.new_run(), config).json["weights_hash"]
        draw = random.Random(1)
        run = self.new_run()
        for attempt in range(8):
            ranks = draw.choice([1, 2])
            before = last_step(run)
            job = self.start(ranks, run, config)
            job.wait_until(lambda: last_step(run) > before or last_step(run) >= STEPS, what="another step")
            time.sleep(draw.uniform(0, 0.15))
            processes = job.ranks()
            for victim in draw.sample(sorted(processes), draw.randint(min(1, len(processes)), len(processes))):
                os.kill(processes[victim], signal.SIGKILL)
            result = job.finish(60)
            self.assertEqual(result.status, 75, result)
            steps = checkpoint_steps(run)
            self.assertTrue(steps)
            for step in steps:
                self.assert_sound(checkpoint(run, step))
        result = self.train(2, run, config)
        self.assertNotIn("damaged", result.stderr)
        self.assertEqual(result.json["weights_hash"], expected)
        left = sorted(path.name for path in (run / "checkpoints").iterdir())
        self.assertEqual(left, [f"step-{step:08}" for step in (STEPS - 2, STEPS - 1, STEPS)], "temporaries are gone")


if __name__ == "__main__":
    trireme.main()
