"""A loopback server that speaks streamed Chat Completions and Messages, and is never the bottleneck.

The model's name selects the script: `bench-200000` answers with that many chunks. Answers are built once; every event
is an HTTP chunk of its own, as servers send them, and as many go into one `send` as the socket takes.
"""

import os
import re
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from io import BufferedIOBase
from itertools import cycle, islice

WORDS = (" the", " fox", " jumps", " over", " a", " lazy", " dog", ",", " then", " sleeps", ".\n")
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_EVENT = (
    '{{"id":"chatcmpl-BenchBenchBenchBenchBench1","object":"chat.completion.chunk","created":1793491200,'
    '"model":"bench-2026-11-01","service_tier":"default","system_fingerprint":"fp_0123456789",'
    '"choices":[{choice}],"usage":{usage}}}'
)
_CHOICE = '{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}'
_MESSAGE = (
    '{"id":"msg_01BenchBenchBenchBench","type":"message","role":"assistant","model":"bench-2026-11-01","content":[],'
    '"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":1}}'
)
_END = '{"stop_reason":"end_turn","stop_sequence":null}'
_USAGE = '{"prompt_tokens":9,"completion_tokens":%d,"total_tokens":%d}'


def answer_text(count: int) -> str:
    """The whole text of an answer of `count` chunks."""
    return "".join(islice(cycle(WORDS), count))


@cache
def answer(count: int) -> bytes:
    """The HTTP answer of `count` chunks of text, with role, finish reason, usage and terminator around them."""
    words = [_chunk(_event(f'{{"content":{_quoted(word)}}}')) for word in WORDS]
    return b"".join(
        (
            _HEAD,
            _chunk(_event('{"role":"assistant","content":"","refusal":null}')),
            *islice(cycle(words), count),
            _chunk(_event("{}", finish='"stop"')),
            _chunk(_EVENT.format(choice="", usage=_USAGE % (count, count + 9))),
            _chunk("[DONE]"),
            b"0\r\n\r\n",
        )
    )


@cache
def message(count: int) -> bytes:
    """The same answer in Anthropic's Messages."""
    words = [
        _named("content_block_delta", f',"index":0,"delta":{{"type":"text_delta","text":{_quoted(word)}}}')
        for word in WORDS
    ]
    return b"".join(
        (
            _HEAD,
            _named("message_start", f',"message":{_MESSAGE}'),
            _named("content_block_start", ',"index":0,"content_block":{"type":"text","text":""}'),
            _named("ping"),
            *islice(cycle(words), count),
            _named("content_block_stop", ',"index":0'),
            _named("message_delta", f',"delta":{_END},"usage":{{"output_tokens":{count}}}'),
            _named("message_stop"),
            b"0\r\n\r\n",
        )
    )


def _event(delta: str, finish: str = "null") -> str:
    return _EVENT.format(choice=_CHOICE.format(delta=delta, finish=finish), usage="null")


def _quoted(text: str) -> str:
    return '"' + text.replace("\n", "\\n") + '"'


def _chunk(data: str, before: str = "") -> bytes:
    event = f"{before}data: {data}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(event), event)


def _named(name: str, fields: str = "") -> bytes:
    return _chunk(f'{{"type":"{name}"{fields}}}', f"event: {name}\n")


def serve(connection: socket.socket, secure: Callable[[socket.socket], socket.socket]) -> None:
    """Answer the requests of one connection until the client goes away."""
    with suppress(OSError):
        _answer_all(secure(connection))


def _answer_all(connection: socket.socket) -> None:
    with connection, connection.makefile("rb") as requests:
        while line := requests.readline():
            said = message if b"/messages" in line else answer
            connection.sendall(said(_wanted(_body(requests))))


def _body(requests: BufferedIOBase) -> bytes:
    length = 0
    while (line := requests.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return requests.read(length)


def _wanted(body: bytes) -> int:
    model = re.search(rb'"model"\s*:\s*"bench-(\d+)"', body)
    return int(model[1]) if model else 1


def listen(secure: Callable[[socket.socket], socket.socket]) -> int:
    """Serve in the background, and return the port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve, args=(connection, secure), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return int(listener.getsockname()[1])


def main() -> None:
    """Write the authority's certificate to a file, print the ports for http and https, then serve until stdin ends."""
    import trustme  # the benchmark itself imports this module, and stays small

    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(sys.argv[1])
    for count in map(int, sys.argv[2:]):
        answer(count)
        message(count)
    print(listen(lambda plain: plain), listen(lambda plain: context.wrap_socket(plain, server_side=True)), flush=True)
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
