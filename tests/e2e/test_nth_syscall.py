"""The Nth call of each kind into the system fails: an answer or a documented status, and the disk stays usable.

The calls of the interpreter before it reaches us are left out: they are counted on `fennec --version`. Where code is
loaded, less is asked: orjson 3 ends with SIGSEGV when the standard library's datetime cannot be loaded.
"""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fennec_cli.errors import EXIT_STATUS
from tests.conftest import soak
from tests.e2e.peer import Peer, answer
from tests.e2e.runner import Fennec, command

CASES = [
    (call, error)
    for call, errors in {
        "openat": ("ENOSPC", "EACCES", "EMFILE", "EINTR"),
        "read": ("EIO", "EINTR", "ENOMEM"),
        "pwrite64": ("ENOSPC", "EIO"),
        "write": ("ENOSPC", "EIO", "EINTR"),
        "fdatasync": ("EIO",),
        "ftruncate": ("EIO",),
        "fcntl": ("EACCES", "EINTR"),
        "connect": ("ECONNREFUSED", "EACCES"),
        "recvfrom": ("EIO", "ENOMEM"),
    }.items()
    for error in errors[: soak(1, 9)]
]
CODE = re.compile(r"(\.so\b|/lib/python|/fennec_cli\b).*INJECTED")
KNOWN = set(EXIT_STATUS.values())


def count(call: str, arguments: list[str], fennec: Fennec, log: Path) -> int:
    """How often a program makes this call."""
    trace = ["strace", "-f", "-qq", "-e", f"trace={call}", "-o", str(log), *arguments]
    subprocess.run(trace, input=b"hi", capture_output=True, env=fennec.environment({}), timeout=60, check=True)
    return sum(f" {call}(" in line for line in log.read_text().splitlines())


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("call", "error"), CASES)
def test_nth_syscall_fails(
    call: str,
    error: str,
    fennec: Fennec,
    serve: Callable[..., Peer],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: failing system calls were NOT tried")
    serve(answer("Hello."))
    fennec.complete().succeeded("Hello.")  # there is a state directory, and byte code
    first = count(call, [*command(), "--version"], fennec, tmp_path / "log") + 1
    last = count(call, [*command(), "complete"], fennec, tmp_path / "log")
    step = max(1, (last - first + 1) // soak(2, 200))
    log = tmp_path / "log"
    for number in range(first, last + 1, step):
        inject = f"inject={call}:error={error}:when={number}"
        fault = ("strace", "-f", "-y", "-qq", "-o", str(log), "-e", f"trace={call}", "-e", inject)
        with fennec.start("complete", prefix=fault, stdin=subprocess.PIPE) as process:
            out, err = process.communicate(b"hi", timeout=60)
        seen = f"{call} {number} {error}: status {process.returncode}, {out!r}, {err.decode()!r}"
        assert out == b"Hello." if process.returncode == 0 else b"Hello.".startswith(out), seen
        if not CODE.search(log.read_text()):
            assert process.returncode in KNOWN, seen
            assert b"Traceback" not in err, seen
            assert process.returncode == 0 or err.startswith(b"fennec: "), seen
    fennec.complete().succeeded("Hello.")
    record_property("calls", len(range(first, last + 1, step)))
    record_property("tracebacks", 0)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("call", "error"), [("fsync", "EIO"), ("rename", "ENOSPC"), ("rename", "EACCES"), ("write", "ENOSPC")]
)
def test_a_file_is_whole_or_not_there_whichever_call_fails(
    call: str, error: str, fennec: Fennec, serve: Callable[..., Peer], tmp_path: Path
) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: failing system calls were NOT tried")
    serve(answer("Hello."))
    fennec.complete("-o", "out").succeeded("")
    wanted = count(call, [*command(), "complete", "-o", str(fennec.home / "out")], fennec, tmp_path / "log")
    assert wanted
    for number in range(1, wanted + 1, soak(3, 1)):
        (fennec.home / "out").unlink(missing_ok=True)
        fault = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={call}:error={error}:when={number}")
        with fennec.start("complete", "-o", "out", prefix=fault, stdin=subprocess.PIPE) as process:
            err = process.communicate(b"hi", timeout=60)[1].decode()
        seen = f"{call} {number} {error}: status {process.returncode}, {err!r}"
        assert process.returncode in KNOWN, seen
        assert "Traceback" not in err, seen
        out = fennec.home / "out"
        assert out.exists() or process.returncode, seen
        assert not out.exists() or out.read_bytes() == b"Hello.", seen
        assert not list(fennec.home.glob(".out.*")), seen
