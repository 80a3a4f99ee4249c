"""Moments at which bytes came and went, for who measures: the kernel's word for it, not ours.

A thread learns of bytes when the scheduler and Python let it, with many of them milliseconds late. Linux notes when a
packet came (SO_TIMESTAMPNS, socket(7)) and says so with the data: of several in one read, the last one's moment.
"""

import socket
import struct
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from operator import call
from time import monotonic, time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from fennec_cli.transport.network import Network

_Result = TypeVar("_Result")
_SO_TIMESTAMPNS = 35  # Linux, asm-generic/socket.h; the socket module has no name for it
_TIMESPEC = struct.Struct("@ll")
ROOM = socket.CMSG_SPACE(_TIMESPEC.size)


def ask_for_moments(connection: socket.socket) -> None:
    """Have reads of `connection` say when what they read came. Does nothing where the system cannot."""
    if sys.platform != "linux":
        return  # the number means something else there
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)


def asking() -> socket.socket:
    """A socket that only asks: the kernel begins to note moments some time after the first one did."""
    asks = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ask_for_moments(asks)
    return asks


def moment_in(said: Iterable[tuple[int, int, bytes]], ahead: float) -> float | None:
    """The moment, of the monotonic clock, that `recvmsg` gave beside the data."""
    for level, kind, data in said:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
            seconds, nanoseconds = _TIMESPEC.unpack(data)
            return float(seconds - ahead + nanoseconds * 1e-9)
    return None


def ahead_now() -> float:
    """How far the clock that the kernel stamps with is ahead of ours. It is the same until somebody sets that clock."""
    return min(_looked() for _ in range(3))[1]


def at_once(*calls: Callable[[], _Result]) -> Iterator[_Result]:
    """Call them with nothing in between: between two statements another thread may get its turn."""
    return map(call, calls)


def _looked() -> tuple[float, float]:
    """How long it took to look at both clocks, and how far they were apart."""
    before, there, after = at_once(monotonic, time, monotonic)
    return after - before, there - (before + after) / 2


class Arrival:
    """The moment at which what a thread read last had come. None where nobody knows."""

    at: float | None = None


class StampedSocket(socket.socket):
    """Takes the place of `plain`; says in `arrival` when what it reads came, and to `network` when it first sent."""

    def __init__(self, plain: socket.socket, network: "Network", arrival: Arrival) -> None:
        super().__init__(plain.family, plain.type, plain.proto, plain.detach())
        self._network, self._arrival = network, arrival
        self._ahead = 0.0
        ask_for_moments(self)

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        data, said, _, _ = self.recvmsg(size, ROOM, flags)
        moment = moment_in(said, self._ahead)
        possible = moment is not None and (self._network.sent_at or 0.0) <= moment <= monotonic()
        self._arrival.at = moment if possible else None  # somebody has set the clock
        return data

    def send(self, data: "ReadableBuffer", flags: int = 0, /) -> int:
        self._ahead = ahead_now()
        limit = self.gettimeout()
        self.settimeout(0)  # with a limit Python polls before it sends, and waits for its turn in between
        try:
            moment, sent = at_once(monotonic, partial(super().send, data, flags))
        except BlockingIOError:
            self.settimeout(limit)
            moment, sent = monotonic(), super().send(data, flags)
        else:
            self.settimeout(limit)
        if self._network.sent_at is None:
            self._network.sent_at = moment
        return int(sent)
