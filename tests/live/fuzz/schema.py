"""Just enough of protocol buffers to write what JSON says: messages and enums are read from our .proto files."""

import base64
import os
import re
import struct

PROTO = os.path.join(os.path.dirname(__file__), "../../../protocol/proto")
TOKEN = re.compile(r'"[^"]*"|[\w.]+|[{}=;\[\]<>,()-]')
FIXED = {"double": ("<d", 1), "float": ("<f", 5)}


class Unwritable(Exception):
    """What JSON says cannot be said in protocol buffers."""


class Schema:
    def __init__(self):
        # messages: name -> {field: (number, label, type)}, enums: name -> {value: number}
        self.messages, self.enums = {}, {}
        for folder, _, files in os.walk(os.path.join(PROTO, "mesos")):
            for name in files:
                with open(os.path.join(folder, name)) as file:
                    self._read(re.sub(r"//.*|/\*.*?\*/", "", file.read()))
        duration = {"seconds": (1, "optional", "int64"), "nanos": (2, "optional", "int32")}
        self.messages["google.protobuf.Duration"] = duration

    def _read(self, text):
        tokens = TOKEN.findall(text)
        package = tokens[tokens.index("package") + 1]
        self._block(iter(tokens), [package])

    def _block(self, tokens, scope):
        """Reads what stands in a file, a message or a oneof."""
        fields = self.messages.setdefault(".".join(scope), {}) if len(scope) > 1 else {}
        for token in tokens:
            if token == "}":
                return
            if token == "message":
                name = next(tokens)
                next(tokens)
                self._block(tokens, [*scope, name])
            elif token == "oneof":
                next(tokens), next(tokens)
                inner = self._fields(tokens, "optional")
                fields.update(inner)
            elif token == "enum":
                self._enum(tokens, ".".join([*scope, next(tokens)]))
            elif token in ("required", "optional", "repeated"):
                fields.update([self._field(tokens, token, next(tokens))])
            elif token == "map":
                next(tokens), next(tokens), next(tokens)
                value = next(tokens)
                next(tokens)
                fields.update([self._field(tokens, "map", value)])
            elif token in ("syntax", "package", "import", "reserved", "option", "extensions"):
                while next(tokens) != ";":
                    pass

    def _fields(self, tokens, label):
        found = {}
        for token in tokens:
            if token == "}":
                return found
            found.update([self._field(tokens, label, token)])
        return found

    def _field(self, tokens, label, kind):
        name = next(tokens)
        next(tokens)
        number = int(next(tokens))
        while next(tokens) != ";":
            pass
        return name, (number, label, kind)

    def _enum(self, tokens, name):
        values = self.enums.setdefault(name, {})
        next(tokens)
        for token in tokens:
            if token == "}":
                return
            next(tokens)
            values[token] = int(next(tokens))
            while next(tokens) != ";":
                pass

    def _find(self, scope, kind):
        """The full name of a type, as seen from the message that uses it."""
        if kind.startswith("."):
            return kind[1:]
        parts = scope.split(".")
        for end in range(len(parts), -1, -1):
            name = ".".join([*parts[:end], kind])
            if name in self.messages or name in self.enums:
                return name
        raise Unwritable(kind)

    def encode(self, message, value):
        """The bytes of a message of this name."""
        if not isinstance(value, dict):
            raise Unwritable(value)
        fields, written = self.messages[message], b""
        for name, given in value.items():
            if name not in fields:
                raise Unwritable(name)
            number, label, kind = fields[name]
            if label == "map":
                if not isinstance(given, dict):
                    raise Unwritable(given)
                for key, each in given.items():
                    entry = self._write(message, 1, "string", key) + self._write(message, 2, kind, each)
                    written += tagged(number, 2, sized(entry))
                continue
            for each in given if label == "repeated" and isinstance(given, list) else [given]:
                written += self._write(message, number, kind, each)
        return written

    def _write(self, scope, number, kind, value):
        try:
            if kind in FIXED:
                shape, wire = FIXED[kind]
                return tagged(number, wire, struct.pack(shape, value))
            if kind == "string":
                return tagged(number, 2, sized(value.encode("utf-8", "surrogatepass")))
            if kind == "bytes":
                return tagged(number, 2, sized(base64.b64decode(value)))
            if kind in ("int32", "int64", "uint32", "uint64", "bool"):
                return tagged(number, 0, varint(int(value)))
            found = self._find(scope, kind)
            if found in self.enums:
                return tagged(number, 0, varint(self.enums[found][value]))
        except Unwritable:
            raise
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError, struct.error) as error:
            raise Unwritable(value) from error
        return tagged(number, 2, sized(self.encode(found, value)))


def varint(number):
    number &= (1 << 64) - 1
    written = bytearray()
    while number > 127:
        written.append(number & 127 | 128)
        number >>= 7
    written.append(number)
    return bytes(written)


def tagged(number, wire, content):
    return varint(number << 3 | wire) + content


def sized(content):
    return varint(len(content)) + content
