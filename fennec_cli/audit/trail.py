"""What a run writes into the audit log, and what follows when it cannot."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from fennec_cli.audit.log import AuditLog
from fennec_cli.audit.records import Content, Fields, Outcome, content_fields, question, request_fields, response_fields
from fennec_cli.errors import OutputError
from fennec_cli.redactor import redacted
from fennec_cli.request import CompletionRequest
from fennec_cli.rules import redact


class Trail:
    """Writes the records of a run. A log that cannot be written is said once and left alone, unless it is `required`.

    `key` gives the secret for the hashes of contents. A trail that was told to `gather` has to be told to
    `flush` before something is sent and before an answer is shown.
    """

    def __init__(
        self,
        log: AuditLog,
        *,
        content: Content = "none",
        required: bool = False,
        key: Callable[[], bytes] = lambda: b"",
        about: Mapping[str, Any] = {},
        say: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._log, self._content, self._required = log, content, required
        self._key, self._say = key, say
        self._about = {"fennec.uid": os.geteuid(), "fennec.host": os.uname().nodename, **about}
        self._lost = self._gathers = False

    def keeps(self, request: CompletionRequest) -> bool:
        """Whether something of the texts of this request is written."""
        return self._content != "none" and not request.private

    def began(self, request: CompletionRequest, provider: str | None = None) -> str:
        """Write that `request` will be sent; return the id of the interaction. Raises `OutputError` if required."""
        identity = os.urandom(8).hex()
        self._of_interaction("request", {"id": identity, **self.question(request, provider)})
        return identity

    def question(self, request: CompletionRequest, provider: str | None = None) -> Fields:
        """What is written before `request` is sent."""
        return request_fields(request, provider, self._texts("prompt", request, lambda: question(request)))

    def ended(
        self, identity: str, request: CompletionRequest, outcome: Outcome, answer: str = "", provider: str | None = None
    ) -> None:
        """Write how it ended. Raises `OutputError` if required."""
        texts = self._texts("answer", request, lambda: answer)
        self._of_interaction("response", {"id": identity, **response_fields(request, provider, outcome, texts)})

    def event(self, name: str, fields: Mapping[str, Any]) -> None:
        """Write a record. Raises `OutputError` if the log is required and cannot be written."""
        if self._lost:
            return
        try:
            self._log.append({"event": name, **fields, **self._about})
        except OSError as error:
            self._fail(error)

    def gather(self) -> None:
        """From now on write records of requests and answers in groups, unless they are required."""
        self._gathers = not self._required

    def flush(self) -> None:
        """Write what was gathered. Raises `OutputError` if required."""
        try:
            self._log.flush()
        except OSError as error:
            self._fail(error)

    def _of_interaction(self, name: str, fields: Mapping[str, Any]) -> None:
        if self._gathers and not self._lost:
            self._log.later({"event": name, **fields, **self._about})
        else:
            self.event(name, fields)

    def close(self) -> None:
        try:
            self._log.close()
        except OSError as error:
            self._fail(error)

    def _texts(self, name: str, request: CompletionRequest, text: Callable[[], str]) -> Fields:
        if not self.keeps(request):
            return {}
        return content_fields(name, text(), self._content, self._key(), lambda text: redact(redacted(text)))

    def _fail(self, error: OSError) -> None:
        reason = f"the audit log {self._log.path} cannot be written ({error.strerror or error})"
        if self._required:
            raise OutputError(reason, hint="audit.required is set: without a record nothing is sent") from error
        self._lost = True
        self._say(f"{reason}; going on without it")
