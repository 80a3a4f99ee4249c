"""Appends records from a process of its own: PATH COUNT [ROTATE_BYTES]. Prints a letter per record."""

import os
import sys
from pathlib import Path

from fennec_cli.audit.log import ROTATE_BYTES, AuditLog


def main() -> None:
    path, count, *rest = sys.argv[1:]
    log = AuditLog(Path(path), key=lambda: b"key", rotate_bytes=int(rest[0]) if rest else ROTATE_BYTES, keep=10_000)
    for turn in range(int(count)):
        try:
            log.append({"event": "test", "pid": os.getpid(), "turn": turn, "filler": "x" * (turn % 700)})
        except OSError as error:
            print(f"failed: {error.strerror}", flush=True)
            sys.exit(1)
        os.write(1, b".")
    log.close()


if __name__ == "__main__":
    main()
