"""Whether a chain of records is whole. Pure: lines in, what is wrong with them out."""

from collections.abc import Iterable, Iterator

from fennec_cli.audit.log import GENESIS, Head, read_record
from fennec_cli.audit.records import digest, mac
from fennec_cli.tuples import NamedTuple

_MAC = b',"mac":"'
_MAC_DIGITS = 32


class Line(NamedTuple):
    """A line of a file, and its number there from 1."""

    file: str
    number: int
    data: bytes


class Verdict(NamedTuple):
    """`problem` is None for a whole chain, else it names the first bad record."""

    records: int
    first: int | None  # number of the first record
    head: Head | None
    vouched: int  # records whose key is ours
    problem: str | None = None


def verify(lines: Iterable[Line], *, key: bytes | None = None, head: Head | None = None) -> Verdict:
    """Follow the chain. `head` is a record that is known to have been there, so that a cut tail shows."""
    checker = _Checker(key, head)
    problem = next(filter(None, map(checker.see, lines)), None) or checker.end()
    return Verdict(checker.records, checker.first, checker.head, checker.vouched, problem)


class _Checker:
    def __init__(self, key: bytes | None, known: Head | None) -> None:
        self._key, self._known = key, known
        self._found = known is None
        self._torn: Line | None = None
        self._prev = GENESIS
        self._files = 0
        self._file = ""
        self.records = self.vouched = 0
        self.first: int | None = None
        self.head: Head | None = None

    def see(self, line: Line) -> str | None:
        """Take the next line; return what is wrong, or None."""
        record = read_record(line.data)
        if record is None:
            if self._torn is not None:
                return _bad(self._torn, "it is not a record, and no repair follows")
            self._torn = line
            return None
        seq, torn, self._torn = record["seq"], self._torn, None
        begins, self._file = line.file != self._file, line.file
        self._files += begins
        expected = self._prev if torn is None else digest(torn.data)
        if torn is not None and (record.get("event"), record.get("fennec.torn_sha256")) != ("repair", expected):
            return _bad(torn, "it is not a record, and no repair follows")
        repaired = begins and torn is not None and torn.file == line.file and "fennec.previous_file" in record
        if self.head is None and repaired:
            pass  # what came before was removed after a while, as it should be
        elif self.head is None and torn is None and record.get("event") == "rotate":
            expected = str(record.get("prev"))
        elif seq != (self.head.seq + 1 if self.head else 0):
            return _bad(line, f"its number is {seq} instead of {self.head.seq + 1 if self.head else 0}")
        follows = record.get("prev") == expected
        if repaired and self.head is not None:
            follows &= record.get("fennec.previous_sha256") == self.head.hash
        if not follows:
            return _bad(line, f"record {seq} does not follow what stands before it")
        if (reason := self._vouch(line, seq)) is not None:
            return reason
        if begins and self._files > 1 and record.get("event") != "rotate" and not repaired:
            return _bad(line, f"record {seq} begins a file and does not say so")
        self.records += 1
        self.first = seq if self.first is None else self.first
        self.head = Head(seq, digest(line.data))
        self._prev = self.head.hash
        if self._known is not None and seq == self._known.seq:
            if self.head.hash != self._known.hash:
                return _bad(line, f"record {seq} is not the one of the given head")
            self._found = True
        return None

    def end(self) -> str | None:
        if self._torn is not None:
            return _bad(self._torn, "it is torn: the next record that is written repairs that")
        if not self._found and self._known is not None:
            if self.first is not None and self._known.seq < self.first:
                return None  # its file was removed after a while
            last = self.head.seq if self.head else "none"
            return f"the tail is cut: record {self._known.seq} of the given head is missing, the last is {last}"
        return None

    def _vouch(self, line: Line, seq: int) -> str | None:
        if self._key is None:
            return None
        body, mark, rest = line.data.rpartition(_MAC)
        given = rest[:_MAC_DIGITS].decode("ascii", "replace") if mark and len(rest) == _MAC_DIGITS + 2 else None
        if given == mac(body + b"}", self._key):
            self.vouched += 1
            return None
        return _bad(line, f"record {seq} was changed: its check value is {'wrong' if given else 'missing'}")


def numbered(file: str, lines: Iterable[bytes]) -> Iterator[Line]:
    for number, data in enumerate(lines, 1):
        yield Line(file, number, data.removesuffix(b"\n"))


def _bad(line: Line, reason: str) -> str:
    return f"{line.file}, line {line.number}: {reason}"
