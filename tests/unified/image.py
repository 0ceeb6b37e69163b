"""Packs what the tests of isolation need into the memory image that a Linux kernel starts from.

Reads the messages of `cargo test --no-run` and prints the path of the test. Arguments: the image to write, and tests to run.
"""

import glob
import json
import os
import subprocess
import sys

# What the tests' tasks run.
PROGRAMS = "sh cat dd echo head kill ls mkdir mount mv rm setsid sleep tail touch tr true wc ip".split()
DIRECTORIES = ["/dev", "/proc", "/root", "/run", "/sys", "/tmp", "/var/tmp"]
FILES = ["/etc/passwd", "/etc/group", "/etc/nsswitch.conf"] + glob.glob("/lib/*/libnss_files.so.2")

INIT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
echo "controllers: $(cat /sys/fs/cgroup/cgroup.controllers)"
{command}
echo "tests ended with $?"
echo o > /proc/sysrq-trigger
sleep 60
"""


def main():
    image, wanted = sys.argv[1], sys.argv[2:]
    binaries = [it["executable"] for it in map(json.loads, sys.stdin) if it.get("executable")]
    test = next(it for it in binaries if os.path.basename(it).startswith("isolation-"))
    found = [which(name) for name in PROGRAMS]
    files = {path: read(path) for path in binaries + found + libraries(binaries + found) + FILES}
    command = " ".join([test, "--test-threads=2"] + wanted)
    files["/init"] = INIT.format(command=command).encode()
    with open(image, "wb") as out:
        pack(out, files)
    print(test)


def which(name):
    """The first of the places where a system of Debian's has its programs."""
    places = [f"{place}/{name}" for place in ("/bin", "/usr/bin", "/sbin", "/usr/sbin")]
    return next(place for place in places if os.path.exists(place))


def libraries(programs):
    """What programs load, by the paths under which they look for it."""
    found = set()
    for program in programs:
        output = subprocess.run(["ldd", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
        found.update(word for word in output.split() if word.startswith("/"))
    return sorted(found)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def pack(out, files):
    """Writes a cpio archive of the kind that kernels read (newc)."""
    above = {os.path.dirname(path) for path in files} | set(DIRECTORIES)
    for directory in list(above):
        while directory != "/":
            above.add(directory)
            directory = os.path.dirname(directory)
    for number, directory in enumerate(sorted(above - {"/"}), 1):
        entry(out, number, directory[1:], 0o40755, b"")
    for number, path in enumerate(sorted(files), 100_000):
        entry(out, number, path[1:], 0o100755, files[path])
    entry(out, 0, "TRAILER!!!", 0, b"")


def entry(out, number, name, mode, content):
    name = name.encode() + b"\0"
    fields = [number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    out.write(head + b"\0" * (-len(head) % 4))
    out.write(content + b"\0" * (-len(content) % 4))


main()
