"""What h11 makes of an answer, for who reads answers by hand."""

import h11


def judged(answer: bytes) -> tuple[int, bytes] | None:
    """Status and body, or None for an answer that is not whole or not one."""
    judge = h11.Connection(h11.CLIENT)
    judge.send(h11.Request(method="POST", target="/x", headers=[("host", "h"), ("content-length", "0")]))
    judge.send(h11.EndOfMessage())
    judge.receive_data(answer)
    status, body = 0, b""
    ended = False
    try:
        while True:
            event = judge.next_event()
            if event is h11.NEED_DATA:
                if ended:
                    return None
                ended = True
                judge.receive_data(b"")
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                return status, body
            elif not isinstance(event, h11.InformationalResponse):
                return None
    except h11.ProtocolError:
        return None
