"""An HTTP server on the loopback address that simulates web sites and their failures."""

import contextlib
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


@dataclass(frozen=True)
class Request:
    """A request of a client."""

    path: str
    headers: Message

    @property
    def first_byte(self) -> int:
        asked = re.fullmatch(r"bytes=(\d+)-\d*", self.headers.get("Range", ""))
        return int(asked[1]) if asked else 0


Answer = Callable[["Handler", Request], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_GET(self) -> None:
        request = Request(self.path, self.headers)
        self.server.web.asked.append(request)
        self.close_connection = True
        answer = self.server.web.answers.get(self.path.split("?")[0], not_found)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            answer(self, request)

    do_HEAD = do_GET  # noqa: N815 - the name that http.server requires

    def start(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Suppress the log."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    web: "Web"


@dataclass
class Web:
    """The server: `answers` maps paths to responses, `asked` lists the requests."""

    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.web = self
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the server and close its port."""
        self._server.shutdown()
        self._server.server_close()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def times_asked(self) -> Counter[str]:
        return Counter(request.path for request in self.asked)


def video(content: bytes, content_type: str = "video/mp4") -> Answer:
    """Send a file, or the rest of it from the first byte of the requested range."""

    def answer(handler: Handler, request: Request) -> None:
        handler.wfile.write(_begun(handler, request, content, content_type))

    return answer


def page(html: str, content_type: str = "text/html; charset=utf-8") -> Answer:
    def answer(handler: Handler, _: Request) -> None:
        body = html.encode()
        handler.start(200, Content_Type=content_type, Content_Length=len(body))
        handler.wfile.write(body)

    return answer


def redirect(target: str) -> Answer:
    return lambda handler, _: handler.start(302, Location=target, Content_Length=0)


def refusal(status: int, **headers: object) -> Answer:
    return lambda handler, _: handler.start(status, Content_Length=0, **headers)


not_found = refusal(404)


def first(*answers: Answer, then: Answer) -> Answer:
    """Send `answers` to the first requests, and `then` to all later ones."""
    waiting = list(answers)

    def answer(handler: Handler, request: Request) -> None:
        (waiting.pop(0) if waiting else then)(handler, request)

    return answer


def broken_off(content: bytes, after: int) -> Answer:
    """Send fewer bytes than Content-Length."""

    def answer(handler: Handler, request: Request) -> None:
        handler.wfile.write(_begun(handler, request, content)[:after])

    return answer


def slow(content: bytes, seconds: float, pieces: int = 20) -> Answer:
    """Send a file slowly, over a number of seconds."""

    def answer(handler: Handler, request: Request) -> None:
        rest = _begun(handler, request, content)
        size = -(-len(content) // pieces)
        for begin in range(0, len(rest), size):
            handler.wfile.write(rest[begin : begin + size])
            handler.wfile.flush()
            time.sleep(seconds / pieces)

    return answer


def dripping(piece: bytes, content_type: str = "text/html", pause_s: float = 0.05) -> Answer:
    """Send small pieces with pauses, without end."""

    def answer(handler: Handler, _: Request) -> None:
        handler.start(200, Content_Type=content_type)
        while True:
            handler.wfile.write(piece)
            handler.wfile.flush()
            time.sleep(pause_s)

    return answer


def endless(content: bytes, content_type: str = "video/mp4") -> Answer:
    """Send a file repeatedly, without Content-Length and without end."""

    def answer(handler: Handler, _: Request) -> None:
        handler.start(200, Content_Type=content_type)
        while True:
            handler.wfile.write(content)

    return answer


def counted(content: bytes, sent: Counter[str], piece: int = 50_000) -> Answer:
    """Send a file in pieces; store in `sent`, by path, the number of bytes that the latest client has received."""

    def answer(handler: Handler, request: Request) -> None:
        rest = _begun(handler, request, content)
        for begin in range(0, len(rest), piece):
            handler.wfile.write(rest[begin : begin + piece])
            sent[request.path] = begin + piece
            time.sleep(0.005)  # otherwise socket buffers would accept the whole file

    return answer


class SocksProxy:
    """A SOCKS5 proxy without authentication (RFC 1928); records the ports of its connections."""

    def __init__(self) -> None:
        self.ports: list[int] = []

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"socks5://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._lead, args=(client,), daemon=True).start()

    def _lead(self, client: socket.socket) -> None:
        _, methods = client.recv(2)
        client.recv(methods)
        client.sendall(b"\5\0")
        *_, kind = client.recv(4)
        host = socket.inet_ntoa(client.recv(4)) if kind == 1 else client.recv(client.recv(1)[0]).decode()
        port = int.from_bytes(client.recv(2), "big")
        self.ports.append(port)
        with client, socket.create_connection((host, port)) as server:
            client.sendall(b"\5\0\0\1" + bytes(6))
            upload = threading.Thread(target=_pump, args=(client, server), daemon=True)
            upload.start()
            _pump(server, client)
            upload.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while content := source.recv(65536):
            target.sendall(content)
        target.shutdown(socket.SHUT_WR)


def _begun(handler: Handler, request: Request, content: bytes, content_type: str = "video/mp4") -> bytes:
    """Send the headers for the rest of a file, from the first requested byte, and return the rest."""
    start = request.first_byte
    headers: dict[str, object] = {"Content_Type": content_type, "Content_Length": len(content) - start}
    if start:
        headers["Content_Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
    handler.start(206 if start else 200, **headers)
    return b"" if handler.command == "HEAD" else content[start:]
