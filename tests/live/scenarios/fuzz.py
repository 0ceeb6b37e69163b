"""Calls of every type with broken fields, broken bytes and broken HTTP, while a witness holds its offer and runs its task.

Run for long with `tests/live/run fuzz --fuzz-seconds 3600`; a seed gives the same choices, though not the same moments.
"""

import json
import time

from client import Client
from cluster import Cluster
from fuzz import calls, mutate
from fuzz.scheduler import JSON, Scheduler
from fuzz.schema import Schema, Unwritable
from fuzz.wire import exchange, request

# how long to go on; run.py may say something else
seconds = 20
PROTOBUF = {"Content-Type": "application/x-protobuf", "Accept": "application/json"}
CONTENT_TYPES = ("text/plain", "application/json; charset=latin-1", "", "application/x-protobuf", "\x7f", "a" * 5000)
DOCUMENTED = (501, 503)
SETTLE_SECONDS = 5
# so many equal states in a row
SETTLED = 4
# (weight, generator, path, message): where calls go and what they are
TARGETS = (
    (8, calls.scheduler, "/api/v1/scheduler", "mesos.v1.scheduler.Call"),
    (6, calls.operator, "/api/v1", "mesos.v1.master.Call"),
    (2, calls.executor_call, "/api/v1/executor", "mesos.v1.executor.Call"),
    (2, calls.agent_call, "/api/v1", "mesos.v1.agent.Call"),
    (3, calls.classic, None, None),
    (1, calls.agent_classic, None, None),
)
ON_AGENT = (calls.executor_call, calls.agent_call, calls.agent_classic)


def run(mesolith, dice):
    with Cluster(mesolith, masters=1, agents=2) as cluster:
        with Client(cluster.addresses(), role="witness", capabilities=("MULTI_ROLE", "PARTITION_AWARE")) as client:
            witness = Witness(client)
            fuzzer = Fuzzer(cluster, witness, dice)
            try:
                fuzzer.run()
            finally:
                fuzzer.scheduler.close()
            witness.leave()
        cluster.stop()
        cluster.verify("master-1")


class Witness:
    """A framework that must not notice: its task runs on the first agent, and it holds an offer of the rest of that."""

    def __init__(self, client):
        self.client = client
        client.wait("a registration", lambda: client.registrations)
        client.run("witness", "exec sleep 654987")
        client.wait_state("witness", "TASK_RUNNING")
        self.agent = client.tasks["witness"].info["agent_id"]["value"]
        client.hoard = True
        client.driver.reviveOffers()
        client.wait("offers of both agents", lambda: len(agents_of(client.offers)) == 2)
        self.other = next(it for it in agents_of(client.offers) if it != self.agent)
        given = [{"value": key} for key, it in client.offers.items() if it["agent_id"]["value"] == self.other]
        for offer in given:
            client.offers.pop(offer["value"])
            client.driver.declineOffer([offer], {"refuse_seconds": 31_536_000})
        self.before = self.sight()

    def sight(self):
        """All that it could notice."""
        client = self.client
        with client.changed:
            updates = {name: list(task.updates) for name, task in client.tasks.items()}
            return client.framework_id, client.registrations, sorted(client.offers), updates, list(client.errors)

    def check(self, last):
        assert self.sight() == self.before, f"the witness noticed {last}: {self.before} became {self.sight()}"

    def leave(self):
        client = self.client
        assert client.call(client.driver.killTask, {"value": "witness"})
        client.wait_state("witness", "TASK_KILLED")


def agents_of(offers):
    return {offer["agent_id"]["value"] for offer in offers.values()}


class Fuzzer:
    def __init__(self, cluster, witness, dice):
        self.cluster, self.witness, self.dice = cluster, witness, dice
        self.master = cluster.addresses()[0]
        self.schema = Schema()
        self.scheduler = Scheduler(self.master)
        agents = get(self.master, "/slaves")["slaves"]
        self.agent = next(it["pid"].split("@")[1] for it in agents if it["id"] == witness.other)
        self.counts = {}

    def run(self):
        ends, number = time.monotonic() + seconds, 0
        state = self.settle()
        while time.monotonic() < ends:
            number += 1
            state = self.step(state)
            if number % 40 == 0:
                self.check(number)
                state = self.settle()
        self.check(number)
        statuses = ", ".join(f"{status}: {count}" for status, count in sorted(self.counts.items(), key=str))
        print(f"  {number} calls, answered {statuses}", flush=True)
        for status in (200, 202, 400, 415):
            assert self.counts.get(status), f"no call was answered {status}"

    def step(self, state):
        """One call; the state after it. What is refused must have changed nothing."""
        if not self.scheduler.is_open:
            # a call has ended its framework, as it was asked to
            self.scheduler.subscribe()
            state = self.settle()
        (sent, is_short), address, shown = self.make()
        answer = exchange(address, sent, is_short)
        status = answer.status if answer else None
        self.counts[status] = self.counts.get(status, 0) + 1
        assert status is None or status < 500 or status in DOCUMENTED, f"{shown}: {answer}"
        if status is not None and 400 <= status < 500:
            after = self.state()
            lost = offers_in(state) - offers_in(after)
            changed = differs(without_offers(state), without_offers(after))
            assert not lost and not changed, f"{shown} was refused with {answer}; offers {lost} are lost; {changed}"
            return after
        # what only reads, and what the master never saw, changes nothing
        return state if "GET_" in str(shown[0]) and status == 200 else self.settle()

    def make(self):
        """The bytes of a call, where they go, and what to show of them."""
        dice = self.dice
        _, generator, path, message = dice.choices(TARGETS, [it[0] for it in TARGETS])[0]
        context = {"agent": self.witness.other, **self.scheduler.context()}
        made = generator(context, dice)
        ids = [context["agent"], context["framework"], "nobody", *context["offers"][:2]]
        if generator is calls.scheduler:
            # calls of schedulers name others' things in vain
            ids += [self.witness.agent, self.witness.client.framework_id, "witness", *self.witness.client.offers]
        address = self.agent if generator in ON_AGENT else self.master
        headers = self.scheduler.headers() if generator is calls.scheduler else dict(JSON)
        if path is None:
            method, path, fields = made
            fields = mutate.mutated(dice, fields, ids) if dice.random() < 0.7 else fields
            is_form = isinstance(fields, dict) and ("slaveId" in fields or "frameworkId" in fields)
            body = mutate.form(dice, fields) if is_form else mutate.to_json(dice, fields)
            if dice.random() < 0.2:
                path = path.replace("=", dice.choice(("=-", "=%ff", "=99999999999999999999", "&&=")), 1)
            if dice.random() < 0.1:
                method = dice.choice(("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"))
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            return self.send(method, path, headers, body), address, (method, path, body[:2000])
        if made["type"] == "SUBSCRIBE" and dice.random() < 0.9:
            headers.pop("Mesos-Stream-Id", None)
        call = mutate.mutated(dice, made, ids) if dice.random() < 0.8 else made
        body, headers = self.encode(message, call, headers)
        return self.send("POST", path, headers, body), address, (made["type"], path, headers, body[:2000])

    def encode(self, message, call, headers):
        dice = self.dice
        if dice.random() < 0.35:
            try:
                body = self.schema.encode(message, call)
                body = mutate.bent(dice, body) if dice.random() < 0.4 else body
                return body, {**headers, **PROTOBUF}
            except (Unwritable, RecursionError):
                pass
        body = mutate.to_json(dice, call)
        return mutate.bent(dice, body) if dice.random() < 0.1 else body, headers

    def send(self, method, path, headers, body):
        """The bytes of a request, now and then with something wrong about them, and whether they are fewer than they say."""
        dice, length = self.dice, None
        kind = dice.randrange(40)
        if kind == 0:
            headers = {**headers, "Content-Type": dice.choice(CONTENT_TYPES)}
        elif kind == 1:
            headers = {name: value for name, value in headers.items() if name != "Content-Type"}
        elif kind == 2:
            length = dice.choice((len(body) + 7, max(len(body) - 3, 0), -1, "x", 1 << 62))
        elif kind == 3:
            headers = {**headers, "Accept": dice.choice(("text/html", "", "*/*;q=x", "a" * 3000))}
        elif kind == 4:
            headers = {**headers, "Mesos-Stream-Id": dice.choice(("x", "", "\xff", "y" * 3000))}
        elif kind == 5:
            headers = {**headers, "Content-Encoding": "gzip"}
        elif kind == 6:
            headers = {**headers, "Transfer-Encoding": "chunked"}
        return request(method, path, headers, body, length), kind in (2, 6)

    def check(self, number):
        """Everybody lives, and the witness is undisturbed."""
        for address in (self.master, self.agent):
            answer = exchange(address, request("GET", "/health", {}, b""))
            assert answer and answer.status == 200, f"{address} after {number} calls: {answer}"
        self.witness.check(f"the {number} calls so far")
        # what drains and suppressions keep from the fuzzer
        agent = {"agent_id": {"value": self.witness.other}}
        post(self.master, {"type": "REACTIVATE_AGENT", "reactivate_agent": agent})
        if self.scheduler.is_open:
            offers = self.scheduler.context()["offers"]
            self.scheduler.call({"type": "DECLINE", "decline": {"offer_ids": [{"value": it} for it in offers]}})
            self.scheduler.forget(offers)
            self.scheduler.call({"type": "REVIVE"})

    def state(self):
        return post(self.master, {"type": "GET_STATE"})

    def settle(self):
        """The state once it stays as it is: what was asked for has been done."""
        deadline, states = time.monotonic() + SETTLE_SECONDS, []
        while time.monotonic() < deadline:
            states.append(self.state())
            still = states[-SETTLED:]
            if is_idle(still[-1]) and len(still) == SETTLED and all(it == still[-1] for it in still):
                break
            time.sleep(0.03)
        return states[-1]


def is_idle(state):
    """Nothing runs but the witness's task."""
    parts = state["get_state"]
    return len(parts["get_tasks"].get("tasks", [])) == 1 and not parts["get_executors"].get("executors")


def offers_in(state):
    frameworks = state["get_state"]["get_frameworks"].get("frameworks", [])
    return {offer["id"]["value"] for framework in frameworks for offer in framework.get("offers", [])}


def without_offers(state):
    """New offers are made whenever a refusal ends, whatever is called at that moment."""
    if isinstance(state, dict):
        kept = ((key, it) for key, it in state.items() if key not in ("offers", "offered_resources"))
        return {key: without_offers(it) for key, it in kept}
    return [without_offers(it) for it in state] if isinstance(state, list) else state


def differs(before, after, path=""):
    """The first place where two states are not equal; none if they are."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = sorted(before.keys() | after.keys())
        pairs = ((key, before.get(key), after.get(key)) for key in keys)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = zip(range(len(before)), before, after)
    else:
        return None if before == after else f"{path} was {json.dumps(before)[:1000]} and is {json.dumps(after)[:1000]}"
    found = (differs(one, other, f"{path}/{key}") for key, one, other in pairs)
    return next((difference for difference in found if difference), None)


def get(address, path):
    return json.loads(exchange(address, request("GET", path, {}, b"")).body)


def post(address, call):
    answer = exchange(address, request("POST", "/api/v1", JSON, json.dumps(call).encode()))
    return json.loads(answer.body) if answer.body and answer.status == 200 else {}
