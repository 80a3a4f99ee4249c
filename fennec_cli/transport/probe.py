"""Whether somebody listens at an address."""

import socket


def answers(host: str, port: int, *, within_s: float) -> bool:
    """Whether a TCP connection to `host` succeeds within so many seconds."""
    try:
        socket.create_connection((host, port), within_s).close()
    except OSError:
        return False
    return True
