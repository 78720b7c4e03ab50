"""A loopback server that speaks enough of the Hugging Face Hub's HTTP interface for tests.

It keeps everything in memory and can be told to misbehave:

    with HubServer() as hub:
        hub.add_user("ada", "hf_ada", can_write=["org"])
        hub.seed_repo("org/pictures", "dataset", {"train.csv": b"a,b"})
        hub.fail("resolve/main/train.csv", kind="drop")
        hf_hub_download("org/pictures", "train.csv", repo_type="dataset", endpoint=hub.endpoint)

Never compared with the real Hub; it was written from what the clients send and expect.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
import traceback
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from hub_endpoints import Answer, Request, User, dispatch
from hub_repository import MAIN, Commit, Content, Refusal, Repository, belongs_in_lfs

FaultKind = Literal["status", "drop", "truncate", "corrupt", "lost"]
_SENT_AT_ONCE = 1 << 20


@dataclass
class Fault:
    """A planned misbehaviour, and how often it has struck so far."""

    match: re.Pattern[str]
    kind: FaultKind
    status: int
    times: int | None
    after: int
    struck: int = 0

    def strikes(self, method: str, path: str) -> bool:
        """Say whether this request is hit, and count it."""
        spent = self.times is not None and self.struck >= self.times
        # A HEAD has no body to damage: such a fault waits for the GET that follows.
        bodiless = method == "HEAD" and self.kind in ("drop", "truncate", "corrupt")
        if spent or bodiless or not self.match.search(f"{method} {path}"):
            return False
        self.after -= 1
        self.struck += self.after < 0
        return self.after < 0


@dataclass
class LoggedRequest:
    """One line of the log: never the token, only whether one was sent."""

    method: str
    path: str
    authorized: bool
    status: int | None = None
    fault: FaultKind | None = None


@dataclass
class HubServer:
    """The server, its users, its repositories, its planned faults and its log."""

    tree_page_size: int = 1000
    port: int = 0
    users: dict[str, User] = field(default_factory=dict, init=False)
    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict, init=False)
    large_files: dict[str, Content] = field(default_factory=dict, init=False)
    requests: list[LoggedRequest] = field(default_factory=list, init=False)
    faults: list[Fault] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self._listener = _Listener(self, self.port)
        self.port = self._listener.server_address[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> HubServer:
        serve = threading.Thread(target=self._listener.serve_forever, args=(0.02,), daemon=True)
        serve.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening and cut every connection that is still open."""
        self._listener.shutdown()
        self._listener.server_close()
        self._listener.cut_connections()

    def reset(self) -> None:
        """Forget users, repositories, faults and the log; the address stays."""
        with self.lock:
            for kept in (self.users, self.repositories, self.large_files):
                kept.clear()
            self.requests.clear()
            self.faults.clear()

    def add_user(self, name: str, token: str, *, can_write: bool | Collection[str] = False) -> User:
        """Add a user who may write to their own namespace and those given (True: to all)."""
        granted = () if isinstance(can_write, bool) else can_write
        user = User(name, frozenset({name, *granted}), everywhere=can_write is True)
        self.users[token] = user
        return user

    def seed_repo(
        self,
        repo_id: str,
        kind: Literal["model", "dataset", "space"],
        files: Mapping[str, bytes | Path] | Path,
        *,
        private: bool = False,
        gated: bool = False,
        readers: Collection[str] = (),
    ) -> Repository:
        """Make a repository of exactly these files, or commit them on top of its main.

        A folder stands for all files below it. Files given by path are served from disk
        and must not change. `readers` names who may read a private or gated repository.
        """
        contents = {path: _as_content(path, source) for path, source in _paths_in(files)}
        with self.lock:
            if found := self.repositories.get((kind, repo_id)):
                snapshot = {**found.refs[MAIN].files, **contents}
                found.commit(MAIN, snapshot, "Update files", repo_id.split("/")[0])
                return found
            first = Commit(contents, "initial commit", repo_id.split("/")[0])
            gate = "auto" if gated else False
            repo = Repository(kind, repo_id, first, private=private, gated=gate, readers=readers)
            self.repositories[kind, repo_id] = repo
            return repo

    def repo(self, kind: str, repo_id: str) -> Repository:
        """Return a repository for inspection, private or not."""
        return self.repositories[kind, repo_id]

    def fail(
        self,
        match: str,
        times: int | None = 1,
        kind: FaultKind = "status",
        status: int = 503,
        after: int = 0,
    ) -> Fault:
        """Plan a fault for the requests whose "METHOD /path?query" the expression finds.

        status    answer with `status` and do nothing
        drop      close the connection in the middle of the upload or, without one, download
        truncate  answer completely, but with half of the body
        corrupt   damage one byte: of an upload by PUT, otherwise of the answer
        lost      do what was asked, then close the connection without an answer

        It strikes `times` requests (None: all), after letting `after` of them through;
        `hub.faults.clear()` ends all faults. The answer counts in `struck`.
        """
        fault = Fault(re.compile(match), kind, status, times, after)
        with self.lock:
            self.faults.append(fault)
        return fault

    def count(self, match: str) -> int:
        """Count the logged requests whose "METHOD /path?query" the expression finds."""
        logged = list(self.requests)
        return sum(1 for r in logged if re.search(match, f"{r.method} {r.path}"))

    def register(self, logged: LoggedRequest) -> Fault | None:
        """Write a request to the log and return the fault that strikes it, if any."""
        with self.lock:
            self.requests.append(logged)
            hits = (f for f in self.faults if f.strikes(logged.method, logged.path))
            fault = next(hits, None)
            logged.fault = fault.kind if fault else None
            return fault


def _paths_in(files: Mapping[str, bytes | Path] | Path) -> Iterator[tuple[str, bytes | Path]]:
    if not isinstance(files, Path):
        yield from files.items()
        return
    for path in sorted(files.rglob("*")):
        if path.is_file():
            yield path.relative_to(files).as_posix(), path


def _as_content(path: str, source: bytes | Path) -> Content:
    plain = Content(source)
    return Content(source, lfs=belongs_in_lfs(path, plain.size, plain.read(0, 512)))


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, hub: HubServer, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Connection)
        self.hub = hub
        self._open: set[socket.socket] = set()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def cut_connections(self) -> None:
        # Otherwise a client that kept its connection would still be answered.
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client was faster

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Connection(BaseHTTPRequestHandler):
    """Reads requests from one kept-alive connection and answers or damages them."""

    protocol_version = "HTTP/1.1"
    # Without these two, headers and body go out as separate packets and each call waits 40 ms.
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: _Listener

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent: the hub has its own log."""

    def handle_request(self) -> None:
        authorization = self.headers.get("Authorization")
        logged = LoggedRequest(self.command, self.path, authorization is not None)
        fault = self.server.hub.register(logged)
        kind = fault.kind if fault else None
        if kind == "drop" and self._has_body():
            self._drop_upload()
            return
        body = self._read_body()
        if kind == "corrupt" and self.command == "PUT":
            body, kind = _damage(body), None
        answer = self._refuse(fault.status) if fault and kind == "status" else self._ask(body)
        logged.status = answer.status
        if kind == "lost":
            self.close_connection = True
        else:
            self._send(answer, kind)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_request

    def _has_body(self) -> bool:
        length = int(self.headers.get("Content-Length", 0))
        return length > 0 or "chunked" in self.headers.get("Transfer-Encoding", "")

    def _read_body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _drop_upload(self) -> None:
        self.rfile.read(max(1, int(self.headers.get("Content-Length", 0)) // 2))
        self.close_connection = True

    def _refuse(self, status: int) -> Answer:
        return _error(Refusal(status, "The test hub was told to fail"))

    def _ask(self, body: bytes) -> Answer:
        url = urlsplit(self.path)
        query = parse_qs(url.query, keep_blank_values=True)
        request = Request(self.command, url.path, query, self.headers, body)
        try:
            with self.server.hub.lock:
                request.user = self._user()
                return dispatch(self.server.hub, request)
        except Refusal as refusal:
            return _error(refusal)
        except Exception:
            traceback.print_exc()
            return _error(Refusal(500, "The test hub has a defect"))

    def _user(self) -> User | None:
        authorization = self.headers.get("Authorization")
        if authorization is None:
            return None
        user = self.server.hub.users.get(authorization.removeprefix("Bearer "))
        if user is None:
            raise Refusal(401, "Invalid credentials in Authorization header")
        return user

    def _send(self, answer: Answer, kind: FaultKind | None) -> None:
        content, start, stop = answer.content, answer.start, answer.end
        if kind == "corrupt":
            content = Content(_damage(content.read(start, stop)))
            start, stop = 0, content.size
        if kind == "truncate":
            stop = (start + stop) // 2
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(stop - start))
        self.end_headers()
        if kind == "drop":
            stop = (start + stop) // 2
            self.close_connection = True
        if self.command != "HEAD":
            for position in range(start, stop, _SENT_AT_ONCE):
                self.wfile.write(content.read(position, min(position + _SENT_AT_ONCE, stop)))


def _damage(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 0xFF]) + body[middle + 1 :] if body else body


def _error(refusal: Refusal) -> Answer:
    # Header values are Latin-1, paths and titles are not.
    reason = refusal.reason.encode("ascii", "replace").decode()
    headers = {"Content-Type": "application/json", "X-Error-Message": reason}
    if refusal.code:
        headers["X-Error-Code"] = refusal.code
    body = json.dumps({"error": refusal.reason, **refusal.body}).encode()
    return Answer(Content(body), refusal.status, {**headers, **refusal.headers})
