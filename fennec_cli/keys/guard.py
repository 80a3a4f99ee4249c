"""Once a key is in this process' memory, none of it goes to the disk, no other process of the user reads it, and a bug
in a thread does not print the values it met.
"""

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading

PR_SET_DUMPABLE = 4  # prctl(2)


def guard() -> None:
    """Forbid core dumps, also those that are handed to a program, and reading through /proc or ptrace."""
    import resource
    import threading

    threading.excepthook = _report
    sys.unraisablehook = _report

    with suppress(OSError, ValueError):  # a sandbox may forbid to ask for less
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        import ctypes  # 1.5 ms, a tenth of an interpreter's start

        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def _report(args: "threading.ExceptHookArgs | sys.UnraisableHookArgs") -> None:
    """Say what kind of bug it was, and nothing that was in it."""
    if args.exc_type is not SystemExit:
        os.write(2, f"fennec: internal: {args.exc_type.__name__} in the background; please report it\n".encode())
