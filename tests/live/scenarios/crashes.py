"""The leader and the agents are killed with -9, again and again, while tasks run.

At the end the client's ledger must equal the journal: no task lost, launched twice or forgotten, and every
update that was confirmed is on record as confirmed. How often a task really ran is counted by the tasks.
"""

import base64
import os
import threading
import time

from client import TERMINAL, Client
from cluster import Cluster

TASKS = 150
KILLS = 8
MASTERS = 3
AGENTS = 2
# How much time all tasks may take, with everything that is done to them.
PATIENCE_SECONDS = 180


def run(mesolith, dice):
    with Cluster(mesolith, MASTERS, AGENTS) as cluster:
        marks = os.path.join(cluster.directory, "marks")
        os.mkdir(marks)
        with Client(cluster.addresses()) as client:
            client.wait("a registration", lambda: client.registrations)
            work = threading.Thread(target=launch_all, args=(client, marks, dice))
            work.start()
            for _ in range(KILLS):
                crash(cluster, dice)
            work.join()
            again = launch_lost_again(client, marks)
            client.wait_ended(PATIENCE_SECONDS)
            confirm_all(cluster, client)
            check_marks(client, marks)
            states = [task.state for task in client.tasks.values()]
            finished = states.count("TASK_FINISHED")
            assert finished + states.count("TASK_FAILED") == TASKS, client.summary()
            print(f"  {KILLS} kills, {TASKS} tasks ended, {again} launched under a new name", flush=True)
        check_journals(cluster, client)


def command(task_id, marks, dice):
    """Leaves a line in a file of its own, waits, and ends well or with status 3."""
    wait, status = dice.random() * 3, 3 if dice.random() < 0.2 else 0
    return f"echo $$ >> {marks}/{task_id}; sleep {wait:.2f}; exit {status}"


def launch_all(client, marks, dice):
    for number in range(TASKS):
        task_id = f"t{number}"
        client.run(task_id, command(task_id, marks, dice))
        time.sleep(dice.random() * 0.2)


def crash(cluster, dice):
    """Kills the leader or an agent, waits, and starts it again."""
    time.sleep(1 + dice.random() * 2)
    victim = dice.choice(["leader", "leader", *cluster.agents])
    if victim == "leader":
        victim = cluster.leader()
        if victim is None:
            return
    cluster.kill(victim)
    time.sleep(dice.random() * 2)
    cluster.start(victim)


def never_began(task):
    """Refused with its offer, or never heard of by the leader that answers: nothing ever ran."""
    return task.ended and task.updates[-1][2] in ("REASON_INVALID_OFFERS", "REASON_RECONCILIATION")


def launch_lost_again(client, marks):
    """What was refused because its offer died with a leader is launched under another name, as clients do."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    again = 0
    while time.monotonic() < deadline:
        with client.changed:
            refused = [it for it, task in client.tasks.items() if never_began(task)]
            for task_id in refused:
                again += 1
                task = client.tasks.pop(task_id)
                info = task.info
                ran = os.path.exists(f"{marks}/{task_id}")
                assert not ran, f"{task_id} ran and was called lost: {task.updates}"
                name = f"{task_id}-again"
                words = info["command"]["value"]
                client.run(name, words.replace(f"{marks}/{task_id};", f"{marks}/{name};"))
            if not refused and all(task.ended for task in client.tasks.values()):
                break
            client.changed.wait(1)
    return again


def confirm_all(cluster, client):
    """Waits until the master holds no task any more: every end was confirmed.

    The client cannot tell by itself: the answer to a confirmation may be lost with a leader that had taken it.
    """
    client.wait("every end to be confirmed", lambda: cluster.live_tasks() == [], 60)


def check_marks(client, marks):
    """Each task ran exactly once."""
    for task_id in client.tasks:
        with open(f"{marks}/{task_id}") as file:
            starts = len(file.readlines())
        assert starts == 1, f"{task_id} was started {starts} times"
    strangers = set(os.listdir(marks)) - set(client.tasks)
    assert not strangers, f"tasks ran that nobody knows: {strangers}"


def check_journals(cluster, client):
    """All masters have the same history, it is sound, and it says what the client saw."""
    # A master that was killed last may still be behind; the journals must be prefixes of one another.
    cluster.stop()
    journals = {name: cluster.journal(name) for name in cluster.masters}
    for name in journals:
        cluster.verify(name)
    longest = max(journals.values(), key=len)
    for name, journal in journals.items():
        committed = [event for event in journal if event["committed"]]
        same = [dict(event, committed=True) for event in longest[: len(committed)]]
        assert [dict(event, committed=True) for event in committed] == same, f"{name} has another history"
    compare(client, [event for event in longest if "task_id" in event])


def compare(client, events):
    launched, ends, told, confirmed = {}, {}, {}, {}
    for event in events:
        task_id = event["task_id"]
        if event["event"] == "TaskLaunched":
            launched[task_id] = launched.get(task_id, 0) + 1
        if event["event"] == "TaskUpdated":
            told.setdefault(task_id, set()).add(event.get("uuid"))
            if event["state"] in TERMINAL:
                ends[task_id] = event["state"]
        if event["event"] == "TaskAcknowledged":
            confirmed.setdefault(task_id, set()).add(event["uuid"])
    twice = [task_id for task_id, count in launched.items() if count > 1]
    assert not twice, f"launched twice: {twice}"
    assert launched.keys() == client.tasks.keys(), launched.keys() ^ client.tasks.keys()
    for task_id, task in client.tasks.items():
        seen = {base64.b64decode(uuid).hex() for _, uuid, _ in task.updates if uuid}
        unknown = seen - told[task_id]
        assert not unknown, f"{task_id}: updates {unknown} are not in the journal"
        acknowledged = {base64.b64decode(uuid).hex() for uuid in task.acknowledged}
        missing = acknowledged - confirmed.get(task_id, set())
        assert not missing, f"{task_id}: confirmations {missing} are not in the journal"
        assert ends[task_id] == task.state, f"{task_id}: {ends[task_id]} and {task.state}"
