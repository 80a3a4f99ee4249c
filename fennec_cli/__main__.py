"""`python -m fennec_cli` and the console script: as little as possible before the command itself."""

import os
import sys
from typing import NoReturn

from fennec_cli import __version__


def main() -> NoReturn:
    """Run the command line and end the process with its status."""
    if sys.argv[1:] == ["--version"]:  # needs no command-line parser
        try:
            os.write(1, f"fennec {__version__}\n".encode())
            os._exit(0)
        except OSError:
            pass  # the long way says what is wrong
    from fennec_cli.signals import die_silently

    die_silently()
    from fennec_cli.cli import run_and_exit

    run_and_exit(sys.argv[1:])


if __name__ == "__main__":
    main()
