"""What the README shows on a terminal is what happens."""

import re
import shlex
import shutil
from collections.abc import Callable

import pytest

from tests.e2e.peer import Peer, Script, answer, failure
from tests.e2e.runner import ROOT, Fennec, command

BLOCKS = re.findall(r"^```console\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
# What the provider says, by the first command of a block.
SCENES: dict[str, list[Script]] = {
    "echo 'Name three colours.' | fennec complete": [
        answer("Red, green", " and blue.\n"),
        answer("Red, green and blue.\n"),
        answer("Tea is a drink made of\n", reason="length"),
        answer("un"),
        answer("deux"),
    ],
    "echo 'Write to jane.doe@example.com' | fennec complete --redact mask -n | jq -c .masked": [],
    "fennec complete --strategy cost -v -a a.png 'What is it?'": [
        answer("A red square.\n"),
        failure(503, "down for maintenance"),
        answer("A red square.\n"),
    ],
}
PNG = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de")


def plain(text: str) -> str:
    """Masks end in letters that are each installation's own."""
    return re.sub(r"_[a-z0-9]{4}\]", "_xxxx]", text)


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
@pytest.mark.parametrize("block", BLOCKS, ids=[block.splitlines()[0][2:42] for block in BLOCKS])
def test_the_readme_shows_what_happens(block: str, fennec: Fennec, serve: Callable[..., Peer]) -> None:
    commands = re.findall(r"^\$ (.*)", block, re.MULTILINE)
    peer = serve(*(SCENES[commands[0]] or [failure(500)]))
    (fennec.home / "a.png").write_bytes(PNG)
    config = fennec.home / ".config" / "fennec" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(
        'candidates = ["openai/gpt-4", "openai/gpt-5.4-nano"]\n'
        f'[provider.box]\ntype = "openai"\nbase_url = "{peer.url}"\nmodel = "m"\n'
        "retry = {max_attempts = 1}\n"
    )
    shown = "\n".join(f"printf '%s\\n' {shlex.quote(f'$ {line}')}\n{line}" for line in commands)
    result = fennec.shell(f'exec 2>&1\nfennec() {{ {" ".join(command())} "$@"; }}\n{shown}')
    assert plain(result.text) == plain(block)
