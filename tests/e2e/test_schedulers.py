"""The recipes of docs/schedulers.md: what can be tried here is tried, the rest is checked for its form."""

import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fennec_cli.errors import EXIT_STATUS
from tests.e2e.peer import Peer, answer
from tests.e2e.runner import Fennec, command
from tests.redis_server import free_port

Serve = Callable[..., Peer]
DOCS = Path(__file__).parent.parent.parent / "docs"
EXAMPLES = DOCS / "examples"
AGAIN = {"rate_limit", "unavailable", "timeout", "stream_broken", "circuit_open"}


def rows(tmp_path: Path, count: int) -> Path:
    path = tmp_path / "rows.ndjson"
    path.write_text("".join(json.dumps({"id": f"r{number}", "prompt": f"{number}"}) + "\n" for number in range(count)))
    return path


@pytest.fixture
def shims(fennec: Fennec, tmp_path: Path) -> dict[str, str]:
    """An environment in which `fennec` is a command."""
    folder = tmp_path / "bin"
    folder.mkdir()
    shim = folder / "fennec"
    shim.write_text(f'#!/bin/sh\nexec {shlex.join(command())} "$@"\n')
    shim.chmod(0o755)
    environment = dict(fennec.environment({}))
    return {**environment, "PATH": f"{folder}:{environment['PATH']}"}


def ids(*paths: Path) -> list[str]:
    return sorted(json.loads(line)["id"] for path in paths for line in path.read_text().splitlines())


def test_a_slurm_array_answers_every_row_once(serve: Serve, shims: dict[str, str], tmp_path: Path) -> None:
    peer, given, out = serve(answer("ok")), rows(tmp_path, 30), tmp_path / "out"
    for _start in range(2):  # the second start of every task finds all done
        for task in ("1", "2", "3"):
            environment = {**shims, "SLURM_ARRAY_TASK_ID": task, "SLURM_ARRAY_TASK_COUNT": "3"}
            script = [str(EXAMPLES / "slurm.sh"), str(given), str(out)]
            subprocess.run(script, env={**environment, "OPENAI_BASE_URL": peer.url}, check=True, timeout=30)
    assert ids(*out.glob("*.ndjson")) == sorted(f"r{number}" for number in range(30))
    assert len(peer.requests) == 30


def manifest() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    document = yaml.safe_load((EXAMPLES / "kubernetes-job.yaml").read_text())
    assert isinstance(document, dict)
    return document


NAME = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}
TEXT: dict[str, Any] = {"type": "string"}
OBJECT: dict[str, Any] = {"type": "object"}


def closed(required: list[str], **fields: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": required, "properties": fields}


# Source: Kubernetes API reference, "Job v1 batch" and "Pod failure policy", read 2026-11.
RULE = {
    **closed(
        ["action"],
        action={"enum": ["FailJob", "FailIndex", "Ignore", "Count"]},
        onExitCodes=closed(
            ["operator", "values"],
            containerName=NAME,
            operator={"enum": ["In", "NotIn"]},
            values={
                "type": "array", "minItems": 1, "maxItems": 255, "uniqueItems": True,
                "items": {"type": "integer", "minimum": 1, "maximum": 255},
            },
        ),
        onPodConditions={"type": "array", "maxItems": 20, "items": closed(["type"], type=TEXT, status=TEXT)},
    ),
    "oneOf": [{"required": ["onExitCodes"]}, {"required": ["onPodConditions"]}],
}  # fmt: skip
CONTAINER = closed(
    ["name", "image"],
    name=NAME, image=TEXT, command={"type": "array", "items": TEXT}, args={"type": "array", "items": TEXT},
    env={"type": "array", "items": closed(["name"], name=TEXT, value=TEXT, valueFrom=OBJECT)},
    resources=closed([], requests=OBJECT, limits=OBJECT), securityContext=OBJECT,
    volumeMounts={
        "type": "array",
        "items": closed(["name", "mountPath"], name=NAME, mountPath=TEXT, readOnly={"type": "boolean"}),
    },
)  # fmt: skip
VOLUME = closed(
    ["name"], name=NAME, persistentVolumeClaim=closed(["claimName"], claimName=NAME), emptyDir=OBJECT,
    secret=closed(["secretName"], secretName=NAME, defaultMode={"type": "integer", "maximum": 0o777}),
    configMap=closed(["name"], name=NAME),
)  # fmt: skip
COUNT = {"type": "integer", "minimum": 0}
JOB = closed(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"const": "batch/v1"},
    kind={"const": "Job"},
    metadata=closed(["name"], name=NAME),
    spec=closed(
        ["template"],
        completionMode={"enum": ["Indexed", "NonIndexed"]},
        completions=COUNT, parallelism=COUNT, backoffLimitPerIndex=COUNT, maxFailedIndexes=COUNT,
        podFailurePolicy=closed(["rules"], rules={"type": "array", "maxItems": 20, "items": RULE}),
        template=closed(["spec"], spec=closed(
            ["containers", "restartPolicy"],
            restartPolicy={"const": "Never"},  # a failure policy demands it
            securityContext=OBJECT,
            containers={"type": "array", "minItems": 1, "items": CONTAINER},
            volumes={"type": "array", "items": VOLUME},
        )),
    ),
)  # fmt: skip


def test_the_manifest_is_a_job_of_kubernetes() -> None:
    import jsonschema

    document = manifest()
    jsonschema.validate(document, JOB)
    pod = document["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    assert {each["name"]: each.get("value") for each in container["env"]}["PARTS"] == str(
        document["spec"]["completions"]
    )


def test_the_user_of_the_pod_may_read_its_keys() -> None:
    """Files of a secret are root's; with `fsGroup` that group may read them, whatever `defaultMode` says."""
    pod = manifest()["spec"]["template"]["spec"]
    (secret,) = (volume["secret"] for volume in pod["volumes"] if "secret" in volume)
    assert not secret["defaultMode"] & 0o077
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"]


def test_the_failure_policy_names_every_status_that_is_not_worth_another_try() -> None:
    rules = manifest()["spec"]["podFailurePolicy"]["rules"]
    named = [status for rule in rules if "onExitCodes" in rule for status in rule["onExitCodes"]["values"]]
    again = {EXIT_STATUS[name] for name in AGAIN}
    never_here = {EXIT_STATUS[name] for name in ("ok", "regression", "output")}  # a full disk may be emptied
    assert sorted(named) == sorted(set(EXIT_STATUS.values()) - again - never_here)


def test_the_entry_point_of_a_pod_answers_its_part(serve: Serve, shims: dict[str, str], tmp_path: Path) -> None:
    peer = serve(answer("ok"))
    rows(tmp_path, 20)
    (container,) = manifest()["spec"]["template"]["spec"]["containers"]
    (script,) = container["args"]
    for index in ("0", "1"):
        environment = {**shims, "JOB_COMPLETION_INDEX": index, "PARTS": "2", "OPENAI_BASE_URL": peer.url}
        line = [*container["command"], script.replace("/data/", f"{tmp_path}/")]
        subprocess.run(line, env=environment, check=True, timeout=30)
    assert ids(tmp_path / "1.ndjson", tmp_path / "2.ndjson") == sorted(f"r{number}" for number in range(20))


def unit(name: str, fennec: str) -> str:
    return (EXAMPLES / name).read_text().replace("/usr/local/bin/fennec", fennec)


def test_systemd_takes_the_units(shims: dict[str, str], tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (apt-get install systemd)")
    folder = tmp_path / "units"
    folder.mkdir()
    shim = shims["PATH"].partition(":")[0] + "/fennec"
    for name in ("fennec-report.service", "fennec-report.timer"):
        (folder / name).write_text(unit(name, shim))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, sorted(folder.iterdir()))],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    ours = [line for line in done.stderr.splitlines() if "fennec-report" in line]
    assert not ours, done.stderr
    assert (
        subprocess.run(["systemd-analyze", "calendar", "*-*-* 06:00"], capture_output=True, check=False).returncode == 0
    )


def test_the_unit_does_not_repeat_what_is_not_worth_it() -> None:
    (line,) = re.findall(r"^RestartPreventExitStatus=(.*)$", unit("fennec-report.service", ""), re.MULTILINE)
    again = {EXIT_STATUS[name] for name in AGAIN} | {0}
    assert {int(status) for status in line.split()} == set(EXIT_STATUS.values()) - again


def test_the_unit_s_command_finds_its_key_where_systemd_puts_it(
    fennec: Fennec, serve: Serve, shims: dict[str, str], tmp_path: Path
) -> None:
    peer = serve(answer("Good morning"))
    keys = tmp_path / "credentials"
    keys.mkdir(mode=0o700)
    (keys / "openai_api_key").write_text("sk-from-systemd\n")
    (keys / "openai_api_key").chmod(0o400)
    config = fennec.home / ".config" / "fennec" / "config.toml"
    config.parent.mkdir(parents=True)
    comment = re.findall(r"^#   (.*)$", unit("fennec-report.service", ""), re.MULTILINE)
    config.write_text("\n".join(comment))
    config.chmod(0o600)
    (line,) = re.findall(r"^ExecStart=(.*)$", unit("fennec-report.service", "fennec"), re.MULTILINE)
    environment = {**shims, "CREDENTIALS_DIRECTORY": str(keys), "OPENAI_BASE_URL": peer.url}
    del environment["OPENAI_API_KEY"]
    done = subprocess.run(
        ["sh", "-c", line], env=environment, input=b"hi", cwd=tmp_path, capture_output=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.txt").read_text() == "Good morning"
    assert peer.requests[0].headers["authorization"] == "Bearer sk-from-systemd"


@pytest.fixture
def host() -> Iterator[str]:
    """How to log in to this machine: a server of the secure shell on loopback, for one key of the test's own."""
    sshd = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin")
    if sshd is None or shutil.which("parallel") is None or os.geteuid() != 0:
        pytest.skip("needs root, openssh-server and parallel")
    Path("/run/sshd").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="sshd-", dir="/root") as name:
        folder, port = Path(name), free_port()
        for key in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
        (folder / "config").write_text(
            f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\n"
            f"PidFile none\nPermitRootLogin prohibit-password\nStrictModes no\nMaxStartups 50\nUsePAM no\n"
        )
        server = subprocess.Popen([sshd, "-D", "-f", str(folder / "config")], stderr=subprocess.DEVNULL)
        try:
            time.sleep(0.3)
            options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
            yield f"ssh -i {folder}/user -p {port} {options} root@127.0.0.1"
        finally:
            server.kill()
            server.wait()


def test_gnu_parallel_over_the_secure_shell(serve: Serve, shims: dict[str, str], host: str, tmp_path: Path) -> None:
    peer, given = serve(answer("ok")), rows(tmp_path, 200)
    remote = tmp_path / "remote-fennec"  # a login has an environment of its own
    said = {name: value for name, value in shims.items() if name.startswith(("OPENAI_", "XDG_", "HOME"))}
    said["OPENAI_BASE_URL"] = peer.url
    exports = " ".join(f"{name}={shlex.quote(value)}" for name, value in said.items())
    remote.write_text(f'#!/bin/sh\nexec env {exports} {shlex.join(command())} "$@"\n')
    remote.chmod(0o755)
    environment = {**shims, "HOSTS": f"2/{host}", "FENNEC": str(remote), "PARALLEL_OPTIONS": "--block 2k"}
    environment["PARALLEL_HOME"] = str(tmp_path / "parallel")
    (tmp_path / "parallel").mkdir()
    (tmp_path / "parallel" / "will-cite").touch()
    done = subprocess.run(
        [str(EXAMPLES / "parallel.sh"), str(given)], env=environment, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(each["id"] for each in found) == sorted(f"r{number}" for number in range(200))
    assert all(each["ok"] for each in found)


def test_every_example_is_in_the_text() -> None:
    text = (DOCS / "schedulers.md").read_text()
    for path in EXAMPLES.iterdir():
        assert f"examples/{path.name}" in text, path
    for place in re.findall(r"\]\((examples/[^)]+)\)", text):
        assert (DOCS / place).exists(), place
