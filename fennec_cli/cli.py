"""The click group, which loads a command on its first use, and the one error boundary.

An error becomes one line on standard error and an exit status here and nowhere else.
"""

import io
import os
import sys
from importlib import import_module
from typing import NoReturn

import click

from fennec_cli import __version__, signals
from fennec_cli.errors import EXIT_STATUS, Bug, ConfigError, FennecError, OutputError, UsageError
from fennec_cli.output.notes import Notes, wants_color
from fennec_cli.output.sink import ReaderGone

# name -> module:attribute, one-line help. The help stands here so that `fennec --help` imports no command.
COMMANDS: dict[str, tuple[str, str]] = {
    "complete": ("fennec_cli.commands.complete:complete", "Complete the prompt on standard input."),
    "models": ("fennec_cli.commands.models:models", "List and check models; pull and remove local ones."),
    "bench": ("fennec_cli.commands.bench:bench", "Measure how fast models are and what they cost."),
    "cache": ("fennec_cli.commands.cache:cache", "Show, move and drop the answers that are kept."),
    "keys": ("fennec_cli.commands.keys:keys", "Store, list, test and rotate keys."),
    "batch": ("fennec_cli.commands.batch:batch", "Use the providers' own batch endpoints, at half the price."),
    "metrics": ("fennec_cli.commands.metrics:metrics", "Show counters of requests, errors, tokens and cost."),
    "audit": ("fennec_cli.commands.audit:audit", "Check and read the log of what was asked and answered."),
    "config": ("fennec_cli.commands.config:config", "Show and check the configuration."),
}
HOUSEKEEPING = frozenset({"batch", "keys", "metrics", "audit", "config"})


class LazyGroup(click.Group):
    """Commands by name; a command's module is imported when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for title, names in (
            ("Commands", [name for name in COMMANDS if name not in HOUSEKEEPING]),
            ("Housekeeping", [name for name in COMMANDS if name in HOUSEKEEPING]),
        ):
            if names:
                with formatter.section(title):
                    formatter.write_dl([(name, COMMANDS[name][1]) for name in names])


@click.group(
    cls=LazyGroup,
    context_settings={"max_content_width": 100},
    add_help_option=False,
    epilog="`fennec COMMAND --help` shows the options of a command.",
)
@click.version_option(__version__, message="fennec %(version)s", help="Show the version and exit.")
@click.help_option("-h", "--help", help="Show this message and exit.")  # click looks its own up in catalogues
def cli() -> None:
    """Prompts in on stdin, answers out on stdout, through any language-model provider."""


def run_and_exit(arguments: list[str]) -> NoReturn:
    """Run a command line and end the process: by status, or by the signal that stopped it."""
    _reserve_closed_descriptors()
    if sys.stdout is not None:
        sys.stdout = _Stdout(sys.stdout.buffer, encoding="utf-8", errors="surrogateescape")
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 - the /dev/null of above
    notes = Notes(color=wants_color(os.environ))
    try:
        status = run(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
    except FennecError as error:
        notes.error(error)
        status = error.exit_status
    except signals.Interrupted as stop:
        signals.die(stop.number)
    except ReaderGone:
        import signal

        signals.die(signal.SIGPIPE)
    except Exception as error:
        if signals.stopping():  # Python wraps what a handler raises in some places (`__set_name__` of an import)
            signals.die(signals.stopping())
        _report_bug(error, arguments)
        status = EXIT_STATUS["internal"]
    # Nothing is left to do: tearing the interpreter down would take a fifth of a short run.
    os._exit(status)


class _Stdout(io.TextIOWrapper):
    """Standard output for help and lists: what goes wrong with it is an error of ours."""

    def flush(self) -> None:
        try:
            super().flush()
        except BrokenPipeError:
            raise ReaderGone from None
        except OSError as error:
            raise OutputError(f"cannot write standard output ({error.strerror})") from error


def run(arguments: list[str]) -> int:
    """Run a command line and return its exit status. Raises `FennecError` for what fails."""
    if "FENNEC_API_KEY" in os.environ:
        raise ConfigError(
            "FENNEC_API_KEY does not exist: a key belongs to one provider",
            hint="unset it and set the provider's own variable, for example OPENAI_API_KEY",
        )
    try:
        status = cli.main(arguments, prog_name="fennec", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        sys.stderr.write(f"{error.format_message()}\n")
        return EXIT_STATUS["usage"]
    except click.UsageError as error:
        named = [name for name in arguments[:1] if name in COMMANDS]  # what click's parser itself finds has no context
        command = error.ctx.command_path if error.ctx else " ".join(["fennec", *named])
        raise UsageError(_without_values(error.format_message()), hint=f"see `{command} --help`") from error
    except click.exceptions.Exit as error:
        return error.exit_code
    return status if isinstance(status, int) else 0


def _without_values(message: str) -> str:
    """An argument too many may be a prompt, or even a key: it is not repeated."""
    return message.partition(" (")[0] if "unexpected extra argument" in message else message.rstrip(".")


def _reserve_closed_descriptors() -> None:
    """Put /dev/null where a standard descriptor is closed, so that no socket gets its number and our output."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number: this one


def _report_bug(error: Exception, arguments: list[str]) -> None:
    bug = Bug(error)
    sys.stderr.write(f"fennec: {bug.line()}\n")
    if any(argument.startswith("-vvv") for argument in arguments):
        sys.stderr.write(bug.frames)
