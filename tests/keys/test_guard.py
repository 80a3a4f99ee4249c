"""What a process may not do any more once a key is in it."""

import subprocess
import sys

PROGRAM = """
import ctypes, resource, threading
from fennec_cli.keys.guard import guard
guard()
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))  # PR_GET_DUMPABLE
def bug():
    raise ValueError("sk-canary")
thread = threading.Thread(target=bug)
thread.start()
thread.join()
"""


def test_no_core_no_looking_in_and_no_values_from_threads() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout == "(0, 0) 0\n"
    assert done.stderr == "fennec: internal: ValueError in the background; please report it\n"
