"""Kills jobs at random moments, most of them while a checkpoint is written, and looks at what is left."""
import dataclasses
import os
import random
import signal
import time

from trireme import checkpoint, checkpoint_steps, last_step, records

STEPS = 240
# A save is nearly always under way; every checkpoint stays, so that each one that was ever durable can be looked for.
CONFIG = {"steps": STEPS, "checkpoint.every-steps": 4, "checkpoint.keep": 0, "model.width": 128, "model.layers": 3}
RANKS = (0, 1, 2, 3)


@dataclasses.dataclass
class Kills:
    kills: int = 0
    in_save: int = 0
    whole_jobs: int = 0
    single_ranks: int = 0
    durable: int = 0
    runs: int = 0
    seconds: float = 0


def durable_steps(run):
    """Of the log: what was reported."""
    try:
        return {event["step"] for event in records(run, "events.jsonl") if event["event"] == "checkpoint-durable"}
    except (OSError, ValueError):  # not there yet, or a line that was cut off
        return set()


def is_in_save(run):
    saves = [event for event in records(run, "events.jsonl") if event["event"].startswith("checkpoint-")]
    return bool(saves) and saves[-1]["event"] == "checkpoint-requested"


def look_for(case, run, durable):
    """Everything that was ever reported durable is there and sound, and so is all else that has a final name."""
    steps = checkpoint_steps(run)
    case.assertLessEqual(durable, set(steps), "a durable step is gone")
    if steps:
        case.assert_sound(run)


def campaign(case, kills, seed, limit, say=False):
    """Until so many kills, or so many seconds, and then to the end of the run."""
    draw = random.Random(seed)
    expected = case.train(0, case.new_run("undisturbed"), CONFIG).json["weights_hash"]
    told, begin = Kills(), time.monotonic()
    while told.kills < kills and time.monotonic() - begin < limit:
        run, durable = case.new_run("killed"), set()
        told.runs += 1
        while told.kills < kills and time.monotonic() - begin < limit:
            ranks, reached = draw.choice(RANKS), last_step(run)
            job = case.start(ranks, run, CONFIG)
            job.wait_until(lambda: last_step(run) > reached or job.process.poll() is not None, what="a step")
            time.sleep(draw.uniform(0, 0.25))
            processes = job.ranks() if ranks else {0: job.process.pid}
            whole = ranks < 2 or draw.random() < 0.5
            victims = sorted(processes) if whole else [draw.choice(sorted(processes))] if processes else []
            for victim in victims:
                try:
                    os.kill(processes[victim], signal.SIGKILL)
                except ProcessLookupError:
                    pass
            result = job.finish(60)
            if result.status == 0:
                break  # it was done before
            case.assertIn(result.status, (75, -signal.SIGKILL), result)
            case.assertNotIn("damaged", result.stderr)
            told.kills += 1
            told.in_save += is_in_save(run)
            told.whole_jobs += whole
            told.single_ranks += not whole
            # Events of steps behind the one that the next start goes on from are dropped there, checkpoints are not.
            durable |= durable_steps(run)
            look_for(case, run, durable)
            if say and told.kills % 10 == 0:
                print(f"{told.kills} kills, {told.in_save} of them in a save, {time.monotonic() - begin:.0f} s", flush=True)
        told.durable += len(durable)
        result = case.train(draw.choice(RANKS), run, CONFIG)
        case.assertNotIn("damaged", result.stderr)
        case.assertEqual(result.json["weights_hash"], expected)
        look_for(case, run, durable | {STEPS})
        case.assertTrue(checkpoint(run, STEPS).is_dir())
    told.seconds = time.monotonic() - begin
    return told
