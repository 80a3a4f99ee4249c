"""Names for processes that hold leases, such that others on the same machine can tell whether one of them is dead.

A name is `RANDOM-PID-START-MACHINE`. When the process began tells it from a later one with its number; the machine is
this run of it, as seen from inside of this container. Where there is no /proc the name is random only, and nobody can
tell.
"""

import itertools
import os

from fennec_cli.hashes import sha256

_PROCESS: dict[int, str] = {}  # names by process: a fork gets its own
_numbers = itertools.count(1)


def new_owner() -> str:
    """Return the name of one more thing that holds leases: `HOLDER.PART`, a part of this process."""
    pid = os.getpid()
    if pid not in _PROCESS:
        _PROCESS[pid] = holder()
    return f"{_PROCESS[pid]}.{next(_numbers)}"


def holder() -> str:
    """Return a name for this process. It begins with what nobody can guess."""
    own = os.urandom(8).hex()
    machine = _machine()
    since = _since(os.getpid()) if machine else None
    return f"{own}-{os.getpid():x}-{since}-{machine}" if since else own


def is_dead(name: str) -> bool:
    """Whether the process of this holder or owner is known to have ended: one of this machine, which is gone."""
    _, _, identity = name.partition(".")[0].partition("-")
    pid, _, rest = identity.partition("-")
    since, _, machine = rest.partition("-")
    if not machine or machine != _machine():
        return False
    try:
        os.kill(int(pid, 16), 0)  # not by /proc alone, which may hide the processes of other users
    except ProcessLookupError:
        return True
    except (PermissionError, ValueError, OverflowError):
        return False
    return _since(int(pid, 16)) not in (since, None)


def _machine() -> str:
    """This run of this machine and this container's numbering of processes, in short; nothing where that is unknown."""
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            boot = file.read(64)
        return sha256(boot + os.readlink("/proc/self/ns/pid").encode()).hexdigest()[:12]
    except OSError:
        return ""


def _since(pid: int) -> str | None:
    """When a process began, in ticks since the machine did (proc(5), `starttime`); None where it cannot be seen.

    One that has ended and that nobody has waited for yet began never.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read(4096).rpartition(b")")[2].split()
        return "never" if fields[0] in (b"Z", b"X") else f"{int(fields[19]):x}"
    except (OSError, IndexError, ValueError):
        return None
