"""When a batch is given up: `--fail-fast` and `--max-failures N[%]`. Pure."""

from fennec_cli.tuples import NamedTuple

PERCENT_FROM = 100  # rows: before that, a share says little


class FailurePolicy(NamedTuple):
    """How many rows may fail; None for any number. `share` is a part of the rows, from 0 to 1."""

    number: int | None = None
    share: float | None = None

    @classmethod
    def parse(cls, text: str) -> "FailurePolicy":
        """Read `N` or `N%`. Raises ValueError."""
        number, percent, rest = text.partition("%")
        try:
            if rest:
                raise ValueError
            if percent:
                share = float(number) / 100
                if not 0 <= share <= 1:
                    raise ValueError
                return cls(share=share)
            if int(number) < 0:
                raise ValueError
            return cls(number=int(number))
        except ValueError:
            raise ValueError(f"{text!r:.40} is neither a number of rows nor a percentage") from None

    def gives_up(self, failed: int, rows: int) -> bool:
        """Whether `failed` of the `rows` that are done so far are too many."""
        if self.number is not None and failed > self.number:
            return True
        return self.share is not None and rows >= PERCENT_FROM and failed > self.share * rows


FAIL_FAST = FailurePolicy(number=0)
