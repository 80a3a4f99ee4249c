"""Coverage-guided fuzzing of the wire decoders, run by hand: python tests/fuzz_wire.py -runs=100000 [CORPUS]

The first byte chooses how the rest is cut. Any input gives events or `ProtocolError`, and the judge's events.
"""

import random
import sys
from pathlib import Path

try:
    import atheris
except ImportError:
    sys.exit("atheris is missing: pip install atheris")

sys.path.insert(0, str(Path(__file__).parent.parent))

with atheris.instrument_imports(include=["fennec_cli"]):
    from fennec_cli.errors import ProtocolError
    from fennec_cli.wire import check_depth
    from fennec_cli.wire.inflate import Inflater
    from fennec_cli.wire.ndjson import NDJSONDecoder
    from fennec_cli.wire.sse import SSEDecoder

from tests.wire.slow_sse import slow_sse
from tests.wire.wire_cuts import cut, run


def one_input(data: bytes) -> None:
    dice, stream = random.Random(data[:1]), data[1:]
    pieces = cut(stream, [dice.randint(0, len(stream)) for _ in range(dice.randint(0, 5))])
    if run(SSEDecoder(), pieces) != slow_sse(stream):
        raise AssertionError(f"SSE differs from the judge: {pieces!r}")
    if run(NDJSONDecoder(), pieces) != run(NDJSONDecoder(), [stream]):
        raise AssertionError(f"NDJSON depends on the cuts: {pieces!r}")
    for call in (check_depth, inflate):
        try:
            call(stream)
        except ProtocolError:
            continue


def inflate(stream: bytes) -> None:
    inflater = Inflater("deflate" if stream[:1] < b"\x80" else "gzip")
    for _ in inflater.feed(stream):
        pass
    inflater.close()


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
