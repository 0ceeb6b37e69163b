"""HTTP by hand, so that it can be wrong."""

import socket

PATIENCE_SECONDS = 20


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


def request(method, path, headers, body, length=None):
    """The bytes of a request; `length` is what it says of its body if that is not the truth."""
    head = [f"{method} {path} HTTP/1.1", "Host: fuzz", "Connection: close"]
    head += [f"{name}: {value}" for name, value in headers.items()]
    head.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(head).encode("utf-8", "replace") + b"\r\n\r\n" + body


def exchange(address, sent, is_short=False):
    """Sends bytes and takes the answer; none if the connection was closed without one. Of an answer that is a stream the head is
    enough. When less was sent than was said, the other side is told that no more will come."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), PATIENCE_SECONDS) as connection:
        try:
            connection.sendall(sent)
            if is_short:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused before all was read: the answer is there all the same
        return read(connection)


def read(connection):
    got = b""
    while True:
        head, separator, body = got.partition(b"\r\n\r\n")
        if separator:
            lines = head.decode("latin-1").split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines[1:])
            status = int(lines[0].split()[1])
            length = int(headers.get("content-length", 0))
            is_stream = "transfer-encoding" in headers
            if is_stream or len(body) >= length:
                return Answer(status, headers, body)
        try:
            more = connection.recv(1 << 16)
        except ConnectionResetError:
            more = b""
        if not more:
            return None
        got += more
