"""Three batch services on loopback that do what the providers' references say, and can kill a client at any step.

Answers are made of the prompts: `FAIL` in one makes it a refused row, `LATE` one that was not reached in time. The
services check what a real one checks: keys, the form of an upload, one address and model a file, unique row ids.
"""

import json
import os
import re
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]
PAGE_LIMIT = 100
ERRORS = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error", 500: "api_error"}


class Killed(Exception):
    """The client is dead, and its request is not looked at any more."""


class Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Batch:
    id: str
    rows: list[Json]
    created: float
    fields: Json = field(default_factory=dict)
    asked: int = 0
    cancelled: bool = False


class BatchService:
    """What the three have in common. `polls` is how often a batch is asked for before it is ready.

    `kill` = (step, moment, process id): a client is killed when `step` is reached, `before` or `after` it is done.
    """

    dialect: ClassVar[str]
    prefix: ClassVar[str]

    def __init__(self, polls: int = 1) -> None:
        self.polls = polls
        self.batches: list[Batch] = []
        self.files: dict[str, bytes] = {}
        self.steps: list[str] = []  # all that were reached
        self.kill: tuple[str, str, int] | None = None
        self.fail: list[tuple[str, int]] = []  # the next time: refuse `step`, or do it and say 500 all the same
        self.cut_results: list[int] = []  # the next results end after so many bytes
        self._lock = threading.Lock()
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_arguments: Any) -> None:
                """Say nothing."""

            def do_GET(self) -> None:
                service.handle(self, b"")

            def do_POST(self) -> None:
                service.handle(self, self.rfile.read(int(self.headers.get("content-length", 0))))

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "BatchService":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def submitted(self) -> list[str]:
        """The prompts of all rows of all batches."""
        return [self.prompt(row) for batch in self.batches for row in batch.rows]

    def handle(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        parts = urlsplit(request.path)
        step = self.step(request.command, parts.path)
        with self._lock:
            self.steps.append(step)
            try:
                self._kill(step, "before")
                self._refuse(step)
                status, kind, answer = 200, "application/json", self.answer(request, parts.path, parts.query, body)
            except Killed:
                request.close_connection = True
                return
            except Refused as error:
                status, kind = error.status, "application/json"
                answer = json.dumps(self.error(str(error), error.status)).encode()
            self._kill(step, "after")
            if (step, 500) in self.fail:
                self.fail.remove((step, 500))
                status, answer = 500, json.dumps(self.error("by order", 500)).encode()
        request.send_response(status)
        request.send_header("content-type", kind)
        cut = self.cut_results.pop(0) if step == "results" and self.cut_results else len(answer)
        request.send_header("content-length", str(len(answer)))
        request.end_headers()
        with suppress(OSError):
            request.wfile.write(answer[:cut])
        if cut < len(answer):
            request.close_connection = True

    def _kill(self, step: str, moment: str) -> None:
        if self.kill is not None and self.kill[:2] == (step, moment):
            os.kill(self.kill[2], signal.SIGKILL)
            self.kill = None
            if moment == "before":
                raise Killed

    def _refuse(self, step: str) -> None:
        for order in self.fail:
            if order[0] == step and order[1] < 500:
                self.fail.remove(order)
                raise Refused(order[1], "by order")

    def step(self, method: str, path: str) -> str:
        raise NotImplementedError

    def answer(self, request: BaseHTTPRequestHandler, path: str, query: str, body: bytes) -> bytes:
        raise NotImplementedError

    def prompt(self, row: Json) -> str:
        raise NotImplementedError

    def error(self, message: str, status: int) -> Json:
        return {"error": {"message": message, "type": ERRORS.get(status, "invalid_request_error"), "code": None}}

    def _find(self, batch_id: str) -> Batch:
        found = next((batch for batch in self.batches if batch.id == batch_id), None)
        if found is None:
            raise Refused(404, f"no batch {batch_id}")
        return found

    def _page(self, query: str, cursor: str) -> tuple[list[Batch], bool]:
        given = {name: values[0] for name, values in parse_qs(query).items()}
        limit = int(given.get("limit", "20"))
        if not 1 <= limit <= PAGE_LIMIT:
            raise Refused(400, "limit is out of range")
        newest = self.batches[::-1]
        if cursor in given:
            newest = newest[[batch.id for batch in newest].index(given[cursor]) + 1 :]
        return newest[:limit], len(newest) > limit


def _text_of(body: Json) -> str:
    """The last text of the user in a request of any dialect."""
    given = body.get("messages", body.get("input"))
    if isinstance(given, str):
        return given
    content = given[-1]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _responses_body(model: str, text: str) -> Json:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    message = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": content}
    usage = {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 14,
        "output_tokens_details": {"reasoning_tokens": 8},
        "total_tokens": 23,
    }
    head = {"id": "resp_1", "object": "response", "status": "completed", "model": model}
    return {**head, "output": [message], "usage": usage}


def _chat_body(model: str, text: str) -> Json:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 9, "completion_tokens": 14, "total_tokens": 23}
    return {"id": "chatcmpl-1", "object": "chat.completion", "model": model, "choices": [choice], "usage": usage}


class OpenAIService(BatchService):
    dialect = "openai"
    prefix = "/v1"
    rows_prefix = "/v1"
    limit = 50_000
    known = frozenset({"input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after"})
    expiry = "expires_after[seconds]"

    def step(self, method: str, path: str) -> str:
        if "/files" in path:
            return "upload" if method == "POST" else "results" if path.endswith("/content") else "file"
        if path.endswith("/cancel"):
            return "cancel"
        return "create" if method == "POST" else "list" if path.endswith("/batches") else "status"

    def check_key(self, request: BaseHTTPRequestHandler) -> None:
        if request.headers.get("authorization") != "Bearer sk-test":
            raise Refused(401, "no key")

    def answer(self, request: BaseHTTPRequestHandler, path: str, query: str, body: bytes) -> bytes:
        self.check_key(request)
        if not path.startswith(self.prefix + "/"):
            raise Refused(404, f"no such address {path}")
        place = path.removeprefix(self.prefix)
        step = self.step(request.command, path)
        if step == "upload":
            return json.dumps(self._upload(request.headers["content-type"], body)).encode()
        if step == "results":
            return self.files[place.split("/")[2]]
        if step == "file":
            return json.dumps({"id": place.split("/")[2], "status": self.file_status()}).encode()
        if step == "create":
            return json.dumps(self.shown(self._create(json.loads(body)))).encode()
        if step == "list":
            found, more = self._page(query, "after")
            rows = [self.shown(batch) for batch in found]
            return json.dumps({"object": "list", "data": rows, "has_more": more}).encode()
        batch = self._find(place.split("/")[2])
        if step == "cancel":
            batch.cancelled = True
            batch.asked = max(batch.asked, self.polls)
        else:
            batch.asked += 1
        return json.dumps(self.shown(batch)).encode()

    def file_status(self) -> str:
        return "processed"

    def _upload(self, kind: str, body: bytes) -> Json:
        message = BytesParser(policy=HTTP).parsebytes(b"content-type: " + kind.encode() + b"\r\n\r\n" + body)
        parts = {part.get_param("name", header="content-disposition"): part for part in message.iter_parts()}
        values = {name: part.get_payload(decode=True) for name, part in parts.items()}
        if values.get("purpose") != b"batch":
            raise Refused(400, "purpose is not batch")
        if not 3600 <= int(values[self.expiry]) <= 2_592_000:
            raise Refused(400, "expires_after is out of range")
        if not str(parts["file"].get_filename()).endswith(".jsonl"):
            raise Refused(400, "the file is no jsonl")
        file_id = f"file-{len(self.files) + 1}"
        self.files[file_id] = values["file"]
        return {"id": file_id, "object": "file", "bytes": len(values["file"]), "purpose": "batch", "status": "uploaded"}

    def _create(self, given: Json) -> Batch:
        if not given.keys() <= self.known or given["completion_window"] != "24h":
            raise Refused(400, "unknown field")
        data = self.files.get(given["input_file_id"])
        if data is None:
            raise Refused(400, "no such file")
        rows = [json.loads(line) for line in data.decode().splitlines()]
        if not 0 < len(rows) <= self.limit or len({row["custom_id"] for row in rows}) < len(rows):
            raise Refused(400, "too many rows, or a repeated custom_id")
        if {row["url"] for row in rows} != {given["endpoint"]} or {row["method"] for row in rows} != {"POST"}:
            raise Refused(400, "url_mismatch")
        if len({row["body"]["model"] for row in rows}) > 1 or any(row["body"].get("stream") for row in rows):
            raise Refused(400, "model_mismatch")
        batch = Batch(f"batch_{len(self.batches) + 1}", rows, time.time(), given)
        self.batches.append(batch)
        return batch

    def prompt(self, row: Json) -> str:
        return _text_of(row["body"])

    def when(self, moment: float) -> Any:
        return int(moment)

    def shown(self, batch: Batch) -> Json:
        ready = batch.asked >= self.polls
        state = "completed" if ready else "in_progress" if batch.asked else "validating"
        state = "cancelled" if batch.cancelled else state
        out, err = self._results(batch) if ready else (None, None)
        rows = len(batch.rows)
        counts = {"total": rows if batch.asked else 0, "completed": 0, "failed": 0}
        if ready:
            failed = len(self.files[err].splitlines()) if err else 0
            counts = {"total": rows, "completed": rows - failed, "failed": failed}
        return {
            "id": batch.id,
            "object": "batch",
            "endpoint": batch.fields["endpoint"],
            "errors": None,
            "input_file_id": batch.fields["input_file_id"],
            "completion_window": "24h",
            "status": state,
            "output_file_id": out,
            "error_file_id": err,
            "created_at": self.when(batch.created),
            "request_counts": counts,
            "metadata": batch.fields.get("metadata"),
        }

    def _results(self, batch: Batch) -> tuple[str | None, str | None]:
        good, bad = [], []
        for number, row in enumerate(reversed(batch.rows)):  # in another order than they came
            text, model = self.prompt(row), row["body"]["model"]
            line: Json = {"id": f"batch_req_{number}", "custom_id": row["custom_id"], "response": None, "error": None}
            if "FAIL" in text:
                fault = {"message": "Unsupported value", "type": "invalid_request_error", "code": "unsupported_value"}
                line["response"] = {"status_code": 400, "request_id": f"req_{number}", "body": {"error": fault}}
                bad.append(line)
            elif "LATE" in text or batch.cancelled:
                code = "batch_cancelled" if batch.cancelled else "batch_expired"
                line["error"] = {"code": code, "message": "This request could not be executed in time."}
                bad.append(line)
            else:
                make = _chat_body if row["url"].endswith("chat/completions") else _responses_body
                body = make(model, f"to {text}")
                line["response"] = {"status_code": 200, "request_id": f"req_{number}", "body": body}
                good.append(line)
        names: list[str | None] = []
        for name, lines in ((f"out-{batch.id}", good), (f"err-{batch.id}", bad)):
            self.files[name] = "".join(json.dumps(line) + "\n" for line in lines).encode()
            names.append(name if lines or self.dialect == "azure" else None)
        return names[0], names[1]


class AzureService(OpenAIService):
    """Azure's v1 API: another key header, times as text, states in capitals, files that take a while."""

    dialect = "azure"
    prefix = "/openai/v1"
    limit = 100_000
    known = frozenset({"input_file_id", "endpoint", "completion_window", "output_expires_after"})
    expiry = "expires_after.seconds"

    def __init__(self, polls: int = 1) -> None:
        super().__init__(polls)
        self.file_polls = 0

    def check_key(self, request: BaseHTTPRequestHandler) -> None:
        if request.headers.get("api-key") != "az-test":
            raise Refused(401, "no key")

    def file_status(self) -> str:
        self.file_polls += 1
        return "processed" if self.file_polls % 2 == 0 else "pending"

    def when(self, moment: float) -> Any:
        return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "9+00:00"

    def shown(self, batch: Batch) -> Json:
        document = super().shown(batch)
        if not batch.asked:
            document["request_counts"] = {"total": None, "completed": None, "failed": None}
        return {**document, "status": document["status"].capitalize()}


class AnthropicService(BatchService):
    """`counts_late`: the counts are 0 until the batch has ended, as the reference has it of all but one."""

    dialect = "anthropic"
    prefix = "/v1/messages/batches"
    counts_late = False

    def step(self, method: str, path: str) -> str:
        rest = path.removeprefix(self.prefix)
        if method == "POST":
            return "cancel" if rest else "create"
        return "results" if rest.endswith("/results") else "status" if rest else "list"

    def error(self, message: str, status: int) -> Json:
        return {"type": "error", "request_id": None, **super().error(message, status)}

    def prompt(self, row: Json) -> str:
        return _text_of(row["params"])

    def answer(self, request: BaseHTTPRequestHandler, path: str, query: str, body: bytes) -> bytes:
        if request.headers.get("x-api-key") != "sk-ant-test" or not request.headers.get("anthropic-version"):
            raise Refused(401, "no key or version")
        if not path.startswith(self.prefix):
            raise Refused(404, f"no such address {path}")
        step = self.step(request.command, path)
        if step == "create":
            return json.dumps(self.shown(self._create(json.loads(body)))).encode()
        if step == "list":
            found, more = self._page(query, "after_id")
            rows = [self.shown(batch) for batch in found]
            return json.dumps({"data": rows, "has_more": more}).encode()
        batch = self._find(path.removeprefix(self.prefix).split("/")[1])
        if step == "results":
            if batch.asked < self.polls:
                raise Refused(404, "no results yet")
            return self._results(batch)
        batch.cancelled |= step == "cancel"
        batch.asked = max(batch.asked + 1, self.polls if batch.cancelled else 0)
        return json.dumps(self.shown(batch)).encode()

    def _create(self, given: Json) -> Batch:
        rows = given["requests"]
        if given.keys() != {"requests"} or not 0 < len(rows) <= 100_000:
            raise Refused(400, "requests is not what it should be")
        ids = [row["custom_id"] for row in rows]
        if len(set(ids)) < len(ids) or not all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", each) for each in ids):
            raise Refused(400, "a custom_id is wrong or repeated")
        if any("stream" in row["params"] or row["params"]["max_tokens"] < 1 for row in rows):
            raise Refused(400, "params are not what they should be")
        batch = Batch(f"msgbatch_{len(self.batches) + 1}", rows, time.time())
        self.batches.append(batch)
        return batch

    def shown(self, batch: Batch) -> Json:
        ready = batch.asked >= self.polls
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        if ready:
            for line in self._results(batch).splitlines():
                counts[json.loads(line)["result"]["type"]] += 1
        elif not self.counts_late:
            counts["processing"] = len(batch.rows)
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": "ended" if ready else "in_progress",
            "request_counts": counts,
            "created_at": datetime.fromtimestamp(batch.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "results_url": f"https://api.anthropic.com/v1/messages/batches/{batch.id}/results" if ready else None,
        }

    def _results(self, batch: Batch) -> bytes:
        lines = []
        for row in reversed(batch.rows):
            text = self.prompt(row)
            result: Json = {"type": "succeeded", "message": self._message(row["params"]["model"], f"to {text}")}
            if "FAIL" in text:
                result = {"type": "errored", "error": self.error("max_tokens: Input should be larger", 400)}
            elif batch.cancelled:
                result = {"type": "canceled"}
            elif "LATE" in text:
                result = {"type": "expired"}
            lines.append(json.dumps({"custom_id": row["custom_id"], "result": result}) + "\n")
        return "".join(lines).encode()

    def _message(self, model: str, text: str) -> Json:
        return {
            "id": "msg_014",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 9, "output_tokens": 14},
        }
