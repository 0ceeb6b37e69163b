"""Tasks run to their end, each once, with the environment and exit status that they should have."""

from client import Client
from cluster import Cluster


def run(mesolith, dice):
    with Cluster(mesolith, masters=1, agents=2) as cluster:
        marks = cluster.directory + "/marks"
        with Client(cluster.addresses()) as client:
            client.wait("a registration", lambda: client.registrations)
            for number in range(40):
                client.run(f"mark-{number}", f"echo $MESOS_TASK_ID >> {marks}; sleep 0.{dice.randrange(5)}")
            client.run("status-3", "exit 3")
            client.run("no-such-program", "no-such-program-anywhere")
            client.wait_ended(60)
            states = {task_id: task.state for task_id, task in client.tasks.items()}
            assert states.pop("status-3") == "TASK_FAILED", states
            assert states.pop("no-such-program") == "TASK_FAILED", states
            assert set(states.values()) == {"TASK_FINISHED"}, states
            check_updates(client)
        with open(marks) as file:
            written = sorted(file.read().split())
        assert written == sorted(states), f"{len(written)} marks of {len(states)} tasks"
        cluster.stop()
        cluster.verify("master-1")


def check_updates(client):
    """Each task began, ran and ended in this order, and each update was confirmed."""
    for task_id, task in client.tasks.items():
        told = [state for state, _, _ in task.updates]
        assert told[:2] == ["TASK_STARTING", "TASK_RUNNING"], f"{task_id}: {told}"
        assert len(told) == 3, f"{task_id}: {told}"
        assert len(task.acknowledged) == 3, f"{task_id}: {task.acknowledged}"
