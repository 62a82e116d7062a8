"""The Lambda Runtime API and the credentials endpoint, on loopback, for the daemon's workers.

Each worker has an address of its own, ``http://127.0.0.1:PORT/<token>/2018-06-01/...``, which
nobody else can guess; its token is also the authorization that the container-credentials protocol
sends to ``/credentials/<worker id>``. What a browser could be made to send (a foreign Host, any
Origin) is refused.

`RuntimeApi` knows what each worker may do now; the HTTP below it is `devbridge.daemon.http`.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import secrets
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import quote, unquote

from devbridge.daemon.http import Exchange, HttpServer, Refusal, Request
from devbridge.daemon.listeners import WorkerListener
from devbridge.redaction import WORKER
from devbridge.workers.modules import report
from runner.invocation import (
    INTERRUPTED,
    MAX_BODY,
    RESULT_TOO_LARGE,
    Invocation,
    parse_failure,
    parse_lingering,
)
from runner.outcome import MAX_CHECKPOINT, Failure

if TYPE_CHECKING:
    from devbridge.languages.debuggers import WorkersDebuggers

log = logging.getLogger(__name__)


class CredentialsProvider(Protocol):
    """Where the workers' credentials come from."""

    async def get(self, role_arn: str) -> Mapping[str, str]:
        """The container protocol's document: AccessKeyId, SecretAccessKey, Token, Expiration."""


@dataclass(frozen=True, slots=True)
class WorkerAddress:
    """What a worker is told. Secret: whoever has it can act as that worker."""

    runtime_api: str
    """The value of AWS_LAMBDA_RUNTIME_API."""
    credentials_uri: str
    credentials_token: str = field(repr=False)


@dataclass(slots=True)
class _Worker:
    id: str
    token: str
    role_arn: str | None
    runtime: str
    ready: bool = False
    waiting: Exchange | None = None
    pending: Invocation | None = None
    given: tuple[Invocation, Exchange] | None = None
    """What was handed over and has no answer yet, and in answer to which `next`."""
    without_credentials: bool = False
    """It was refused them, which was said; not again before it got some."""

    @property
    def job_id(self) -> str | None:
        return None if self.given is None else self.given[0].job_id

    @property
    def checkpoint(self) -> bytes | None:
        """Where what it was given begins, if it is not at the beginning."""
        if self.given is None or not self.given[0].begins_at_checkpoint:
            return None
        return self.given[0].checkpoint


class RuntimeApi:
    """Serves workers from `start` to `close`. One event loop, no threads."""

    def __init__(
        self,
        listener: WorkerListener,
        credentials: CredentialsProvider | None = None,
        debuggers: WorkersDebuggers | None = None,
        *,
        max_body: int = MAX_BODY,
        read_failure: Callable[[bytes], Failure] = parse_failure,
    ) -> None:
        """`max_body`: bytes of a result; `read_failure` makes an error of what a worker posts."""
        self._read_failure = read_failure
        self._listener = listener
        self._credentials = credentials
        self._debuggers = debuggers
        self._server = HttpServer(self._gate, self._handle, max_body=max_body)
        self._workers: dict[str, _Worker] = {}
        self._by_token: dict[str, _Worker] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port on 127.0.0.1; chosen by `start`."""
        return self._server.port

    async def start(self) -> None:
        """Listen on a free port.

        Raises:
            OSError: no socket could be opened.
        """
        await self._server.start()

    async def close(self) -> None:
        """Hang up on every worker. Idempotent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.close()

    def add_worker(
        self,
        worker_id: str,
        role_arn: str | None = None,
        runtime: str = "",
        *,
        token: str | None = None,
    ) -> WorkerAddress:
        """Expect a worker of a runtime; `role_arn` is whose credentials it may fetch.

        Raises:
            ValueError: the id or the token is in use.
        """
        token = token or f"{WORKER}{secrets.token_urlsafe(32)}"
        if worker_id in self._workers or token in self._by_token:
            raise ValueError(f"worker {worker_id} is known already")
        worker = _Worker(worker_id, token, role_arn, runtime)
        self._workers[worker_id] = self._by_token[token] = worker
        return WorkerAddress(
            runtime_api=f"127.0.0.1:{self.port}/{token}",
            credentials_uri=f"http://127.0.0.1:{self.port}/credentials/{quote(worker_id, safe='')}",
            credentials_token=token,
        )

    def remove_worker(self, worker_id: str) -> bool:
        """Forget a worker and hang up on it; its address is refused from now on. Idempotent.

        Returns:
            whether it has not asked for the invocation that it was to get.
        """
        worker = self._workers.pop(worker_id, None)
        if worker is None:
            return False
        del self._by_token[worker.token]
        if worker.waiting is not None:
            worker.waiting.hang_up()
        if self._debuggers is not None:
            self._debuggers.forget(worker_id)
        return worker.pending is not None

    def is_ready(self, worker_id: str) -> bool:
        """Whether the worker has loaded its handler and asked for an invocation."""
        return (worker := self._workers.get(worker_id)) is not None and worker.ready

    def invoke(self, worker_id: str, invocation: Invocation) -> None:
        """Answer the worker's waiting `next`, or the one that it will make.

        Raises:
            LookupError: there is no such worker.
            ValueError: it has an invocation already.
        """
        worker = self._workers[worker_id]
        if worker.pending is not None or worker.given is not None:
            raise ValueError(f"worker {worker_id} has an invocation already")
        worker.pending = invocation
        self._hand_over(worker)

    # --- requests ---------------------------------------------------------------------------

    def _gate(self, request: Request) -> Refusal | None:
        """Why a request is refused, seen from its head; None when it is a worker's."""
        hosts = (f"127.0.0.1:{self.port}", f"localhost:{self.port}")
        if request.headers.get("host") not in hosts or "origin" in request.headers:
            return Refusal(HTTPStatus.FORBIDDEN, _error("Forbidden", "not for browsers"))
        if self._worker(request) is not None:
            return None
        return Refusal(HTTPStatus.FORBIDDEN, _NOBODY)

    def _worker(self, request: Request) -> _Worker | None:
        """The worker whose token a request has: in its path, or as its authorization."""
        first, _, rest = request.path.removeprefix("/").partition("/")
        if first != "credentials":
            return self._by_token.get(first)
        worker = self._workers.get(unquote(rest))
        given = request.headers.get("authorization", "").encode()
        expected = worker.token if worker is not None else secrets.token_urlsafe(32)
        return worker if hmac.compare_digest(given, expected.encode()) else None

    def _handle(self, request: Request, exchange: Exchange) -> None:
        worker = self._worker(request)
        if worker is None:  # it was removed while its request was coming
            exchange.answer(HTTPStatus.FORBIDDEN, _NOBODY)
            return
        first, _, rest = request.path.removeprefix("/").partition("/")
        if first == "credentials":
            self._serve_credentials(worker, request, exchange)
        else:
            self._serve_runtime(worker, rest, request, exchange)

    def _serve_runtime(
        self, worker: _Worker, path: str, request: Request, exchange: Exchange
    ) -> None:
        match (request.method, *path.split("/")):
            case ("GET", "2018-06-01", "runtime", "invocation", "next"):
                self._next(worker, exchange)
            case (
                "POST",
                "2018-06-01",
                "runtime",
                "invocation",
                job_id,
                "response" | "error" as end,
            ):
                if worker.given is None or job_id != worker.given[0].job_id:
                    what = f"the worker does not run {job_id!r}"
                    exchange.answer(HTTPStatus.BAD_REQUEST, _error("InvalidRequestID", what))
                    return
                worker.given = None
                if request.too_large:
                    self._listener.worker_failed(worker.id, job_id, RESULT_TOO_LARGE)
                    too_large = _error("RequestEntityTooLarge", RESULT_TOO_LARGE.message)
                    exchange.answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, too_large)
                    return
                if end == "response":
                    self._listener.worker_responded(worker.id, job_id, request.body)
                else:
                    failure = self._read_failure(request.body)
                    self._listener.worker_failed(worker.id, job_id, failure)
                exchange.answer(HTTPStatus.ACCEPTED, _OK)
            case ("POST", "2018-06-01", "runtime", "init", "error"):
                self._listener.worker_init_failed(worker.id, self._read_failure(request.body))
                exchange.answer(HTTPStatus.ACCEPTED, _OK)
            case (method, "2018-06-01", "devbridge", "checkpoint" | "interrupted" as what):
                exchange.answer(*self._checkpoints(worker, method, what, request))
            case ("POST", "2018-06-01", "devbridge", what):
                self._report(worker, what, request.body, exchange)
            case _:
                exchange.answer(HTTPStatus.NOT_FOUND, _error("NotFound", "no such operation"))

    def _checkpoints(
        self, worker: _Worker, method: str, what: str, request: Request
    ) -> tuple[HTTPStatus, bytes]:
        """The answer about those of the invocation that the worker runs."""
        if worker.given is None:
            return HTTPStatus.FORBIDDEN, _error("InvalidStateTransition", "it runs nothing")
        invocation, _ = worker.given
        if (method, what) == ("GET", "checkpoint"):
            body = invocation.checkpoint if invocation.begins_at_checkpoint else None
            return HTTPStatus.NO_CONTENT if body is None else HTTPStatus.OK, body or b""
        if method != "POST":
            return HTTPStatus.NOT_FOUND, _error("NotFound", "no such operation")
        if request.too_large or len(request.body) > MAX_CHECKPOINT:
            what = f"over {MAX_CHECKPOINT} bytes"
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _error("RequestEntityTooLarge", what)
        if what == "checkpoint":
            self._listener.worker_reached(worker.id, invocation.job_id, request.body)
        else:
            worker.given = None
            self._listener.worker_failed(worker.id, invocation.job_id, INTERRUPTED)
        return HTTPStatus.ACCEPTED, _OK

    def _report(self, worker: _Worker, what: str, body: bytes, exchange: Exchange) -> None:
        """What devbridge's own runner tells beyond the Runtime API."""
        match what:
            case "modules":
                try:
                    modules = report(body)
                except (
                    ValueError,
                    TypeError,
                    LookupError,
                    AttributeError,
                    RecursionError,
                ) as error:
                    bad = _error("InvalidRequest", f"not a report of modules: {error}")
                    exchange.answer(HTTPStatus.BAD_REQUEST, bad)
                    return
                self._listener.worker_modules(worker.id, modules)
            case "lookup":
                name = body[:256].decode("ascii", "replace").strip('"')
                if name.isidentifier():
                    self._listener.worker_missed(worker.id, name)
            case "lingering":
                if left := parse_lingering(body):
                    self._listener.worker_lingers(worker.id, left)
            case "debugger" if self._debuggers is not None:
                self._begin(self._debug(self._debuggers, worker, body, exchange), "debugger")
                return
            case _:
                exchange.answer(HTTPStatus.NOT_FOUND, _error("NotFound", "no such operation"))
                return
        exchange.answer(HTTPStatus.ACCEPTED, _OK)

    def _next(self, worker: _Worker, exchange: Exchange) -> None:
        if worker.given is not None and worker.given[1].hung_up:
            # It asks again: the invocation did not come through.
            worker.pending, worker.given = worker.given[0], None
        if worker.given is not None or worker.waiting is not None:
            what = "the worker has not answered its invocation, or waits already"
            exchange.answer(HTTPStatus.FORBIDDEN, _error("InvalidStateTransition", what))
            return
        worker.waiting = exchange
        exchange.on_disconnect = lambda: _stop_waiting(worker, exchange)
        if not worker.ready:
            worker.ready = True
            self._listener.worker_ready(worker.id)
        self._hand_over(worker)

    def _hand_over(self, worker: _Worker) -> None:
        if worker.waiting is None or worker.pending is None:
            return
        exchange, invocation = worker.waiting, worker.pending
        worker.waiting, worker.pending, worker.given = None, None, (invocation, exchange)
        exchange.answer(HTTPStatus.OK, invocation.payload, invocation.headers())

    # --- credentials ------------------------------------------------------------------------

    def _serve_credentials(self, worker: _Worker, request: Request, exchange: Exchange) -> None:
        if request.method != "GET":
            exchange.answer(HTTPStatus.METHOD_NOT_ALLOWED, _error("NotAllowed", "GET only"))
        elif self._credentials is None or worker.role_arn is None:
            missing = _error("NoRole", "this worker has no role")
            exchange.answer(HTTPStatus.NOT_FOUND, missing)
        else:
            fetch = self._fetch(self._credentials.get, worker, worker.role_arn, exchange)
            self._begin(fetch, "credentials")

    def _begin(self, answering: Coroutine[Any, Any, None], what: str) -> None:
        task = asyncio.create_task(answering, name=what)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _debug(
        self, debuggers: WorkersDebuggers, worker: _Worker, body: bytes, exchange: Exchange
    ) -> None:
        """The answer comes when the worker may go on."""
        try:
            answer = await debuggers.reported(worker.id, worker.runtime, body)
        except (ValueError, RecursionError) as error:
            bad = _error("InvalidRequest", f"not a report to a debugger: {error}")
            exchange.answer(HTTPStatus.BAD_REQUEST, bad)
        else:
            exchange.answer(HTTPStatus.ACCEPTED, json.dumps(answer).encode())
        if worker.id not in self._workers:  # it has gone while a debugger was got ready for it
            debuggers.forget(worker.id)

    async def _fetch(
        self, get: Callable[[str], Any], worker: _Worker, role_arn: str, exchange: Exchange
    ) -> None:
        try:
            document = await get(role_arn)
        except Exception as error:
            log.info("no credentials of %s for worker %s: %s", role_arn, worker.id, error)
            # The SDKs try again after a 500.
            failed = _error("CredentialsUnavailable", str(error))
            exchange.answer(HTTPStatus.INTERNAL_SERVER_ERROR, failed)
            if not worker.without_credentials:
                worker.without_credentials = True
                self._listener.credentials_failed(worker.id, str(error))
        else:
            worker.without_credentials = False
            exchange.answer(HTTPStatus.OK, json.dumps(dict(document)).encode())


def _stop_waiting(worker: _Worker, exchange: Exchange) -> None:
    if worker.waiting is exchange:
        worker.waiting = None


def _error(code: str, message: str) -> bytes:
    # `code` and `message` are what the AWS SDKs show; the Runtime API says errorType/errorMessage.
    document = {"errorType": code, "errorMessage": message, "code": code, "message": message}
    return json.dumps(document).encode()


_OK: Final = b'{"status":"OK"}'
_NOBODY: Final = _error("Forbidden", "no such worker, or not its token")
