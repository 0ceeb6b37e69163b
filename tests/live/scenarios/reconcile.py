"""A scheduler asks what has become of its tasks: of one, of all, and of one that never was."""

from client import Client, Ledger
from cluster import Cluster


def run(mesolith, dice):
    with Cluster(mesolith, masters=1, agents=1) as cluster:
        with Client(cluster.addresses()) as client:
            client.wait("a registration", lambda: client.registrations)
            client.run("runs", "sleep 600")
            client.run("ends", "true")
            client.wait_state("runs", "TASK_RUNNING")
            client.wait_state("ends", "TASK_FINISHED")
            asked(client, ["runs"], {"runs": "TASK_RUNNING"})
            asked(client, [], {"runs": "TASK_RUNNING"})
            never = Ledger({"task_id": {"value": "never-was"}})
            client.tasks["never-was"] = never
            asked(client, ["never-was"], {"never-was": "TASK_LOST"})
            asked(client, ["runs", "never-was"], {"runs": "TASK_RUNNING", "never-was": "TASK_LOST"})


def asked(client, task_ids, expected):
    """Asks for these tasks, or for all, and waits for exactly these answers."""
    answers = {}
    with client.changed:
        known = {task_id: len(task.answers) for task_id, task in client.tasks.items()}
        assert client.call(client.driver.reconcileTasks, [client.tasks[it].info for it in task_ids])

    def complete():
        for task_id, task in client.tasks.items():
            for state, reason in task.answers[known[task_id] :]:
                assert reason == "REASON_RECONCILIATION", reason
                answers[task_id] = state
        return answers.keys() >= expected.keys()

    client.wait(f"answers {expected}", complete)
    assert answers == expected, answers
