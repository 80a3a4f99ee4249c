"""The pure parts of `make bench`, and that it runs."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from benchmarks import gitleaks, presidio
from benchmarks.__main__ import interleaved
from benchmarks.measure import Sample
from benchmarks.server import answer, answer_text, message
from benchmarks.table import ROWS, Goal, figures, render, verdict
from benchmarks.tools import missing
from fennec_cli.dialects import chat, messages
from fennec_cli.transport.chunked import Dechunker
from fennec_cli.wire.sse import SSEDecoder

ROOT = Path(__file__).parent.parent
LIVE = next(row for row in ROWS if row.name.startswith("live"))


def sample(wall_s: float) -> list[Sample]:
    return [Sample(wall_s, wall_s, 20.0)]


def test_the_scripted_answer_is_a_valid_stream_of_the_known_text() -> None:
    body = Dechunker().feed(answer(25).partition(b"\r\n\r\n")[2])
    chunks = [chunk for event in SSEDecoder().feed(body) for chunk in chat.decode(event)]
    assert "".join(chunk.content or "" for chunk in chunks) == answer_text(25)


def test_the_scripted_message_is_the_same_answer_in_messages() -> None:
    body = Dechunker().feed(message(25).partition(b"\r\n\r\n")[2])
    chunks = [chunk for event in SSEDecoder().feed(body) for chunk in messages.decode(event)]
    assert "".join(chunk.content or "" for chunk in chunks) == answer_text(25)
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["stop"]


def test_a_goal_in_terms_of_another_tool_is_open_without_it() -> None:
    assert Goal("<=", 0.25, "llm").met(1.0, None) is None


@pytest.mark.parametrize(("live_s", "expected"), [(0.13, "ok"), (0.14, "MISS <= 13.5 P")])
def test_a_missed_goal_is_named(live_s: float, expected: str) -> None:
    samples = {("fennec", "pass"): sample(0.01), ("fennec", "live"): sample(live_s)}
    assert verdict(LIVE, figures(samples)) == expected


def test_a_goal_with_an_allowance_adds_it_to_the_other_row() -> None:
    goal = Goal("<=", 1, "peak memory, 20,000", plus=8)
    assert (goal.met(28.0, 20.0), goal.met(28.1, 20.0)) == (True, False)


def test_the_median_run_counts() -> None:
    runs = [*sample(0.01), *sample(0.01), *sample(9.0)]
    assert figures({("fennec", "pass"): runs})["python -c pass"]["fennec"] == pytest.approx(10.0)


def test_a_row_without_measurements_is_left_out() -> None:
    assert "live" not in render({("fennec", "pass"): sample(0.01)})


def test_rare_runs_are_spread_among_frequent_ones() -> None:
    often, seldom = ("fennec", "live"), ("llm", "live")
    order = interleaved({often: 4, seldom: 2})
    assert [position for position, key in enumerate(order) if key == seldom] == [1, 4]


def test_what_cannot_be_measured_here_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert missing(Path(sys.prefix))["redis"] == "redis-server is not installed"


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
def test_a_server_is_started_and_measured(tmp_path: Path) -> None:
    argv = [sys.executable, str(ROOT / "benchmarks" / "state.py"), "redis"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert 0 < float(done.stdout) < 1


@pytest.mark.skipif(shutil.which("fennec", path=str(Path(sys.executable).parent)) is None, reason="not installed here")
def test_two_rows_are_measured_quickly() -> None:
    options = ["--quick", "--only", "pass", "--only", "live", "--tools", "fennec", "--fennec", sys.prefix]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "python -c pass" in done.stdout
    assert "live answer, 1 chunk" in done.stdout


GO_HELPERS = """package utils
func Letters(size string) string { return fmt.Sprintf(`[a-z]{%s}`, size) }
func GenerateSampleSecrets(identifier string, secret string) []string {
	samples := map[string]string{
		"one": "{i}Token=\\"{s}\\"", // a comment
		"two": `{"{I}_TOKEN": "{s}"
}`,
	}
	return nil
}
"""
GO_RULES = """package rules
var more = []string{"x", secrets.NewSecret(utils.Letters("3") + "[0-9]{2,}")}
func Acme() *config.Rule {
	r := config.Rule{RuleID: "acme-key"}
	tps := utils.GenerateSampleSecrets("acme", "k" + secrets.NewSecret(utils.Letters("4")))
	tps = append(tps, more...)
	fps := []string{strings.Repeat("k", 3), "\\"\\x41"}
	return utils.Validate(r, tps, fps)
}
func Other() *config.Rule {
	r := config.Rule{RuleID: "other-key"}
	tps := unheard()
	return utils.Validate(r, tps, nil)
}
"""


def test_samples_of_gitleaks_are_read_from_its_sources(tmp_path: Path) -> None:
    for folder, text in ((gitleaks.UTILS, GO_HELPERS), (gitleaks.RULES, GO_RULES)):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "some.go").write_text(text)
    acme, other = gitleaks.examples(tmp_path, seed=1)
    secret = acme.found[0].removeprefix('acmeToken="').removesuffix('"')
    assert len(secret) == 5
    assert acme.found[1:3] == [f'{{"ACME_TOKEN": "{secret}"\n}}', "x"]
    assert re.fullmatch("[a-z]{3}[0-9]{2,}", acme.found[3])
    assert acme.ignored == ["kkk", '"A']
    assert (other.found, other.unread) == ([], "unheard")


def test_what_is_missed_of_gitleaks_is_said_by_rule_and_never_shown(tmp_path: Path) -> None:
    for folder, text in ((gitleaks.UTILS, GO_HELPERS), (gitleaks.RULES, GO_RULES)):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "some.go").write_text(text)
    lines = list(gitleaks.measured(tmp_path, lambda text: "Token" in text))
    assert ("  missed of acme-key", "15", "") in lines
    assert lines[0][1] == "0.2500"
    assert "TOKEN" not in str(lines)


def test_sentences_of_presidio_are_read_from_its_wheel(tmp_path: Path) -> None:
    wheel = tmp_path / "some.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("p/data_generator/raw_data/templates.txt", "Call {{phone_number}}\nNothing\nI am {{name}}\n")
        archive.writestr(
            "p/data_generator/x/providers.py", 'class PhoneNumberNew(Base):\n    formats = ("+49##", "##")'
        )
    assert presidio.read(wheel) == (["Call {{phone_number}}"], ["+49##", "##"])
    assert [line[1] for line in presidio.measured(wheel, lambda _text: [])] == ["0.0000"]
