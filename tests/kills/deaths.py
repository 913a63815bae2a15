"""Schedules in which workers die, freeze and come back."""

import random
import threading
import time

from tests.kills.lab import Form, Lab, Place
from tests.kills.proxy import Moment
from tests.kills.traffic import Shape
from tests.kills.workers import WorkerProcess

# Every statement of a seal that writes, and both sides of it: `before` dies with the statement unsent.
SEAL_STATEMENTS = (
    "strays",
    "traces_runs",
    "item_outcomes_runs",
    "stage_metrics_runs",
    "segment_metrics_runs",
    "sealed",
)


def only_worker_killed(place: Place, form: Form) -> str:
    """kill -9 of the only worker under load, again and again."""
    rng = random.Random(1)
    with Lab(place, "only-worker") as lab:
        lab.prepare()
        worker = lab.worker().wait_ready()
        load = lab.load(form.shape)
        for _ in range(form.kills):
            lands_more(lab)
            time.sleep(rng.random())
            worker.kill()
            worker.start()
        lands_more(lab)
        load.stop()
        return lab.settle()


def two_workers_in_turn(place: Place, form: Form) -> str:
    """Two workers, in turn kill -9 and SIGTERM, each started again: rebalances all the time."""
    rng = random.Random(2)
    with Lab(place, "two-workers", partitions=4) as lab:
        lab.prepare()
        workers = [lab.worker(name).wait_ready() for name in "ab"]
        load = lab.load(form.shape)
        for number in range(form.kills):
            share(lab, workers)
            lands_more(lab)
            time.sleep(rng.random())
            worker = workers[number // 2 % 2]
            if number % 2:
                assert worker.stop() == 0, worker.log[-2000:]
            else:
                worker.kill()
            worker.start()
        lands_more(lab)
        load.stop()
        return lab.settle()


def several_topics_one_idle(place: Place, form: Form) -> str:
    """Each stage has its topic, one topic stays empty; two workers, one dies, both stop and start."""
    with Lab(place, "several-topics", stages=3, idle=1) as lab:
        lab.prepare()
        workers = [lab.worker(name).wait_ready() for name in "ab"]
        load = lab.load(form.shape)
        for number in range(max(form.kills - 1, 1)):
            share(lab, workers)
            lands_more(lab)
            workers[number % 2].kill()
            lands_more(lab)
            workers[number % 2].start()
        lab.until("windows sealed", lambda: lab.sealed() >= 2)
        load.stop()
        return lab.settle()


def frozen_worker_comes_back(place: Place, form: Form) -> str:
    """SIGSTOP past the session time-out, then SIGCONT: a zombie that still wants to write and commit.

    First with nothing under way, then with its insert held back until the other has sealed the window.
    """
    with Lab(place, "frozen") as lab:
        lab.prepare()
        workers = [lab.worker(name).wait_ready() for name in "ab"]
        load = lab.load(form.shape)
        for number in range(max(form.kills - 1, 2)):
            share(lab, workers)
            zombie, other = workers[number % 2], workers[1 - number % 2]
            _freeze(lab, zombie, held=number % 2 == 1)
            owns_all(lab, other)
            lab.exceeds("the other seals", lab.sealed, lab.sealed())
            zombie.thaw()
        share(lab, workers)
        load.stop()
        return lab.settle()


def _freeze(lab: Lab, zombie: WorkerProcess, *, held: bool) -> None:
    if not held:
        zombie.freeze()
        return

    def freeze_until_thawed() -> None:
        zombie.freeze()
        caught.set()
        zombie.thawed.wait(90)

    caught = threading.Event()
    zombie.proxy.set_trap(f"INSERT INTO {lab.database}.landing", "before", freeze_until_thawed, forward=True)
    lab.happened("an insert to hold back", caught)


def frozen_sealer_comes_back(place: Place, form: Form) -> str:
    """The sealer freezes in the middle of a seal, another seals the same window, then it goes on: two runs at once."""
    with Lab(place, "two-sealers") as lab:
        lab.prepare()
        workers = [lab.worker(name).wait_ready() for name in "ab"]
        load = lab.load(form.shape)
        for number in range(max(form.kills - 1, 2)):
            share(lab, workers)
            sealer = next(each for each in workers if f"{lab.topics[0]}-0" in each.owned())
            table = ("traces_runs", "segment_metrics_runs", "sealed")[number % 3]
            caught = sealer.proxy.set_trap(f"INSERT INTO {lab.database}.{table}", "before", sealer.freeze, forward=True)
            lab.happened(f"a seal that writes {table}", caught)
            lab.exceeds("the other seals", lab.runs, lab.runs() + (table == "sealed"))  # its own may come first
            sealer.thaw()
        load.stop()
        return lab.settle()


def killed_between_landing_and_commit(place: Place, form: Form) -> str:
    """kill -9 right after ClickHouse took the insert, before the claim of progress, and between that and the commit."""
    with Lab(place, "landing") as lab:
        lab.prepare()
        worker = lab.worker().wait_ready()
        load = lab.load(form.shape)
        moments: tuple[tuple[str, Moment], ...] = (("landing", "after"), ("progress", "before"), ("progress", "after"))
        for number in range(form.kills if form.long else len(moments)):
            lands_more(lab)
            table, moment = moments[number % len(moments)]
            caught = worker.proxy.set_trap(f"INSERT INTO {lab.database}.{table}", moment, worker.kill)
            lab.happened(f"an insert into {table}", caught)
            worker.start()
        lands_more(lab)
        load.stop()
        return lab.settle()


def killed_during_a_seal(place: Place, form: Form) -> str:
    """kill -9 at the writing statements of a seal: unsent, or done and not yet acknowledged."""
    both: tuple[Moment, Moment] = ("before", "after")
    moments = [(table, moment) for table in SEAL_STATEMENTS for moment in both]
    if not form.long:  # each statement once, and both sides of the last
        moments = [moment for n, moment in enumerate(moments) if n in (0, 3, 4, 7, 9, 10, 11)]
    with Lab(place, "seal") as lab:
        lab.prepare()
        worker = lab.worker().wait_ready()
        load = lab.load(form.shape if form.long else Shape(seconds=15))
        for number in range(form.kills if form.long else len(moments)):
            table, moment = moments[number % len(moments)]
            caught = worker.proxy.set_trap(f"INSERT INTO {lab.database}.{table}", moment, worker.kill)
            lab.happened(f"a seal that writes {table}", caught, within=100)
            worker.start()
        if form.long:
            load.stop()
        return lab.settle()


def lands_more(lab: Lab) -> None:
    lab.exceeds("more lands", lab.landed, lab.landed())


def owns_all(lab: Lab, worker: WorkerProcess) -> None:
    lab.until(f"{worker.name} has all partitions", lambda: len(stages_of(lab, worker)) == lab.partitions)


def stages_of(lab: Lab, worker: WorkerProcess) -> list[str]:
    return [each for each in worker.owned() if each.rpartition("-")[0] in lab.topics]


def share(lab: Lab, workers: list[WorkerProcess]) -> None:
    """Wait until all partitions are owned, and each worker has some."""

    def shared() -> bool:
        owned = [stages_of(lab, worker) for worker in workers]
        listed = [each for one in owned for each in one]  # one twice: somebody has not heard of the last rebalance
        return all(owned) and len(listed) == len(set(listed)) == lab.partitions * lab.stages

    lab.until("all partitions have one owner, and every worker has some", shared)
