"""`fennec keys`: where keys are, and the care of those that we store."""

from functools import partial
from typing import Any

import click

from fennec_cli import signals
from fennec_cli.commands.options import Command, Group, format_options, help_options, option, settings_options

LIST_EXAMPLES = """\b
Examples:
  fennec keys
  fennec keys list --ndjson | jq -r 'select(.old).name'
"""
SET_EXAMPLES = """\b
Examples:
  pass show openai/key | fennec keys set openai
  fennec keys set anthropic --vault file < key.txt
  fennec keys set openai --next < new-key.txt
"""
RM_EXAMPLES = """\b
Examples:
  fennec keys rm openai
  fennec keys rm openai --slot retired
"""
ROTATE_EXAMPLES = """\b
Examples:
  pass show openai/new-key | fennec keys rotate openai
  fennec keys rotate openai --no-stdin
"""
TEST_EXAMPLES = """\b
Examples:
  fennec keys test
  fennec keys test openai --json | jq -e 'all(.ok)'
"""

table_options = partial(format_options, people="table")
NAME = click.argument("name", metavar="NAME")
PASSPHRASE_FILE = option("--passphrase-file", metavar="PATH", daily=True,
                         help="The file with the passphrase of the encrypted file.")


@click.group(cls=Group, default="list")
def keys() -> None:
    """Store, list, test and rotate keys. Without a subcommand: list, with its options.

    A key is read from standard input only and is never shown.
    """


@keys.command("list", cls=Command, add_help_option=False, epilog=LIST_EXAMPLES)
@table_options
@settings_options
@help_options
@click.pass_obj
def list_(config: Any, /, output_format: str) -> int:
    """List where each provider's key comes from, and what is stored. Opens no keyring."""
    from fennec_cli.key_care import run_list

    return run_list(config, output_format)


@keys.command("set", cls=Command, add_help_option=False, epilog=SET_EXAMPLES)
@NAME
@option("--vault", type=click.Choice(["keyring", "file"]), daily=True,
        help="The system's keyring or the encrypted file; else where it is, else the keyring if there is one.")
@option("--next", "is_next", is_flag=True, envvar=(), daily=True,
        help="Store it beside the one in use: it takes over when that is refused, or by `rotate`.")
@option("--lock", type=click.Choice(["key-file", "passphrase", "keyring"]), daily=True,
        help="What unlocks the encrypted file, if this makes it: a file beside it, a passphrase, the keyring.")
@PASSPHRASE_FILE
@option("-q", "--quiet", is_flag=True, daily=True, help="Say nothing but errors.")
@settings_options
@help_options
@click.pass_obj
def set_(config: Any, /, name: str, is_next: bool, **given: Any) -> int:
    """Store the key on standard input under NAME, a provider's name."""
    from fennec_cli.key_care import Keeping, run_set

    signals.install()
    return run_set(config, name, "next" if is_next else "active", Keeping(**given))


@keys.command(cls=Command, add_help_option=False, epilog=RM_EXAMPLES)
@NAME
@option("--slot", type=click.Choice(["active", "next", "retired"]), envvar=(), daily=True, help="Only this one.")
@PASSPHRASE_FILE
@settings_options
@help_options
@click.pass_obj
def rm(config: Any, /, name: str, slot: Any, passphrase_file: str | None) -> int:
    """Remove the keys that are stored under NAME."""
    from fennec_cli.key_care import run_rm

    signals.install()
    return run_rm(config, name, slot, passphrase_file)


@keys.command(cls=Command, add_help_option=False, epilog=ROTATE_EXAMPLES)
@NAME
@option("--no-stdin", is_flag=True, daily=True, help="Take the key that `set --next` has stored.")
@PASSPHRASE_FILE
@option("-q", "--quiet", is_flag=True, daily=True, help="Say nothing but errors.")
@settings_options
@help_options
@click.pass_obj
def rotate(config: Any, /, name: str, no_stdin: bool, passphrase_file: str | None, quiet: bool) -> int:
    """Make a new key the active one, after it was tried with a call that costs nothing.

    The new key is on standard input, or was stored by `set --next`. The old one is kept as the retired one.
    """
    from fennec_cli.key_care import Keeping, run_rotate

    signals.install()
    return run_rotate(config, name, Keeping(passphrase_file=passphrase_file, quiet=quiet), reads_stdin=not no_stdin)


@keys.command(cls=Command, add_help_option=False, epilog=TEST_EXAMPLES)
@click.argument("name", metavar="[NAME]", required=False)
@PASSPHRASE_FILE
@table_options
@settings_options
@help_options
@click.pass_obj
def test(config: Any, /, name: str | None, passphrase_file: str | None, output_format: str) -> int:
    """Try each provider's key with a call that costs nothing; of stored ones the next key, too."""
    from fennec_cli.key_care import run_test

    signals.install()
    return run_test(config, name, passphrase_file, output_format)
