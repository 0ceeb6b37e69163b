"""Runs the live scenarios: real clients against a real cluster. `run.py --help` says how."""

import argparse
import random
import sys
import time
import traceback

from scenarios import (
    crashes,
    drain,
    executor,
    failover,
    fuzz,
    groups,
    kill,
    leave,
    lend,
    operators,
    reconcile,
    reservations,
    tasks,
)

SCENARIOS = {
    "tasks": tasks.run,
    "kill": kill.run,
    "leave": leave.run,
    "reconcile": reconcile.run,
    "reservations": reservations.run,
    "operators": operators.run,
    "executor": executor.run,
    "groups": groups.run,
    "failover": failover.run,
    "drain": drain.run,
    "fuzz": fuzz.run,
    "lend": lend.run,
    "crashes": crashes.run,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mesolith", help="the binary")
    parser.add_argument("scenario", nargs="*", help=f"of {', '.join(SCENARIOS)}; all by default")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--fuzz-seconds", type=float, default=fuzz.seconds, help="how long the scenario fuzz goes on")
    arguments = parser.parse_args()
    fuzz.seconds = arguments.fuzz_seconds
    print(f"seed {arguments.seed}", flush=True)
    passed, failed = 0, 0
    for name in arguments.scenario or SCENARIOS:
        started = time.monotonic()
        try:
            SCENARIOS[name](arguments.mesolith, random.Random(f"{arguments.seed} {name}"))
            outcome, passed = "ok", passed + 1
        except Exception:  # whatever it is, the other scenarios are to run
            traceback.print_exc()
            outcome, failed = "FAILED", failed + 1
        print(f"live {name} ... {outcome} ({time.monotonic() - started:.1f} s)", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
