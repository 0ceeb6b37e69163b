"""A scheduler ends without a farewell; another takes over its framework, its tasks and their updates."""

from client import Client, Ledger
from cluster import Cluster


def run(mesolith, dice):
    with Cluster(mesolith, masters=1, agents=1) as cluster:
        first = Client(cluster.addresses())
        with first:
            first.wait("a registration", lambda: first.registrations)
            first.run("stays", "sleep 600")
            first.run("ends-alone", "sleep 2; exit 4")
            first.wait_state("stays", "TASK_RUNNING")
            first.wait_state("ends-alone", "TASK_RUNNING")
            first.stop(failover=True)
        with Client(cluster.addresses(), framework_id=first.framework_id) as second:
            for task_id in ("stays", "ends-alone"):
                second.tasks[task_id] = Ledger(first.tasks[task_id].info)
            second.wait("a registration", lambda: second.registrations)
            assert second.framework_id == first.framework_id
            # The end that happened while nobody listened is told until somebody confirms it.
            second.wait_state("ends-alone", "TASK_FAILED")
            assert second.call(second.driver.killTask, {"value": "stays"})
            second.wait_state("stays", "TASK_KILLED")
            events = cluster.journal("master-1")
        names = [it["event"] for it in events]
        assert names.count("FrameworkSubscribed") == 1, names
        assert names.count("FrameworkResubscribed") == 1, names
        assert names.count("TaskLaunched") == 2, names
