#!/usr/bin/env python3
"""Load and fault over real sockets and processes; every figure is of the whole, in one table.

    HOLDFAST_BIN=.build/release/holdfast soak.py              the long forms, some 20 minutes
    soak.py --short                                           one twentieth of each, as in CI
    soak.py idle frozen --json figures.ndjson                 some of them

Whatever does not hold ends it with exit code 1. Times are judged in the long forms alone.
"""

import argparse
import os
import pathlib
import platform
import sys
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "Tests" / each) for each in ("Tools", "Scenario", "Conformance")]

import fault  # noqa: E402
import frozen  # noqa: E402
import idle  # noqa: E402
import kill  # noqa: E402
import slow  # noqa: E402
from figures import Figures  # noqa: E402
from served import binary  # noqa: E402

FAMILIES = {"idle": idle, "frozen": frozen, "slow": slow, "kill": kill, "fault": fault}
SHORT = 1 / 20


def machine():
    """What the figures are of."""
    return f"{platform.machine()}, {os.cpu_count()} processors"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", nargs="*", help=", ".join(FAMILIES))
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--json", metavar="FILE")
    chosen = parser.parse_args()
    if unknown := set(chosen.family) - set(FAMILIES):
        parser.error(f"there is no {', '.join(unknown)}")
    figures, failed = Figures(), []
    print(f"{binary()} on {machine()}", flush=True)
    for name in chosen.family or FAMILIES:
        began = time.monotonic()
        print(f"{name}: {FAMILIES[name].__doc__.splitlines()[0]}", flush=True)
        try:
            FAMILIES[name].run(SHORT if chosen.short else 1, figures)
        except Exception:
            traceback.print_exc()
            failed.append(name)
        print(f"  {time.monotonic() - began:.0f} s", flush=True)
    if chosen.json:
        figures.write(chosen.json, machine())
    if failed:
        print(f"FAIL: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
