"""A small share of `scripts/faults tune`: tuners and commands are killed at random moments."""
import pathlib
import sys
import tempfile
import unittest

import trireme

sys.path.append(str(trireme.ROOT / "tests/faults"))
import tune_kills  # noqa: E402


class TuneKills(unittest.TestCase):
    def test_no_trial_is_lost_or_done_twice(self):
        with tempfile.TemporaryDirectory(prefix="trireme-tune.") as folder:
            told = tune_kills.campaign(self, pathlib.Path(folder), kills=10, seed=5, limit=100)
        self.assertGreater(told.kills, 5)
        self.assertGreater(told.attempts, told.trials)


if __name__ == "__main__":
    trireme.main()
