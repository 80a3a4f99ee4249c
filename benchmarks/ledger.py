"""Make a ledger of many finished rows, with the ledger's own writer: `PATH N`."""

import sys

import orjson

from fennec_cli.batch.ledger import Entry, Ledger, content_hash

AT_ONCE = 10_000


def main() -> None:
    ledger, count = Ledger(sys.argv[1], "ndjson"), int(sys.argv[2])
    for begin in range(0, count, AT_ONCE):
        ledger.append([entry(number) for number in range(begin, min(begin + AT_ONCE, count))])
    ledger.mark_delivered()
    ledger.close()


def entry(number: int) -> Entry:
    """The result of a row of `tools.Bench.rows`."""
    row = {"id": f"row-{number}", "prompt": f"Name three colours, {number}."}
    lines = b'{"v":1,"type":"end","id":"row-%d","seq":0,"t":0.1,"finish_reason":"stop","ok":true,"exit":0}\n' % number
    return Entry(row["id"], content_hash(orjson.dumps(row, option=orjson.OPT_SORT_KEYS)), lines, finished=True)


if __name__ == "__main__":
    main()
