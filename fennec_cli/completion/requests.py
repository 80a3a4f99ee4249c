"""Prompts of `fennec complete` to requests: what options and files say about each of them, read once."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from fennec_cli import inputs, prompts
from fennec_cli.completion.options import DEFAULT_DEADLINE_S, CompleteOptions
from fennec_cli.config import Config
from fennec_cli.errors import InputError, UsageError
from fennec_cli.prompts import Row
from fennec_cli.registry import Target
from fennec_cli.request import Attachment, CompletionRequest, Message, Sampling

if TYPE_CHECKING:
    from fennec_cli.rows import RowFields


class Requests:
    """Reads the prompts and makes a request of each. `start`: the moment (monotonic clock) a deadline counts from.

    `named` finds out who answers a row that names a model. `deadline` is the moment of the whole run, if it has one.
    """

    def __init__(
        self, options: CompleteOptions, config: Config, model: str, *, start: float, named: Callable[[str], Target]
    ) -> None:
        self._options = options
        self._model = model
        self._named = named
        self.raw_options = raw_options(options.option)
        given = options.deadline if options.deadline is not None else config.deadline
        self.deadline = start + given if given else None
        self._each_s = DEFAULT_DEADLINE_S if given is None else None
        self._replace = options.encoding_errors == "replace"
        self.system = prompts.system_text(options.system, replace=self._replace)
        self._head = [prompts.read_file(path, replace=self._replace) for path in options.file]
        if options.prompt:
            self._head.append(options.prompt)
        self._tools = inputs.tools(options.tools) if options.tools else ()
        self._tool_choice = inputs.checked_choice(options.tool_choice, self._tools)
        self._schema = inputs.schema(options.schema) if options.schema else None
        self._attachments = self._read_attachments()

    def single(self) -> Row:
        """Read the one prompt of text input. Raises `InputError` when there is none."""
        data = None
        if self._reads_stdin:
            data = prompts.read_all(0, self.deadline)
        return prompts.single_row(self._head, data, replace=self._replace)

    def rows(self) -> Iterator[Row]:
        """Yield the prompts of the other inputs as they come in."""
        if not self._reads_stdin:
            raise UsageError(f"--input {self._options.input_format} needs standard input", hint="drop --no-stdin")
        if self._options.input_format == "ndjson":
            from fennec_cli.rows import read_rows

            return read_rows(prompts.read_records(0, b"\n", self.deadline), replace=self._replace)
        lines = self._options.input_format == "lines"
        records = prompts.read_records(0, b"\n" if lines else b"\0", self.deadline)
        return prompts.rows(records, self._head, lines=lines, replace=self._replace)

    def build(self, row: Row) -> CompletionRequest:
        """Make the request for one prompt."""
        options = self._options
        deadline = self.deadline
        if self._each_s is not None:
            deadline = time.monotonic() + self._each_s
        request = CompletionRequest.from_text(
            row.prompt,
            model=self._model,
            system=self.system,
            sampling=Sampling(
                temperature=options.temperature,
                top_p=options.top_p,
                max_tokens=options.max_tokens,
                seed=options.seed,
                stop=options.stop,
                reasoning_effort=options.reasoning_effort,
            ),
            options=self.raw_options,
            tools=self._tools,
            tool_choice=self._tool_choice,
            schema=self._schema,
            reasoning=options.reasoning,
            attachments=self._attachments,
            stream=not options.no_stream,
            resume=options.on_interrupt == "resume",
            private=options.private,
            held=options.holds,
            deadline=deadline,
        )
        return request if row.given is None else self._as_given(request, row, row.given)

    def _as_given(self, request: CompletionRequest, row: Row, given: "RowFields") -> CompletionRequest:
        """Lay what an NDJSON row says over the request that the command would make."""
        messages = given.messages or (Message("user", row.prompt),)
        system = given.system
        if system is None and not any(message.role in ("system", "developer") for message in messages):
            system = self.system
        attachments = (*self._attachments, *(self._row_attachment(place) for place in given.attachments))
        if self._head or attachments:
            messages = _with(messages, self._head, attachments)
        options = {**request.options, **given.options}
        if options.get("n", 1) != 1 and self._options.output_format == "text":
            raise InputError("text output shows one choice, and it asks for several", hint="use --ndjson or --json")
        if given.model is not None:
            target = self._named(given.model)
            request = request._replace(model=target.model, provider=target.provider)
        return request._replace(
            messages=messages if system is None else (Message("system", system), *messages),
            sampling=request.sampling._replace(**given.sampling),
            options=options,
            tools=given.tools or request.tools,
            tool_choice=given.tool_choice or request.tool_choice,
        )

    def _row_attachment(self, place: str) -> Attachment:
        root = self._options.attach_root
        if root is None and "://" not in place:
            raise InputError("it attaches a file", hint="allow the files below a directory with --attach-root DIR")
        if place == "-":
            raise InputError("a row has no standard input to attach")
        return inputs.attachment(place, root=root)

    def _read_attachments(self) -> tuple[Attachment, ...]:
        if "-" not in self._options.attach:
            return tuple(inputs.attachment(place) for place in self._options.attach)
        if self._options.input_format != "text" or self._options.no_stdin:
            raise UsageError("-a - takes standard input", hint="give the prompt as an argument, without --input")
        data = prompts.read_all(0, self.deadline)
        return tuple(inputs.attachment(place, data) for place in self._options.attach)

    @property
    def _reads_stdin(self) -> bool:
        return not self._options.no_stdin and "-" not in self._options.attach and not os.isatty(0)


def raw_options(pairs: tuple[str, ...]) -> Mapping[str, Any]:
    """Read `K=V` pairs; V is JSON where it parses, else text. Raises `UsageError`."""
    options: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise UsageError(f"-O takes K=V, not {key or pair!r}")
        try:
            options[key] = orjson.loads(value)
        except orjson.JSONDecodeError:
            options[key] = value
    return options


def _with(messages: tuple[Message, ...], head: list[str], attachments: tuple[Attachment, ...]) -> tuple[Message, ...]:
    """Put `head` before the first text of the user, and attach to the last one."""
    asked = [place for place, message in enumerate(messages) if message.role == "user"]
    if not asked:
        raise InputError("none of its messages is the user's", hint="drop the prompt, -f and -a of the command")
    changed = list(messages)
    first, last = asked[0], asked[-1]
    changed[first] = changed[first]._replace(content=prompts.compose([*head, changed[first].content]))
    changed[last] = changed[last]._replace(attachments=(*changed[last].attachments, *attachments))
    return tuple(changed)
