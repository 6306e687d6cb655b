"""An export on a Dask cluster: jobs are requested here, files are downloaded and converted there.

What exists only once stays here: the notes of the jobs, the manifest, the login and its limits. A
worker gets the address of a file, downloads it into its own scratch folder, converts it, and writes
the part under a temporary name. Here the part is moved into its place and noted. So a part is whole
or absent; though Dask runs a task again when a worker dies, or twice when it only seemed dead, one
result is taken.

The access token never becomes part of a task. For each try of a download a worker makes a key pair
and requests the token as an event on the cluster (:class:`RunningTask`). The kernel that began the
export waits for its turn (ten downloads a minute), takes one of the calls in flight that Zoho
allows, reserves the credits, and sends the token encrypted for that key (:class:`Cluster`). A
worker says which token was refused and never refreshes it: that happens once, in the gate here.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from distributed import (
    CancelledError,
    Client,
    KilledWorker,
    Reschedule,
    WorkerPlugin,
    get_worker,
)

from zcrm_nb.auth.token_lease import Borrowed, Box, seal
from zcrm_nb.errors import ConnectionFailed, JobError, LoginError, ZohoError
from zcrm_nb.frames import Folder, header
from zcrm_nb.wire.gate import DOWNLOADS, Gate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from zcrm_nb.auth.data_centres import Addresses
    from zcrm_nb.frames import Folder, PartReader, Store
    from zcrm_nb.masking import Secret
    from zcrm_nb.wire.credits import Hold
    from zcrm_nb.wire.messages import Call

__all__ = ["Cluster", "ClusterTask", "TaskResult", "WorkerTasks", "cluster_of"]

REPLY_S = 300.0  # a turn is at most a minute away for each ten that wait
_PREFIX = "zcrm-part-"  # what Dask calls such tasks
# States of a task whose result is not used.
_UNWANTED = frozenset({"cancelled", "released", "forgotten"})


@dataclass(frozen=True, slots=True)
class ClusterTask:
    """One part to be made by a worker. Nothing in it is secret: Dask shows its tasks."""

    topic: str  # name of the export on the cluster
    part: str  # name of the part in this export
    path: str  # where Zoho has its file, from the host on
    addresses: Addresses  # Zoho's hosts
    reader: PartReader = field(repr=False)  # what reads the file
    folder: Folder = field(repr=False)  # where the part is to be written

    @property
    def key(self) -> str:
        """Its name in Dask."""
        return f"{_PREFIX}{self.topic.rpartition('-')[2]}-{self.part}"


@dataclass(slots=True)
class TaskResult:
    """The result of a task."""

    # what ``Folder.write`` returned, for ``Folder.take``
    written: dict[str, Any] = field(default_factory=dict)
    # columns of the file; empty for one without a header
    columns: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)  # the calls it made
    # its failure, as a value: Dask would log a raised one on the worker
    error: ZohoError | None = None


@dataclass(frozen=True, slots=True)
class _TokenReply:
    """The reply to a request for the token: the token, a failure to repeat, or a refusal."""

    number: str = ""
    sealed: bytes = b""
    again: str = ""

    def opened(self, box: Box) -> Secret:
        """Return the token, or raise the error that the worker's gate handles."""
        if self.sealed:
            return box.open(self.sealed)
        if self.again:
            raise ConnectionFailed(self.again)
        raise LoginError("The kernel that began this export could not lend its token.")


class _EndedError(Exception):
    """The part is no longer needed from this worker."""


# ---- On a worker ---------------------------------------------------------------------------------


class RunningTask:
    """One task on a worker: it requests the token, and stops when its part is not needed."""

    def __init__(self, task: ClusterTask, worker: Any) -> None:
        self._task, self._worker = task, worker
        self._replies: SimpleQueue[_TokenReply] = SimpleQueue()
        self._ended = threading.Event()

    def request_token(self, refused: str) -> Secret:
        """Request the token of one try, and wait for it; for ``Borrowed``."""
        box, number = Box(), token_hex(8)
        request = {"number": number, "part": self._task.part, "refused": refused, "key": box.public}
        self.check()
        self._worker.log_event(self._task.topic, request | {"worker": self._worker.address})
        while True:
            try:
                reply = self._replies.get(timeout=REPLY_S)
            except Empty:
                raise LoginError("The kernel that began this export no longer replies.") from None
            self.check()
            if reply.number == number:
                return reply.opened(box)

    def take(self, reply: _TokenReply) -> None:
        """Take a reply."""
        self._replies.put(reply)

    def end(self) -> None:
        """Stop the task."""
        self._ended.set()
        self._replies.put(_TokenReply())

    def check(self, size: int = 0) -> None:
        """Raise if the part is no longer needed."""
        del size
        if self._ended.is_set():
            raise _EndedError

    def run(self, gate: Gate, file: Path) -> TaskResult:
        """Download and convert; a damaged file is downloaded once more."""
        try:
            return self._download(gate, file)
        except JobError:
            file.unlink(missing_ok=True)
            return self._download(gate, file)

    def _download(self, gate: Gate, file: Path) -> TaskResult:
        """Download and convert."""
        gate.download(self._task.path, file, tick=self.check)
        written = self._task.folder.write(self._task.reader, self._batches(file))
        return TaskResult(written, header(file))

    def _batches(self, file: Path) -> Iterator[Any]:
        """Read a file in batches, for as long as it is needed."""
        for batch in self._task.reader.batches(file):
            self.check()
            yield batch


class WorkerTasks(WorkerPlugin):
    """The tasks of one export on a worker, by which replies find them."""

    def __init__(self, topic: str) -> None:
        self.name = topic

    def setup(self, worker: Any) -> None:
        """Start on a worker; called by Dask."""
        self._worker = worker
        self._tasks: dict[Any, RunningTask] = {}
        self._unwanted: set[Any] = set()

    def teardown(self, worker: Any) -> None:
        """End all tasks, because the export has ended; called by Dask."""
        del worker
        for each in list(self._tasks.values()):
            each.end()

    def transition(self, key: Any, start: str, finish: str, **more: Any) -> None:
        """End a task that was cancelled, perhaps before it starts; called by Dask."""
        del start, more
        if finish == "executing":
            self._unwanted.discard(key)
        elif finish in _UNWANTED and str(key).startswith(_PREFIX):
            self._unwanted.add(key)
            if key in self._tasks:
                self._tasks[key].end()

    @contextmanager
    def running(self, task: ClusterTask) -> Iterator[RunningTask]:
        """Register a task while the block lasts."""
        running = self._tasks[task.key] = RunningTask(task, self._worker)
        if task.key in self._unwanted:
            running.end()
        try:
            yield running
        finally:
            if self._tasks.get(task.key) is running:
                del self._tasks[task.key]

    def take(self, key: str, reply: _TokenReply) -> None:
        """Pass a reply to its task, if that still runs."""
        if key in self._tasks:
            self._tasks[key].take(reply)


def make(task: ClusterTask) -> TaskResult:
    """Download, convert and write a part: the function that workers run."""
    worker = get_worker()
    tasks = worker.plugins.get(task.topic)
    if not isinstance(tasks, WorkerTasks):
        return TaskResult()  # the export has ended while this waited
    with (
        tasks.running(task) as running,
        TemporaryDirectory(prefix="zcrm-nb-", dir=worker.local_directory) as scratch,
        closing(Gate(Borrowed(running.request_token), task.addresses)) as gate,
        gate.trace() as calls,
    ):
        try:
            result = running.run(gate, Path(scratch, "part.zip"))
        except _EndedError:
            raise Reschedule from None  # Dask runs it again only if it is needed after all
        except ZohoError as error:
            result = TaskResult(error=error)
    result.calls = calls
    return result


def _deliver(topic: str, key: str, reply: _TokenReply, dask_worker: Any) -> None:
    """Pass a reply to a task; Dask runs this on the worker."""
    tasks = dask_worker.plugins.get(topic)
    if tasks is not None:
        tasks.take(key, reply)


def _sees(folder: Folder, name: str) -> bool:
    """Whether a worker sees a file in the target; Dask runs this on the worker."""
    return folder.sees(name)


# ---- In the kernel -------------------------------------------------------------------------------


def cluster_of(
    client: object, gate: Gate, addresses: Callable[[], Addresses], store: Store
) -> Cluster:
    """Check a Dask client and a target for one export."""
    if not isinstance(client, Client):
        raise TypeError(f"client= takes a dask.distributed.Client, not {type(client).__name__}.")
    if client.asynchronous:
        raise ValueError("This Dask client is asynchronous: make one without asynchronous=True.")
    if client.status != "running":
        raise ValueError(
            f"The Dask client is {client.status}: make a new Client(…) and run it again."
        )
    if not isinstance(store, Folder):
        raise ValueError(  # noqa: TRY004 - the class is right, the target is not
            f"One process at a time writes to a DuckDB file such as {store.target}: let the "
            "workers export into a folder, and read that with export.duckdb()."
        )
    return Cluster(client, gate, addresses, store)


class Cluster:
    """The workers of a cluster, for one export, while a block lasts."""

    def __init__(
        self, client: Client, gate: Gate, addresses: Callable[[], Addresses], folder: Folder
    ) -> None:
        self._client, self._gate, self._addresses = client, gate, addresses
        self._folder = folder
        self.name = f"zcrm-export-{token_hex(6)}"
        self.at_a_time = min(DOWNLOADS, max(1, gate.workers - 1))  # one is left for status requests
        self._lock = threading.Lock()
        self._open_tasks: dict[str, ClusterTask] = {}
        self._futures: dict[str, Any] = {}
        self._loans: dict[str, list[tuple[ExitStack, Hold]]] = {}
        self._refusals: dict[str, ZohoError] = {}
        self._pool = ThreadPoolExecutor(self.at_a_time, thread_name_prefix="zcrm-lend")

    def __enter__(self) -> Cluster:
        try:
            self._client.register_plugin(WorkerTasks(self.name))
        except ModuleNotFoundError as missing:
            raise _not_installed(missing) from missing
        self._client.subscribe_topic(self.name, self._on_request)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            futures = list(self._futures.values())
            self._open_tasks.clear()
        self._pool.shutdown(wait=False, cancel_futures=True)
        for part in list(self._loans):
            self._give_back(part)
        with suppress(Exception):  # the cluster may be gone, in any way: nothing is left to cancel
            self._client.cancel(futures)
            self._client.unsubscribe_topic(self.name)
            self._client.unregister_worker_plugin(self.name)

    def check_target(self) -> None:
        """Make sure that the workers see the target, before a job is requested."""
        with self._folder.probe() as name:
            visible = self._client.run(_sees, self._folder, name, on_error="return")
        for missing in visible.values():
            if isinstance(missing, ModuleNotFoundError):
                raise _not_installed(missing)
        blind = [worker for worker, sees in visible.items() if sees is not True]
        if blind:
            raise ValueError(
                f"{len(blind)} of {len(visible)} Dask workers, {blind[0]} among them, do not see "
                f"{self._folder.target}. Name a folder that they share, or an address such as s3://…"
            )

    def make(self, part: str, path: str, reader: PartReader) -> TaskResult:
        """Let a worker make a part, and wait for it."""
        task = ClusterTask(self.name, part, path, self._addresses(), reader, self._folder)
        result = self._run(task)
        self._gate.add_calls(result.calls)
        if result.error is not None:
            raise self._refusals.pop(part, result.error)
        if not result.written:
            raise _gone()
        return result

    def take(self, series: int, number: int, result: TaskResult) -> None:
        """Move a part into its place, and note it in the manifest."""
        try:
            self._folder.take(series, number, result.written)
        except FileNotFoundError as missing:
            raise JobError(
                f"A Dask worker wrote {result.written['file']}, which is not in "
                f"{self._folder.target} here.",
                todo="Name a folder that all of them share, or an address such as s3://…",
            ) from missing

    def _run(self, task: ClusterTask) -> TaskResult:
        """Submit a task, and wait for its result."""
        try:
            with self._lock:
                self._open_tasks[task.part] = task
                future = self._client.submit(make, task, key=task.key, pure=False)
                self._futures[task.part] = future
            result: TaskResult = future.result()
        except KilledWorker as killed:
            raise _killed(task, killed) from killed
        except CancelledError as gone:
            raise _gone() from gone
        except Exception as error:  # a client that was closed meanwhile raises nearly anything
            if self._client.status == "running":
                raise
            raise _gone() from error
        finally:
            with self._lock:
                self._open_tasks.pop(task.part, None)
                self._futures.pop(task.part, None)
            self._give_back(task.part)
        return result

    # ---- Lending the token -----------------------------------------------------------------------

    def _on_request(self, event: tuple[float, Mapping[str, Any]]) -> None:
        """Take a worker's request; called in Dask's own thread, which must not wait."""
        with suppress(RuntimeError):  # the pool has ended, and so has the export
            self._pool.submit(self._reply, event[1])

    def _reply(self, request: Mapping[str, Any]) -> None:
        """Lend the token to one try of one part, or refuse it; the reason is raised here."""
        part, number = request["part"], request["number"]
        with self._lock:
            task = self._open_tasks.get(part)
        if task is None:
            return
        try:
            reply = _TokenReply(number, seal(self._lent(task, request["refused"]), request["key"]))
        except ConnectionFailed as lost:
            reply = _TokenReply(number, again=lost.happened)
        except ZohoError as error:
            self._refusals[part] = error
            reply = _TokenReply(number)
        self._client.run(
            _deliver,
            self.name,
            task.key,
            reply,
            workers=[request["worker"]],
            on_error="ignore",  # it died while its turn came
        )

    def _lent(self, task: ClusterTask, refused: str) -> Secret:
        """Reserve a download and its credits for a try, and release those of the one before."""
        self._give_back(task.part, untaken=bool(refused))
        stack = ExitStack()
        token, hold = stack.enter_context(self._gate.lend(task.path, refused=refused))
        with self._lock:
            if task.part in self._open_tasks:
                self._loans.setdefault(task.part, []).append((stack, hold))
                return token
        stack.close()
        raise LoginError(f"{task.part} is no longer needed.")

    def _give_back(self, part: str, *, untaken: bool = False) -> None:
        """End the open tries of a part; a refused token cost no credit."""
        for stack, hold in self._loans.pop(part, []):
            hold.taken = not untaken
            stack.close()


def _not_installed(missing: ModuleNotFoundError) -> ImportError:
    """Make the error for workers without this package."""
    return ImportError(
        f"The Dask workers lack {missing.name}: install zcrm-nb there, in the same version as here."
    )


def _killed(task: ClusterTask, killed: KilledWorker) -> JobError:
    """Make the error for a part whose workers die."""
    return JobError(
        f"{killed.allowed_failures + 1} Dask workers died while they made {task.part}.",
        todo="Check their logs, for memory first. Written parts stay: the same crm.export "
        "continues.",
    )


def _gone() -> JobError:
    """Make the error for a cluster that is gone."""
    return JobError(
        "The Dask cluster is gone, or its client was closed, before all parts were written.",
        todo="Written parts stay: the same crm.export continues, with another client or without.",
    )
