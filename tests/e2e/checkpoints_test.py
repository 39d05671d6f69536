"""Saves beside training, disks that fill up, starts that wake up too late, kills at random moments, old formats."""
import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import trireme
from trireme import MODEL, SERVE, Case, checkpoint, checkpoint_steps, flip_bit, last_step, records, repeated, run

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "faults"))
import kills  # noqa: E402

CONFIG = {"steps": 60, "checkpoint.every-steps": 20, "checkpoint.keep": 0}


def contents(folder):
    """Every file and folder below, with what is in it."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            for path in sorted(folder.rglob("*"))}


class Checkpoints(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.straight = cls.new_run("straight")
        cls.result = cls().train(0, cls.straight, CONFIG)

    def events(self, folder, name):
        return [event for event in records(folder, "events.jsonl") if event["event"] == name]

    def small_disk(self, kibibytes, more=""):
        disk = pathlib.Path(tempfile.mkdtemp(prefix="trireme-disk."))
        self.addCleanup(shutil.rmtree, disk, ignore_errors=True)
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k{more}", "tmpfs", disk],
                               stderr=subprocess.DEVNULL)
        if mount.returncode != 0:
            self.skipTest("mounting a small tmpfs needs root")
        self.addCleanup(subprocess.run, ["umount", "--lazy", disk])
        return disk

    def test_training_goes_on_while_a_checkpoint_is_written_and_nothing_says_saved_before(self):
        folder = self.new_run()
        # Short steps of a large model, so that several end while it is written.
        config = {"steps": 40, "checkpoint.every-steps": 10, "checkpoint.keep": 0, "model.width": 256, "model.layers": 4,
                  "data.global-batch": 2}
        job = self.start(2, folder, config)
        # A reported step has its final name at that moment already.
        while job.process.poll() is None:
            reported = kills.durable_steps(folder)
            self.assertLessEqual(reported, set(checkpoint_steps(folder)))
            time.sleep(0.002)
        result = job.finish()
        self.assertEqual(result.status, 0, result)
        events = [event for event in records(folder, "events.jsonl") if event["event"].startswith("checkpoint-")]
        self.assertEqual([(event["event"], event["step"]) for event in events],
                         [(f"checkpoint-{what}", step) for step in (10, 20, 30, 40) for what in ("requested", "durable")])
        console = [line for line in result.lines if line.startswith("checkpoint-")]
        self.assertEqual(console, [f"{event['event']} at step {event['step']}" for event in events])
        for event in events[1::2]:
            files = checkpoint(folder, event["step"])
            self.assertEqual(event["bytes"], sum(path.stat().st_size for path in files.iterdir()))
            self.assertGreater(event["write_ms"], 0)
            self.assertGreater(event["stall_ms"], 0)
        logged = {record["step"]: record for record in records(folder)}
        between = [record for record in logged.values() for requested, durable in zip(events[::2], events[1::2])
                   if requested["time"] < record["time"] < durable["time"]]
        self.assertTrue(between, "no step ended while a checkpoint was written")
        self.assertAlmostEqual(sum(record["checkpoint_write_ms"] for record in logged.values()),
                               sum(event["write_ms"] for event in events[1::2] if event["time"] < logged[40]["time"]),
                               delta=0.01)

    def test_a_save_that_fails_leaves_training_running_and_is_tried_again(self):
        size = sum(path.stat().st_size for path in checkpoint(self.straight, 60).iterdir()) // 1024
        for ranks in (0, 2):
            with self.subTest(ranks=ranks):
                disk = self.small_disk(5 * size + 1000)
                folder, filler = disk / "run", disk / "filler"
                filler.write_bytes(bytes((4 * size + 800) * 1024))
                job = self.start(ranks, folder, CONFIG | {"steps": 1500, "checkpoint.every-steps": 250,
                                                        "checkpoint.keep": 2})
                job.wait_until(lambda: "cannot save step 500" in job.stderr(), what="a second save that fails")
                filler.unlink()
                result = job.finish()
                self.assertEqual(result.status, 0, result)
                failed = [event["step"] for event in self.events(folder, "checkpoint-failed")]
                durable = [event["step"] for event in self.events(folder, "checkpoint-durable")]
                self.assertIn(500, failed)
                self.assertEqual(durable[-1], 1500)
                self.assertIn("are free in", self.events(folder, "checkpoint-failed")[0]["reason"])
                self.assertEqual(len(records(folder)), 1500)
                for step in checkpoint_steps(folder):
                    self.assert_sound(checkpoint(folder, step))

    def test_a_disk_that_takes_no_more_files_fails_the_save_by_the_systems_own_word(self):
        # Enough bytes, so that the check before passes; the kernel refuses the files of the second checkpoint.
        disk = self.small_disk(20000, ",nr_inodes=24")
        result = run(self.command(2, disk / "run", CONFIG | {"checkpoint.writers": 2}))
        self.assertEqual(result.status, 1, result)
        self.assertIn("No space left on device", [line for line in result.lines if "error: " in line][0])
        self.assertTrue(checkpoint_steps(disk / "run"))
        for step in checkpoint_steps(disk / "run"):
            self.assert_sound(checkpoint(disk / "run", step))
        self.assertEqual(len(list((disk / "run/owner").glob("*/save-*"))), 0, "nothing half-written is left")

    def test_a_disk_that_is_full_for_moments_loses_no_line_of_the_logs(self):
        disk = self.small_disk(6000)
        folder, filler = disk / "run", disk / "filler"
        job = self.start(2, folder, CONFIG | {"steps": 2000, "checkpoint.every-steps": 0})
        job.wait_until(lambda: last_step(folder) >= 50, what="steps")
        with open(filler, "wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass
        job.wait_until(lambda: "metrics.jsonl: No space left on device; its lines are kept" in job.stderr(), what="a full disk")
        time.sleep(0.5)
        filler.unlink()
        result = job.finish()
        self.assertEqual(result.status, 0, result)
        self.assertEqual([record["step"] for record in records(folder)], list(range(1, 2001)))

    def test_what_stays(self):
        folder = self.new_run()
        self.train(2, folder, CONFIG | {"steps": 50, "checkpoint.every-steps": 5, "checkpoint.keep": 2,
                                        "checkpoint.keep-every": 20})
        self.assertEqual(checkpoint_steps(folder), [20, 40, 45, 50])

    def test_seconds_and_auto_save_by_the_clock(self):
        for keys in ({"checkpoint.every-seconds": 0.3},
                     {"checkpoint.auto": "true", "checkpoint.failure-hours": 0.001, "checkpoint.stall-budget": 1}):
            folder = self.new_run()
            job = self.start(2, folder, CONFIG | {"steps": 100000, "checkpoint.every-steps": 0} | keys)
            job.wait_until(lambda: job.stderr().count("checkpoint-requested") > 4, what=f"saves by {keys}")
            job.signal(signal.SIGTERM)
            self.assertEqual(job.finish().status, 75)
            times = [event["time"] for event in self.events(folder, "checkpoint-requested")]
            self.assertGreater(min(after - before for before, after in zip(times[:-2], times[1:-1])), 0.02, keys)

    def test_damage_ends_a_start_that_is_told_so(self):
        folder = self.new_run()
        shutil.copytree(self.straight, folder)
        flip_bit(checkpoint(folder, 60) / "rank-00000.h5", 8 * 5000)
        before = contents(folder)
        for ranks in (0, 2):
            result = self.train(ranks, folder, CONFIG | {"recovery.on-damage": "fail"}, status=1)
            [line] = result.lines
            for word in ("step 60", "rank-00000.h5", "bytes", "recovery.on-damage=fall-back"):
                self.assertIn(word, line)
        self.assertEqual(contents(folder), before)
        self.assertIn("resumed at step 40", self.train(2, folder, CONFIG).stderr)

    def test_a_start_that_was_stopped_and_wakes_up_after_another_changes_no_byte(self):
        config = CONFIG | {"steps": 400, "checkpoint.every-steps": 5, "checkpoint.keep": 2, "log.trace": "390-400"}
        expected = self.train(0, self.new_run(), config).json["weights_hash"]
        for number, ranks in enumerate((0, 2, 0, 2, 0, 2)):
            with self.subTest(ranks=ranks, number=number):
                folder = self.new_run()
                old = self.start(ranks, folder, config)
                # From the moment in which it owns the run, before it has made its logs, to the midst of its saves.
                old.wait_until(lambda: (folder / "owner/00000001/owner.json").exists(), what="an owner")
                if number >= 2:
                    old.wait_until(lambda: last_step(folder) >= 20 * number, what="steps")
                    time.sleep(0.003 * number)
                stopped = [old.process.pid, *trireme.descendants(old.process.pid)]
                for process in stopped:
                    os.kill(process, signal.SIGSTOP)
                result = self.train(ranks, folder, config)
                self.assertEqual(result.json["weights_hash"], expected)
                before = contents(folder)
                for process in stopped:
                    os.kill(process, signal.SIGCONT)
                woken = old.finish(60)
                self.assertEqual(contents(folder), before)
                self.assertEqual(woken.status, 1, woken)
                self.assertTrue("taken over by process" in woken.stderr or "has begun meanwhile" in woken.stderr, woken)
                self.assertEqual(run([MODEL, "verify", folder]).status, 0)

    def test_weights_alone_are_smaller_and_the_same(self):
        out = self.new_run("weights")
        exported = run([MODEL, "export-weights", self.straight, out, "--json"])
        self.assertEqual(exported.status, 0, exported)
        self.assertEqual(exported.json["weights_hash"], self.result.json["weights_hash"])
        size = {folder: sum(path.stat().st_size for path in folder.iterdir())
                for folder in (out, checkpoint(self.straight, 60))}
        self.assertEqual(exported.json["bytes"], size[out])
        self.assertLess(size[out], 0.5 * size[checkpoint(self.straight, 60)])
        self.assert_sound(out)
        answers = [run([SERVE, model, "--prompt", "The king", "--max-tokens", "8", "--json"]).json
                   for model in (out, self.straight)]
        self.assertEqual(*answers)
        refused = run([MODEL, "export-weights", self.straight, out])
        self.assertEqual((refused.status, len(refused.lines)), (2, 1), refused)

    def test_checkpoints_of_all_versions_are_read_verified_served_and_gone_on_from(self):
        for version in (1, 2):
            old = trireme.ROOT / f"tests/compat/checkpoint-v{version}"
            with self.subTest(old.name):
                self.assert_stays_readable(old)

    def assert_stays_readable(self, old):
        folder = self.new_run(old.name)
        shutil.copytree(old / "run", folder / "run")
        [end] = self.events(folder / "run", "end")
        weights_hash = end["weights_hash"]
        verified = run([MODEL, "verify", folder / "run"])
        self.assertEqual(verified.status, 0, verified)
        served = run([SERVE, folder / "run", "--prompt", "abc", "--max-tokens", "4", "--json"])
        self.assertEqual(served.json["weights_hash"], weights_hash, served)
        exported = run([MODEL, "export-weights", folder / "run", folder / "weights", "--json"])
        self.assertEqual(exported.json["weights_hash"], weights_hash, exported)
        damaged = self.new_run(f"{old.name}-damaged")
        for name in ("manifest.json", "rank-00000.h5", "rank-00001.h5", "tokenizer.json"):
            for share in (0.01, 0.3, 0.6, 0.99):
                shutil.copytree(checkpoint(old / "run", 8), damaged)
                flip_bit(damaged / name, int(8 * share * (damaged / name).stat().st_size))
                result = run([MODEL, "verify", damaged])
                self.assertEqual(result.status, 1, f"{name} {share}")
                self.assertIn(name, result.stdout)
                shutil.rmtree(damaged)
        result = run([trireme.TRAIN, "--run", folder / "run", "--data.path", trireme.ROOT / "tests/compat/corpus", "--steps=12", "--json"])
        self.assertEqual(result.status, 0, result)
        self.assertIn("resumed at step 8", result.stderr)
        self.assertEqual(result.json["step"], 12)
        verified = run([MODEL, "verify", folder / "run"])
        self.assertEqual((verified.status, checkpoint_steps(folder / "run")), (0, [8, 12]), verified)

    def test_kills_at_random_moments_lose_no_durable_step(self):
        """Two minutes of what ./scripts/faults checkpoints does."""
        told = kills.campaign(self, kills=60, seed=3, limit=100)
        print(told, file=sys.stderr)
        self.assertGreater(told.kills, 10)
        self.assertGreater(told.in_save, 0.3 * told.kills)


if __name__ == "__main__":
    trireme.main()
