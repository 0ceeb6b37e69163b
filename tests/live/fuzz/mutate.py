"""Breaks calls: one field or a few of what JSON says, or the bytes that are sent."""

import copy
import json

# What a field may be instead. A marker is replaced in the text, since Python could not write what it stands for.
DEEP = ("@lists@", "@objects@", "@invalid-utf-8@", "@not-a-number@", "@infinity@", "@digits@")
NUMBERS = (0, -1, 1, 1e308, -1e308, 5e-324, 0.1 + 0.2, 2**31, 2**32, 2**63, 2**64, -(2**63), 10**400)
TEXTS = ("", " ", "\0", "/", "..", "../../../etc", "a/../b", "*", "%00%ff%zz", "\u202e\U0001f4a5", "\ud800", "-1", "NaN", "x" * 70_000)
OTHERS = (None, True, False, [], {}, [[]], [None], {"": {}}, {"value": None}, [{}] * 300)
BUILT_IN = ("UNKNOWN", "TASK_LOST", "SUBSCRIBE", "LAUNCH", "SCALAR", "MULTI_ROLE", "NO_SUCH_NAME")
DEPTH = 3000


def mutated(dice, call, ids):
    """The call with one to three fields broken; `ids` may stand where they do not belong."""
    call = copy.deepcopy(call)
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        places = list(nodes(call))
        if not places:
            break
        parent, key = dice.choice(places)
        change(dice, parent, key, ids)
    return call


def nodes(value):
    """Every place in a JSON value: what holds it, and where."""
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    else:
        return
    for key, each in items:
        yield value, key
        yield from nodes(each)


def change(dice, parent, key, ids):
    before, kind = parent[key], dice.randrange(9)
    if kind == 0:
        del parent[key]
    elif kind == 1:
        parent[key] = [before, before] if not isinstance(before, list) else before * 2
    elif kind == 2 and isinstance(parent, dict):
        parent[dice.choice(("no_such_field", "type", "id", ""))] = parent.pop(key)
    elif kind == 3:
        parent[key] = dice.choice(NUMBERS)
    elif kind == 4:
        parent[key] = dice.choice(TEXTS)
    elif kind == 5:
        parent[key] = dice.choice(DEEP)
    elif kind == 6:
        parent[key] = dice.choice(BUILT_IN)
    elif kind == 7 and ids:
        parent[key] = dice.choice(ids)
    # an agent that is gone could not be asked any more
    elif key != "mark_gone":
        parent[key] = copy.deepcopy(dice.choice(OTHERS))


def to_json(dice, call):
    """The bytes of a broken call; some of its text is broken once more."""
    # sorted or not is the same to everybody, and a key that stands twice is found by nobody but us
    text = json.dumps(call, ensure_ascii=dice.random() < 0.5).encode("utf-8", "surrogatepass")
    text = text.replace(b'"@lists@"', b"[" * DEPTH + b"]" * DEPTH)
    text = text.replace(b'"@objects@"', b'{"parent":' * DEPTH + b"{}" + b"}" * DEPTH)
    text = text.replace(b"@invalid-utf-8@", b"\xff\xc0\x80")
    text = text.replace(b'"@not-a-number@"', b"NaN").replace(b'"@infinity@"', b"-Infinity")
    text = text.replace(b'"@digits@"', b"9" * 5000)
    if dice.random() < 0.05:
        text = text.replace(b'"type":', b'"type": "LAUNCH", "type":', 1)
    return text


def bent(dice, body):
    """Bytes, cut off, added to, or changed somewhere."""
    kind = dice.randrange(5)
    at = dice.randrange(len(body) + 1)
    if kind == 0:
        return body[:at]
    if kind == 1:
        return body + dice.randbytes(dice.randrange(1, 40))
    if kind == 2:
        return body[:at] + dice.randbytes(dice.randrange(1, 9)) + body[at:]
    changed = bytearray(body)
    for _ in range(dice.randrange(1, 4)):
        if changed:
            changed[dice.randrange(len(changed))] = dice.choice((0, 1, 127, 128, 255, dice.randrange(256)))
    return bytes(changed)


def form(dice, fields):
    """The bytes of a form, each value percent-encoded well or badly."""
    parts = []
    for name, value in fields.items():
        text = value if isinstance(value, str) else to_json(dice, value).decode("utf-8", "replace")
        escaped = "".join(c if c.isalnum() else "".join(f"%{b:02x}" for b in c.encode("utf-8", "replace")) for c in text)
        parts.append(f"{name}={escaped if dice.random() < 0.8 else text}")
    body = "&".join(parts).encode("utf-8", "replace")
    return bent(dice, body) if dice.random() < 0.3 else body
