"""An agent is told to leave (SIGUSR1): its tasks are lost, it ends, and what starts in its place is another agent."""

import signal
import subprocess

from client import Client
from cluster import Cluster


def run(mesolith, dice):
    with Cluster(mesolith, masters=1, agents=1) as cluster:
        # A child of ours, so that we see how it ends.
        cluster.kill("agent-1")
        agent = cluster.start("agent-1")
        with Client(cluster.addresses()) as client:
            client.wait("a registration", lambda: client.registrations)
            client.run("lost", "exec sleep 654321")
            client.wait_state("lost", "TASK_RUNNING")
            agent.send_signal(signal.SIGUSR1)
            client.wait_state("lost", "TASK_LOST")
            reason = client.tasks["lost"].updates[-1][2]
            assert reason == "REASON_SLAVE_REMOVED" or reason == "REASON_AGENT_REMOVED", reason
            assert agent.wait(30) == 0
            left = subprocess.run(["pgrep", "-f", "sleep 654321"], stdout=subprocess.PIPE)
            assert not left.stdout, left.stdout
            cluster.start("agent-1")
            client.run("runs", "true")
            client.wait_state("runs", "TASK_FINISHED")
            events = cluster.journal("master-1")
        names = [it["event"] for it in events]
        assert names.count("AgentUnregistered") == 1, names
        assert names.count("AgentRegistered") == 2, names
        cluster.stop()
        cluster.verify("master-1")
