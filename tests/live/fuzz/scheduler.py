"""The fuzzer's own framework: it keeps what it is offered and confirms what it is told, so that its calls have something to hit."""

import json
import socket
import threading
import time

from .calls import framework_info
from .wire import exchange, request

JSON = {"Content-Type": "application/json", "Accept": "application/json"}


class Scheduler:
    def __init__(self, address):
        self.address = address
        self.framework = None
        self.lock = threading.Lock()
        self.subscribe()

    def subscribe(self):
        """Begins anew, as another framework."""
        host, port = self.address.rsplit(":", 1)
        self.offers, self.is_open = {}, True
        self.subscribed = threading.Event()
        self.socket = socket.create_connection((host, int(port)), 20)
        # with tasks of its own it must not end as soon as its stream does
        info = framework_info(failover_timeout=600.0)
        body = json.dumps({"type": "SUBSCRIBE", "subscribe": {"framework_info": info}}).encode()
        self.socket.sendall(request("POST", "/api/v1/scheduler", JSON, body))
        self.socket.settimeout(None)
        threading.Thread(target=self._listen, args=(self.socket, self.subscribed), daemon=True).start()
        assert self.subscribed.wait(20), "the fuzzer's own framework is not subscribed"

    def close(self):
        self.socket.close()

    def context(self):
        with self.lock:
            return {"framework": self.framework, "offers": sorted(self.offers)}

    def headers(self):
        return {**JSON, "Mesos-Stream-Id": self.stream}

    def call(self, call):
        call = {"framework_id": {"value": self.framework}, **call}
        body = json.dumps(call).encode()
        return exchange(self.address, request("POST", "/api/v1/scheduler", self.headers(), body))

    def wait_offers(self, seconds=5):
        deadline = time.monotonic() + seconds
        while not self.offers and self.is_open and time.monotonic() < deadline:
            time.sleep(0.02)

    def _listen(self, connection, subscribed):
        file = connection.makefile("rb")
        try:
            for line in iter(file.readline, b"\r\n"):
                name, _, value = line.decode().strip().partition(": ")
                if name.lower() == "mesos-stream-id":
                    self.stream = value
            for event in records(chunks(file)):
                self._hear(event, subscribed)
        except (OSError, ValueError):
            pass
        finally:
            if connection is self.socket:
                self.is_open = False

    def _hear(self, event, subscribed):
        kind = event["type"]
        with self.lock:
            if kind == "SUBSCRIBED":
                self.framework = event["subscribed"]["framework_id"]["value"]
                subscribed.set()
            elif kind == "OFFERS":
                for offer in event["offers"]["offers"]:
                    self.offers[offer["id"]["value"]] = offer["agent_id"]["value"]
            elif kind == "RESCIND":
                self.offers.pop(event["rescind"]["offer_id"]["value"], None)
        if kind == "UPDATE" and "uuid" in event["update"]["status"]:
            status = event["update"]["status"]
            named = {name: status[name] for name in ("agent_id", "task_id", "uuid")}
            self.call({"type": "ACKNOWLEDGE", "acknowledge": named})

    def forget(self, offers):
        """Offers that a call has used up."""
        with self.lock:
            for offer in offers:
                self.offers.pop(offer, None)


def chunks(file):
    """The bytes of a chunked body."""
    while True:
        size = int(file.readline().strip() or b"0", 16)
        if not size:
            return
        yield file.read(size)
        file.readline()


def records(pieces):
    """The events of a RecordIO stream."""
    held = b""
    for piece in pieces:
        held += piece
        while b"\n" in held:
            size, _, rest = held.partition(b"\n")
            if len(rest) < int(size):
                break
            yield json.loads(rest[: int(size)])
            held = rest[int(size) :]
