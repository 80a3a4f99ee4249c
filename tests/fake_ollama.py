"""A server that behaves like Ollama, as far as its HTTP interface shows: real sockets, streams, progress and errors.

Source: `server/routes.go`, `server/images.go` and `server/download.go` of Ollama, read 2026-11. Library, blobs
and models are in memory only. `cut_pull_after` makes it close the connection in the middle of a pull.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

STEP = 1_000_000  # bytes that a pull fetches between two lines of progress
MOMENT = "2026-11-22T10:15:24.100000Z"
LIBRARY = {"tiny:latest": (2_500_000, 300), "thinker:latest": (1_000_000, 300), "small:1b": (500_000,)}
ABILITIES = {"thinker:latest": ["completion", "tools", "thinking"]}
OPTION_TYPES: dict[str, Any] = {"num_ctx": int, "num_predict": int, "num_gpu": int, "seed": int, "stop": list}


class Refused(Exception):
    """An answer of another status than 200."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Call:
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class FakeOllama:
    """Models by name with the moment of their installation; `blobs` counts the fetched bytes of each layer."""

    library: dict[str, tuple[int, ...]] = field(default_factory=lambda: dict(LIBRARY))
    installed: dict[str, str] = field(default_factory=dict)
    loaded: set[str] = field(default_factory=set)
    blobs: dict[str, int] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    fetched: int = 0  # bytes that came from the registry, over all pulls
    cut_pull_after: int | None = None  # lines
    words: tuple[str, ...] = ("Hello", " wörld", "!")

    def __enter__(self) -> "FakeOllama":
        handler = type("Handler", (_Handler,), {"ollama": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_details: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def install(self, *names: str) -> None:
        for name in names:
            self.installed[full(name)] = MOMENT

    def find(self, name: Any) -> str:
        if not isinstance(name, str) or full(name) not in self.installed:
            raise Refused(404, f"model '{name}' not found")
        return full(name)

    def row(self, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "model": name,
            "modified_at": self.installed[name],
            "size": sum(self.library.get(name, ())),
            "digest": digest(name),
            "details": details(),
            "capabilities": abilities(name),
        }

    def show(self, body: dict[str, Any]) -> dict[str, Any]:
        name = self.find(body.get("model"))
        return {
            "license": "Apache License\nVersion 2.0",
            "parameters": 'temperature                    0.6\nstop                           "<|end|>"',
            "details": details(),
            "model_info": {"general.architecture": "llama", "llama.context_length": 4096},
            "capabilities": abilities(name),
            "modified_at": self.installed[name],
        }

    def ps(self) -> list[dict[str, Any]]:
        return [
            {**self.row(name), "size": 4000, "size_vram": 1000, "expires_at": MOMENT, "context_length": 2048}
            for name in sorted(self.loaded)
        ]

    def delete(self, body: dict[str, Any]) -> None:
        name = self.find(body.get("model"))
        del self.installed[name]
        self.loaded.discard(name)

    def pull(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The lines of a pull; errors come as a line too, for the first line has gone out already."""
        name = full(body["model"])
        yield {"status": "pulling manifest"}
        if name not in self.library:
            yield {"error": "pull model manifest: file does not exist"}
            return
        for number, size in enumerate(self.library[name]):
            layer = digest(f"{name}/{number}")
            line = {"status": f"pulling {layer[7:19]}", "digest": layer, "total": size}
            if not self.blobs.get(layer):
                yield line
            while self.blobs.get(layer, 0) < size:
                step = min(STEP, size - self.blobs.get(layer, 0))
                self.blobs[layer] = self.blobs.get(layer, 0) + step
                self.fetched += step
                yield {**line, "completed": self.blobs[layer]}
            yield {**line, "completed": size}
        yield {"status": "verifying sha256 digest"}
        yield {"status": "writing manifest"}
        self.installed[name] = MOMENT
        yield {"status": "success"}

    def chat(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The lines of an answer. Raises `Refused` before the first one."""
        name = self.find(body.get("model"))
        self._check_chat(name, body)
        self.loaded.add(name)
        return self._answer(name, body)

    def _check_chat(self, name: str, body: dict[str, Any]) -> None:
        options = body.get("options", {})
        for option, kind in OPTION_TYPES.items():
            if option in options and not isinstance(options[option], kind):
                raise Refused(500, f'option "{option}" must be of type {kind.__name__}')
        if body.get("think") and "thinking" not in abilities(name):
            raise Refused(400, f'"{name}" does not support thinking')
        if body.get("tools") and "tools" not in abilities(name):
            raise Refused(400, f"{name} does not support tools")
        for message in body["messages"]:
            for image in message.get("images", ()):
                base64.b64decode(image, validate=True)
        length = sum(len(message["content"]) for message in body["messages"]) // 4
        if length > options.get("num_ctx", 4096) and body.get("truncate") is False:
            raise Refused(400, "the input length exceeds the context length")

    def _answer(self, name: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if "thinking" in abilities(name) and body.get("think", True):
            yield piece(name, {"content": "", "thinking": "Hmm."})
        if body.get("tools"):
            call = {"id": "call_1", "function": {"index": 0, "name": "get_weather", "arguments": {"city": "Paris"}}}
            yield piece(name, {"content": "", "tool_calls": [call]})
        else:
            for word in self.words:
                yield piece(name, {"content": word})
        end = {"done": True, "done_reason": "stop", "prompt_eval_count": 7, "eval_count": len(self.words)}
        yield {**piece(name, {"content": ""}), **end}


def full(name: str) -> str:
    return name if ":" in name else f"{name}:latest"


def digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def details() -> dict[str, Any]:
    return {
        "format": "gguf",
        "family": "llama",
        "parameter_size": "1B",
        "quantization_level": "Q4_0",
        "context_length": 4096,
    }


def abilities(name: str) -> list[str]:
    return ABILITIES.get(name, ["completion"])


def piece(name: str, message: dict[str, Any]) -> dict[str, Any]:
    return {"model": name, "created_at": MOMENT, "message": {"role": "assistant", **message}, "done": False}


def whole(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """What the server sends when it is asked not to stream."""
    parts = [line["message"] for line in lines]
    message = {
        "role": "assistant",
        "content": "".join(part["content"] for part in parts),
        "thinking": "".join(part.get("thinking", "") for part in parts),
        "tool_calls": [call for part in parts for call in part.get("tool_calls", ())],
    }
    return {**lines[-1], "message": {name: value for name, value in message.items() if value}}


class _Handler(BaseHTTPRequestHandler):
    ollama: FakeOllama
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def _handle(self) -> None:
        data = self.rfile.read(int(self.headers.get("content-length") or 0))
        body = json.loads(data) if data else {}
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.ollama.calls.append(Call(self.command, self.path, headers, body))
        try:
            self._route(body)
        except Refused as refusal:
            self._send_json({"error": str(refusal)}, refusal.status)

    def _route(self, body: dict[str, Any]) -> None:
        ollama = self.ollama
        match self.command, self.path:
            case "GET", "/api/tags":
                self._send_json({"models": [ollama.row(name) for name in ollama.installed]})
            case "GET", "/api/ps":
                self._send_json({"models": ollama.ps()})
            case "POST", "/api/show":
                self._send_json(ollama.show(body))
            case "POST", "/api/pull":
                self._send_lines(ollama.pull(body), cut_after=ollama.cut_pull_after)
            case "POST", "/api/chat" if body.get("stream", True):
                self._send_lines(ollama.chat(body))
            case "POST", "/api/chat":
                self._send_json(whole(list(ollama.chat(body))))
            case "DELETE", "/api/delete":
                ollama.delete(body)
                self._send(200, "text/plain", b"")
            case _:
                self._send(404, "text/plain", b"404 page not found")

    def _send_json(self, document: Any, status: int = 200) -> None:
        self._send(status, "application/json; charset=utf-8", json.dumps(document).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send_lines(self, lines: Iterator[dict[str, Any]], cut_after: int | None = None) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/x-ndjson")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        try:
            for number, line in enumerate(lines):
                if number == cut_after:
                    self.close_connection = True  # without the end of the body
                    return
                data = json.dumps(line, ensure_ascii=False).encode() + b"\n"
                self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
            self.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client has gone: the real server stops too

    def log_message(self, *_arguments: Any) -> None:
        pass
