"""Types that many modules speak of and none owns."""

from collections.abc import Callable, Mapping
from typing import Any

Record = dict[str, Any]  # a JSON object in the state store
Say = Callable[[int, str], None]  # verbosity, text: 0 is said to everybody, n to those who gave -v n times
PutOnRecord = Callable[[str, Mapping[str, object]], None]  # event, fields: for the audit log


def silent(_level: int, _text: str) -> None:
    """A `Say` that says nothing."""


def no_record(_event: str, _fields: Mapping[str, object]) -> None:
    """A `PutOnRecord` for those who keep no log."""
