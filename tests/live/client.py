"""A pymesos framework with a ledger of its own: what it asked for, what it was told, what it confirmed."""

import logging
import threading
import time
import urllib.request

from pymesos import MesosSchedulerDriver, Scheduler

TERMINAL = {
    "TASK_FINISHED",
    "TASK_FAILED",
    "TASK_KILLED",
    "TASK_ERROR",
    "TASK_LOST",
    "TASK_DROPPED",
    "TASK_GONE",
    "TASK_GONE_BY_OPERATOR",
}
# pymesos knows one master at a time: how long that one may be gone before another is tried.
MASTER_PATIENCE_SECONDS = 0.5

logging.getLogger("pymesos").setLevel(logging.CRITICAL)


class Ledger:
    """What a client must know of one task."""

    def __init__(self, info):
        self.info = info
        # Whether the master was asked to launch it, whatever came of that.
        self.asked = False
        # (state, uuid, reason), oldest first, each uuid once.
        self.updates = []
        # (state, reason) of everything that the master said by itself.
        self.answers = []
        self.acknowledged = set()

    @property
    def state(self):
        return self.updates[-1][0] if self.updates else None

    @property
    def ended(self):
        return self.state in TERMINAL


class Client(Scheduler):
    """Launches what is in `queue` on whatever is offered. All of its state is behind `changed`."""

    def __init__(self, masters, name="live", role="*", framework_id=None, capabilities=()):
        self.masters = masters
        self.changed = threading.Condition(threading.RLock())
        self.tasks = {}
        self.queue = []
        self.offers = {}
        self.hoard = False
        self.framework_id = framework_id
        self.registrations = 0
        self.errors = []
        self.stopping = threading.Event()
        framework = {
            "user": "root",
            "name": name,
            "checkpoint": True,
            "failover_timeout": 3600,
            "principal": "live",
        }
        if capabilities:
            framework["roles"] = [role]
            framework["capabilities"] = [{"type": each} for each in capabilities]
        else:
            framework["role"] = role
        if framework_id:
            framework["id"] = {"value": framework_id}
        self.driver = MesosSchedulerDriver(
            self, framework, masters[0], implicit_acknowledgements=False
        )

    def __enter__(self):
        self.driver.start()
        self.watchdog = threading.Thread(target=self._watch, daemon=True)
        self.watchdog.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self, failover=False):
        """Ends the framework, or only this scheduler of it."""
        if not self.stopping.is_set():
            self.stopping.set()
            self.watchdog.join()
            self.driver.stop(failover)
            self.driver.join()

    def _watch(self):
        """Leads the driver to a live master; pymesos would wait for the dead one."""
        while not self.stopping.wait(MASTER_PATIENCE_SECONDS):
            if self.driver.master and not answers(self.driver.master):
                alive = next((it for it in self.masters if answers(it)), None)
                if alive:
                    self.driver.change_master(alive)

    # What tests do.

    def run(self, task_id, command, cpus=0.01, mem=8, **more):
        """Puts a task into the queue."""
        info = {
            "task_id": {"value": task_id},
            "name": task_id,
            "command": {"shell": True, "value": command},
            "resources": [scalar("cpus", cpus), scalar("mem", mem)],
            **more,
        }
        with self.changed:
            self.tasks[task_id] = Ledger(info)
            self.queue.append(task_id)
            self.call(self.driver.reviveOffers)

    def call(self, call, *arguments):
        """Makes a call; says whether the master took it. A lost connection is nothing special here."""
        try:
            call(*arguments)
            return self.driver.connected
        except Exception as error:  # pymesos raises whatever its sockets do
            self.errors.append(repr(error))
            return False

    def wait(self, what, condition, seconds=30):
        """Waits until a condition holds; fails with `what` it waited for."""
        deadline = time.monotonic() + seconds
        with self.changed:
            # Looks again by itself too: not everything that is waited for is told to the client.
            while not (held := condition()) and time.monotonic() < deadline:
                self.changed.wait(0.5)
        assert held, f"waited {seconds} s in vain for {what}; {self.summary()}"

    def wait_state(self, task_id, state, seconds=30):
        self.wait(f"{task_id} to be {state}", lambda: self.tasks[task_id].state == state, seconds)

    def wait_ended(self, seconds=30):
        self.wait(
            "all tasks to end", lambda: all(task.ended for task in self.tasks.values()), seconds
        )

    def summary(self):
        states = {}
        for task_id, task in self.tasks.items():
            states.setdefault(str(task.state), []).append(task_id)
        shown = {state: len(ids) if len(ids) > 5 else ids for state, ids in states.items()}
        return f"tasks {shown}, {len(self.queue)} queued, last errors {self.errors[-3:]}"

    # What pymesos calls.

    def registered(self, driver, framework_id, master_info):
        with self.changed:
            self.framework_id = framework_id["value"]
            self.registrations += 1
            # Offers may or may not have outlived the last connection: those that did are sent again.
            self.offers.clear()
            self.changed.notify_all()
            open_tasks = [task for task in self.tasks.values() if task.asked and not task.ended]
            asked = [task.info for task in open_tasks]
            if asked and self.registrations > 1:
                self.call(driver.reconcileTasks, asked)

    def reregistered(self, driver, master_info):
        self.registered(driver, {"value": driver.framework_id}, master_info)

    def resourceOffers(self, driver, offers):
        with self.changed:
            for offer in offers:
                self.offers[offer["id"]["value"]] = offer
            if not self.hoard:
                for offer in offers:
                    self._use(driver, offer)
            self.changed.notify_all()

    def _use(self, driver, offer):
        """Launches as much of the queue as fits."""
        self.offers.pop(offer["id"]["value"], None)
        left = {name: sum(amounts(offer, name)) for name in ("cpus", "mem")}
        launched = []
        for task_id in list(self.queue):
            needed = {it["name"]: it["scalar"]["value"] for it in self.tasks[task_id].info["resources"]}
            if all(left[name] >= amount for name, amount in needed.items()):
                left = {name: left[name] - needed[name] for name in left}
                self.queue.remove(task_id)
                launched.append(task_id)
        if not launched:
            self.call(driver.declineOffer, [offer["id"]], {"refuse_seconds": 1})
            return
        for task_id in launched:
            self.tasks[task_id].info["agent_id"] = offer["agent_id"]
            self.tasks[task_id].asked = True
        infos = [self.tasks[task_id].info for task_id in launched]
        self.call(driver.launchTasks, [offer["id"]], infos, {"refuse_seconds": 0})

    def offerRescinded(self, driver, offer_id):
        with self.changed:
            self.offers.pop(offer_id["value"], None)
            self.changed.notify_all()

    def statusUpdate(self, driver, status):
        with self.changed:
            task = self.tasks.get(status["task_id"]["value"])
            uuid = status.get("uuid")
            if task is not None:
                # An update that comes again is not news; neither is what is said of a task that is
                # over, since the master forgets those whose end was confirmed.
                if uuid is None:
                    task.answers.append((status["state"], status.get("reason")))
                known = uuid is not None and any(uuid == known for _, known, _ in task.updates)
                if not known and not task.ended:
                    task.updates.append((status["state"], uuid, status.get("reason")))
            if uuid is not None and self.call(driver.acknowledgeStatusUpdate, status) and task:
                task.acknowledged.add(uuid)
            self.changed.notify_all()

    def error(self, driver, message):
        with self.changed:
            self.errors.append(message)


def answers(address):
    try:
        with urllib.request.urlopen(f"http://{address}/health", timeout=1):
            return True
    except OSError:
        return False


def scalar(name, value, **more):
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}, **more}


def amounts(offer, name):
    """The unreserved amounts of a scalar in an offer."""
    return [
        it["scalar"]["value"]
        for it in offer["resources"]
        if it["name"] == name and not it.get("reservations") and not it.get("reservation")
    ]
