"""The quickstart, shortened: what it prints, what it leaves behind, that a second start reuses it. The full one's limits (1.40
bits a byte, 95 % of the words) take its three minutes; these are what some seconds of training reach on a busy machine.
"""
import json
import pathlib
import re
import tempfile
import time
import unittest

from trireme import BIN, ROOT, clean_environment
import subprocess


def quickstart(*arguments):
    started = time.monotonic()
    done = subprocess.run([str(ROOT / "scripts/quickstart"), "--bin", str(BIN), *map(str, arguments)], text=True,
                          capture_output=True, stdin=subprocess.DEVNULL, timeout=400, env=clean_environment())
    return done, time.monotonic() - started


def words(text):
    return re.findall(r"[A-Za-z']+", text.lower())


class Quickstart(unittest.TestCase):
    def test_trains_compares_speaks_and_is_reused(self):
        with tempfile.TemporaryDirectory(prefix="trireme quickstart ") as folder:  # a space: paths must be quoted
            out = pathlib.Path(folder) / "out"
            first, first_seconds = quickstart("--seconds", 12, "--out", out)
            self.assertEqual(first.returncode, 0, first.stdout + first.stderr)
            bits = {name: float(re.search(rf"{name}.* ([0-9.]+) bits a byte", first.stdout).group(1))
                    for name in ("this model", "interpolated bigrams", "xz -9")}
            print(bits)
            # Unigrams alone need 2.17 bits a byte: less shows that it has learnt more than how often tokens occur.
            self.assertLess(bits["this model"], 2.1)
            self.assertAlmostEqual(bits["interpolated bigrams"], 1.52, delta=0.05)
            self.assertAlmostEqual(bits["xz -9"], 1.69, delta=0.08)

            said = first.stdout.split("6. What it says")[1].split("7. A sweep")[0]
            known = set(words((out / "text.txt").read_text()))
            spoken = words(said)
            share = sum(word in known for word in spoken) / len(spoken)
            print(f"{100 * share:.1f} % of {len(spoken)} words occur in the text")
            self.assertGreater(len(spoken), 60)
            self.assertGreater(share, 0.8)

            table = first.stdout.split("7. A sweep")[1].split("8. What to try next")[0]
            trials = table[table.rindex("trial  "):].splitlines()[1:]
            self.assertEqual(sum("complete" in line for line in trials), 8, table)
            self.assertEqual(len({tuple(line.split()[4:]) for line in trials if line}), 8, table)  # eight different ones

            again, again_seconds = quickstart("--seconds", 12, "--out", out)
            self.assertEqual(again.returncode, 0, again.stdout + again.stderr)
            self.assertLess(again_seconds, first_seconds / 2)
            self.assertEqual(again.stdout.split("5. What")[1], first.stdout.split("5. What")[1])

    def test_a_text_of_the_users_own(self):
        with tempfile.TemporaryDirectory() as folder:
            text = pathlib.Path(folder) / "mine.txt"
            lines = [f"Chapter {i}. The {i}th rower of the trireme pulled oar number {i * 7 % 31}." for i in range(8000)]
            text.write_text("\n\n".join(lines) + "\n")
            done, _ = quickstart("--seconds", 4, "--ranks", 1, "--out", pathlib.Path(folder) / "out", text)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn("> Chapter", done.stdout)

    def test_wrong_arguments_are_one_line_and_status_2(self):
        for arguments in (["--seconds", "x"], ["--nonsense"], ["/no/such/file"], ["--ranks"]):
            done, _ = quickstart(*arguments)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
