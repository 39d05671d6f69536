"""Runs looked at from outside: the page and the terminal view, of a run that trains, in a pipe and on a terminal."""
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import termios
import time

import trireme
from trireme import TRAIN, Case, clean_environment, last_step, records, run

CONFIG = {"steps": 40, "eval.every-steps": 10, "eval.sample-tokens": 8}


def data_of(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page.read_text(), re.DOTALL).group(1))


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, command, columns=90, rows=30, **environment):
        self.process, self.file = pty.fork()
        if self.process == 0:
            os.execve(command[0], [str(word) for word in command], clean_environment(TERM="xterm-256color", **environment))
        self.resize(columns, rows)
        self.shown = b""

    def resize(self, columns, rows):
        fcntl.ioctl(self.file, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read_until(self, pattern, limit=30):
        end = time.monotonic() + limit
        while not re.search(pattern, self.shown):
            assert time.monotonic() < end, self.shown
            if select.select([self.file], [], [], 0.1)[0]:
                try:
                    self.shown += os.read(self.file, 1 << 16)
                except OSError:  # it has ended
                    break
        assert re.search(pattern, self.shown), self.shown

    def press(self, key):
        os.write(self.file, key)

    def end(self):
        self.read_until(rb"\x1b\[\?1049l")
        _, status = os.waitpid(self.process, 0)
        os.close(self.file)
        return os.waitstatus_to_exitcode(status)


class Report(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.trained = cls.new_run()
        cls().train(2, cls.trained, CONFIG, "--eval.prompts", "</script><script>alert(1)</script>")

    def page(self, *runs):
        page = self.folder / "page.html"
        result = run([TRAIN, "report", *runs, "--out", page])
        self.assertEqual(result.status, 0, result)
        return page

    def test_the_page_holds_the_run(self):
        page = self.page(self.trained)
        data = data_of(page)["runs"][0]
        self.assertEqual(data["state"], "complete")
        self.assertEqual(data["curves"]["loss"]["x"], list(range(1, 41)))
        for drawn, record in zip(data["curves"]["loss"]["mean"], records(self.trained)):
            self.assertAlmostEqual(drawn, record["loss"], places=4)
        self.assertEqual([s["step"] for s in data["samples"]], [10, 20, 30, 40])
        self.assertEqual(page.read_text().count("<script"), 2, "what a run says ends no element")

    def test_several_runs_and_a_name_that_is_no_utf8(self):
        odd = os.fsencode(self.folder) + b"/r\xff<b>"
        os.symlink(self.trained, odd)
        data = data_of(self.page(self.trained, os.fsdecode(odd)))
        self.assertEqual([r["name"] for r in data["runs"]], [self.trained.name, "r\ufffd<b>"])

    def test_a_run_that_trains_is_shown_and_not_disturbed(self):
        run_folder = self.new_run()
        job = self.start(0, run_folder, CONFIG | {"steps": 3000, "eval.every-steps": 500})
        job.wait_until(lambda: last_step(run_folder) >= 5, what="step 5")
        before = last_step(run_folder)
        for _ in range(5):
            data = data_of(self.page(run_folder))["runs"][0]
            self.assertEqual(data["state"], "running")
            self.assertGreaterEqual(data["curves"]["loss"]["x"][-1], before)
        job.signal(signal.SIGTERM)
        self.assertEqual(job.finish(30).status, 75)

    def test_the_terminal_view_follows_obeys_keys_and_leaves_the_terminal_as_it_was(self):
        run_folder = self.new_run()
        job = self.start(0, run_folder, CONFIG | {"steps": 3000, "eval.every-steps": 100})
        job.wait_until(lambda: last_step(run_folder) >= 5, what="step 5")
        terminal = Terminal([TRAIN, "report", run_folder, "--watch"])
        terminal.read_until(rb"\x1b\[\?1049h")
        terminal.read_until("running".encode())
        steps = rb"step (\d+)/3000"
        terminal.read_until(steps)
        first = int(re.findall(steps, terminal.shown)[0])
        terminal.read_until(rb"step (?!%d/)\d+/3000" % first)  # it goes on
        terminal.shown = b""
        terminal.resize(40, 12)
        terminal.read_until(rb"(?s)\x1b\[H.*\x1b\[J")
        frame = terminal.shown.split(b"\x1b[H")[1].split(b"\x1b[J")[0].decode()
        lines = [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line).strip("\r")
                 for line in frame.split("\n")]
        self.assertEqual(len(lines), 12)
        self.assertLessEqual(max(map(len, lines)), 40)
        terminal.press(b"q")
        self.assertEqual(terminal.end(), 0)
        job.signal(signal.SIGTERM)
        job.finish(30)

        for key in (b"\x03", b"\x04", None):  # Ctrl-C, Ctrl-D, a signal
            terminal = Terminal([TRAIN, "report", run_folder, "--watch"], NO_COLOR="1")
            terminal.read_until("q ends".encode())
            if key:
                terminal.press(key)
            else:
                os.kill(terminal.process, signal.SIGTERM)
            self.assertEqual(terminal.end(), 0)
            self.assertNotIn(b"\x1b[36m", terminal.shown, "NO_COLOR")

    def test_a_pipe_gets_one_plain_view(self):
        result = run([TRAIN, "report", self.trained, "--watch"])
        self.assertEqual(result.status, 0, result)
        self.assertNotIn("\x1b", result.stdout)
        self.assertIn("step 40/40", result.stdout)
        self.assertIn("complete", result.stdout)

    def test_wrong_arguments_are_one_line(self):
        for arguments, status in (([], 2), ([self.folder], 1), ([self.folder / "nowhere"], 1),
                                  ([self.trained, "--out", "/nowhere/x.html"], 1),
                                  ([self.trained, self.trained, "--watch"], 2)):
            result = run([TRAIN, "report", *arguments])
            self.assertEqual(result.status, status, result)
            self.assertEqual(len(result.lines), 1, result)
        result = run([TRAIN, "reprot"])
        self.assertEqual(result.status, 2)
        self.assertIn("did you mean report?", result.stderr)

    def test_it_is_no_rank_of_a_job(self):
        """Inside a job script the launcher's variables are there; MPI is not to be waited for."""
        result = run([TRAIN, "report", self.trained, "--watch"], env=clean_environment(PMIX_RANK=0, OMPI_COMM_WORLD_SIZE=2))
        self.assertEqual(result.status, 0, result)


if __name__ == "__main__":
    trireme.main()
