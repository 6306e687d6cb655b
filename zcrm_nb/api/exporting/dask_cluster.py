"""An export on a Dask cluster: jobs are asked for here, files are fetched and converted there.

What stays here is everything that there must be one of: the notes of the jobs, the manifest, the
login and its limits. A worker is told where a file of Zoho's is; it downloads it into its own
scratch folder, converts it, and writes what comes of it under a name that nobody reads. Here that
is given its place and noted. So a part is whole or absent, and though Dask runs a task again when a
worker dies, or runs one twice when it only seemed dead, one of them is taken.

The access token never becomes part of a task. For each try of a download a worker makes a key pair
and asks (:class:`Counter`), as an event on the cluster; who began the export waits for its turn
(ten downloads a minute), takes one of the places that Zoho gives to calls in flight, sets the
credits aside, and hands the token over sealed for that key (:class:`Crew`). A worker says which
token was refused and never refreshes by itself: all refresh through the gate here, once.
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
    from zcrm_nb.auth.secret import Secret
    from zcrm_nb.frames import Folder, PartReader, Store
    from zcrm_nb.wire.credits import Hold
    from zcrm_nb.wire.trace import Call

__all__ = ["ClusterTask", "Counter", "Crew", "Made", "crew_of"]

ANSWER_S = 300.0  # a turn is a minute away at most for each ten that wait; then nobody is there
_PREFIX = "zcrm-part-"  # what Dask calls such tasks
_UNWANTED = frozenset({"cancelled", "released", "forgotten"})  # what becomes of such a task


@dataclass(frozen=True, slots=True)
class ClusterTask:
    """One part to be made by a worker. Nothing in it is secret: it becomes part of a task.

    Parameters
    ----------
    crew : str
        Name of the crew.
    part : str
        Name of the part in this export.
    path : str
        Where Zoho has its file, from the host on.
    addresses : Addresses
        Zoho's hosts.
    reader : PartReader
        What reads the file.
    folder : Folder
        Where the part is to be written.
    """

    crew: str
    part: str
    path: str
    addresses: Addresses
    reader: PartReader = field(repr=False)
    folder: Folder = field(repr=False)

    @property
    def key(self) -> str:
        """What Dask calls its task."""
        return f"{_PREFIX}{self.crew.rpartition('-')[2]}-{self.part}"


@dataclass(slots=True)
class Made:
    """What came of an order.

    Parameters
    ----------
    written : dict, default {}
        What ``Folder.write`` told, for ``Folder.take``.
    columns : list of str, default []
        Columns of the file; empty for one without a header.
    calls : list of Call, default []
        What was sent for it.
    error : ZohoError, optional
        What went wrong, if it did: as a value, since Dask would log a raised one there.
    """

    written: dict[str, Any] = field(default_factory=dict)
    columns: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    error: ZohoError | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a worker is told that asked for the token: here it is, come again, or no."""

    number: str = ""
    sealed: bytes = b""
    again: str = ""

    def opened(self, box: Box) -> Secret:
        """Give the token, or raise what the gate of the worker makes the right thing of."""
        if self.sealed:
            return box.open(self.sealed)
        if self.again:
            raise ConnectionFailed(self.again)
        raise LoginError("Whoever began this export lends no token.")


class _OverError(Exception):
    """Nobody wants this part any more from this worker."""


# ---- There: on a worker --------------------------------------------------------------------------


class Errand:
    """One order at work on a worker: it asks for the token, and stops when nobody wants it.

    Parameters
    ----------
    order : ClusterTask
        Which.
    worker : distributed.Worker
        Where.
    """

    def __init__(self, order: ClusterTask, worker: Any) -> None:
        self._order, self._worker = order, worker
        self._answers: SimpleQueue[_Answer] = SimpleQueue()
        self._over = threading.Event()

    def ask(self, refused: str) -> Secret:
        """Ask for the token of one try, and wait for it; as ``Borrowed`` wants it."""
        box, number = Box(), token_hex(8)
        said = {"number": number, "part": self._order.part, "refused": refused, "key": box.public}
        self.check()
        self._worker.log_event(self._order.crew, said | {"worker": self._worker.address})
        while True:
            try:
                answer = self._answers.get(timeout=ANSWER_S)
            except Empty:
                raise LoginError("Whoever began this export no longer answers.") from None
            self.check()
            if answer.number == number:
                return answer.opened(box)

    def take(self, answer: _Answer) -> None:
        """Take an answer."""
        self._answers.put(answer)

    def end(self) -> None:
        """Stop, whatever is going on."""
        self._over.set()
        self._answers.put(_Answer())

    def check(self, size: int = 0) -> None:
        """Stop whoever calls this, if nobody wants the part any more."""
        del size
        if self._over.is_set():
            raise _OverError

    def run(self, gate: Gate, file: Path) -> Made:
        """Fetch and convert; a file that is no good is fetched once more."""
        try:
            return self._fetched(gate, file)
        except JobError:
            file.unlink(missing_ok=True)
            return self._fetched(gate, file)

    def _fetched(self, gate: Gate, file: Path) -> Made:
        """Fetch and convert."""
        gate.download(self._order.path, file, tick=self.check)
        written = self._order.folder.write(self._order.reader, self._batches(file))
        return Made(written, header(file))

    def _batches(self, file: Path) -> Iterator[Any]:
        """Read a file bit by bit, as long as anybody wants it."""
        for batch in self._order.reader.batches(file):
            self.check()
            yield batch


class Counter(WorkerPlugin):
    """What a worker knows of one export: the errands it is on.

    Parameters
    ----------
    crew : str
        Name of the crew, and of the events it listens to.
    """

    def __init__(self, crew: str) -> None:
        self.name = crew

    def setup(self, worker: Any) -> None:
        """Begin, on a worker."""
        self._worker = worker
        self._errands: dict[Any, Errand] = {}
        self._unwanted: set[Any] = set()

    def teardown(self, worker: Any) -> None:
        """End all errands: the export has ended."""
        del worker
        for each in list(self._errands.values()):
            each.end()

    def transition(self, key: Any, start: str, finish: str, **more: Any) -> None:
        """End an errand that was cancelled, or whose client has gone: perhaps before it begins."""
        del start, more
        if finish == "executing":
            self._unwanted.discard(key)
        elif finish in _UNWANTED and str(key).startswith(_PREFIX):
            self._unwanted.add(key)
            if key in self._errands:
                self._errands[key].end()

    @contextmanager
    def errand(self, order: ClusterTask) -> Iterator[Errand]:
        """Begin an errand; while the block lasts, answers find it."""
        errand = self._errands[order.key] = Errand(order, self._worker)
        if order.key in self._unwanted:
            errand.end()
        try:
            yield errand
        finally:
            if self._errands.get(order.key) is errand:
                del self._errands[order.key]

    def take(self, key: str, answer: _Answer) -> None:
        """Take an answer, if somebody still waits for it."""
        if key in self._errands:
            self._errands[key].take(answer)


def make(order: ClusterTask) -> Made:
    """Fetch the file of an order, convert it, and write it: the task that workers run."""
    worker = get_worker()
    counter = worker.plugins.get(order.crew)
    if not isinstance(counter, Counter):
        return Made()  # the export has ended while this waited
    with (
        counter.errand(order) as errand,
        TemporaryDirectory(prefix="zcrm-nb-", dir=worker.local_directory) as scratch,
        closing(Gate(Borrowed(errand.ask), order.addresses)) as gate,
        gate.trace() as calls,
    ):
        try:
            made = errand.run(gate, Path(scratch, "part.zip"))
        except _OverError:
            raise Reschedule from None  # heeded only if somebody wants it after all
        except ZohoError as error:
            made = Made(error=error)
    made.calls = calls
    return made


def _hand_over(crew: str, key: str, answer: _Answer, dask_worker: Any) -> None:
    """Give an answer to whoever asked on a worker; Dask runs this there."""
    counter = dask_worker.plugins.get(crew)
    if counter is not None:
        counter.take(key, answer)


def _sees(folder: Folder, name: str) -> bool:
    """Whether a worker sees a file in the target; Dask runs this there."""
    return folder.sees(name)


# ---- Here ----------------------------------------------------------------------------------------


def crew_of(client: object, gate: Gate, addresses: Callable[[], Addresses], store: Store) -> Crew:
    """Find the workers of a cluster for one export, or say why they cannot work for it."""
    if not isinstance(client, Client):
        raise TypeError(f"client= takes a dask.distributed.Client, not {type(client).__name__}.")
    if client.asynchronous:
        raise ValueError("This Dask client is for await: make one without asynchronous=True.")
    if client.status != "running":
        raise ValueError(
            f"The Dask client is {client.status}: make another, Client(…), and run it again."
        )
    if not isinstance(store, Folder):
        raise ValueError(  # noqa: TRY004 - the class is right, the target is not
            f"One process at a time writes to a DuckDB file such as {store.target}: let the "
            "workers export into a folder, and DuckDB read that, export.duckdb()."
        )
    return Crew(client, gate, addresses, store)


class Crew:
    """The workers of a cluster, at work for one export while a block lasts.

    Parameters
    ----------
    client : distributed.Client
        The way to the cluster.
    gate : Gate
        The way to Zoho: its login and limits hold for the workers as well.
    addresses : callable
        Tells Zoho's hosts as workers reach them; asked when the first order goes out.
    folder : Folder
        Where the parts are wanted.

    Attributes
    ----------
    name : str
        Unique; tasks, events and the plugin on the workers are called by it.
    at_a_time : int
        Orders that may be out: more could not be fetched in a minute.
    """

    def __init__(
        self, client: Client, gate: Gate, addresses: Callable[[], Addresses], folder: Folder
    ) -> None:
        self._client, self._gate, self._addresses = client, gate, addresses
        self._folder = folder
        self.name = f"zcrm-export-{token_hex(6)}"
        self.at_a_time = min(DOWNLOADS, max(1, gate.workers - 1))  # one is left for looking at jobs
        self._lock = threading.Lock()
        self._under_way: dict[str, ClusterTask] = {}
        self._futures: dict[str, Any] = {}
        self._loans: dict[str, list[tuple[ExitStack, Hold]]] = {}
        self._refusals: dict[str, ZohoError] = {}
        self._pool = ThreadPoolExecutor(self.at_a_time, thread_name_prefix="zcrm-lend")

    def __enter__(self) -> Crew:
        try:
            self._client.register_plugin(Counter(self.name))
        except ModuleNotFoundError as missing:
            raise _not_installed(missing) from missing
        self._client.subscribe_topic(self.name, self._asked)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            futures = list(self._futures.values())
            self._under_way.clear()
        self._pool.shutdown(wait=False, cancel_futures=True)
        for part in list(self._loans):
            self._give_back(part)
        # Where the cluster has gone nothing is left to tidy up.
        with suppress(Exception):
            self._client.cancel(futures)
            self._client.unsubscribe_topic(self.name)
            self._client.unregister_worker_plugin(self.name)

    def check_target(self) -> None:
        """Make sure that the workers see the target, before a job is requested."""
        with self._folder.probe() as name:
            told = self._client.run(_sees, self._folder, name, on_error="return")
        for missing in told.values():
            if isinstance(missing, ModuleNotFoundError):
                raise _not_installed(missing)
        blind = [worker for worker, sees in told.items() if sees is not True]
        if blind:
            raise ValueError(
                f"{len(blind)} of {len(told)} Dask workers, {blind[0]} among them, do not see "
                f"{self._folder.target}. Name a folder that they share, or an address such as s3://…"
            )

    def make(self, part: str, path: str, reader: PartReader) -> Made:
        """Let a worker make a part, and wait for it."""
        order = ClusterTask(self.name, part, path, self._addresses(), reader, self._folder)
        made = self._made(order)
        self._gate.heard(made.calls)
        if made.error is not None:
            raise self._refusals.pop(part, made.error)
        if not made.written:
            raise _gone()
        return made

    def take(self, series: int, number: int, made: Made) -> None:
        """Give a part its place, and say in the manifest that it is here."""
        try:
            self._folder.take(series, number, made.written)
        except FileNotFoundError as missing:
            raise JobError(
                f"A Dask worker wrote {made.written['file']}, which is not in "
                f"{self._folder.target} here.",
                todo="Name a folder that all of them share, or an address such as s3://…",
            ) from missing

    def _made(self, order: ClusterTask) -> Made:
        """Send an order out, and wait for what comes of it."""
        try:
            with self._lock:
                self._under_way[order.part] = order
                future = self._client.submit(make, order, key=order.key, pure=False)
                self._futures[order.part] = future
            made: Made = future.result()
        except KilledWorker as killed:
            raise _killed(order, killed) from killed
        except CancelledError as gone:
            raise _gone() from gone
        except Exception as error:
            # Dask has many words for a client that is closed meanwhile, few of them its own.
            if self._client.status == "running":
                raise
            raise _gone() from error
        finally:
            with self._lock:
                self._under_way.pop(order.part, None)
                self._futures.pop(order.part, None)
            self._give_back(order.part)
        return made

    # ---- Lending ---------------------------------------------------------------------------------

    def _asked(self, event: tuple[float, Mapping[str, Any]]) -> None:
        """Hear that a worker asks; called in Dask's own thread, which must not wait."""
        with suppress(RuntimeError):  # the pool has ended, and so has the export
            self._pool.submit(self._answer, event[1])

    def _answer(self, asked: Mapping[str, Any]) -> None:
        """Lend the token to one try of one part, or say no; why not is told here."""
        part, number = asked["part"], asked["number"]
        with self._lock:
            order = self._under_way.get(part)
        if order is None:
            return
        try:
            answer = _Answer(number, seal(self._lent(order, asked["refused"]), asked["key"]))
        except ConnectionFailed as lost:
            answer = _Answer(number, again=lost.happened)
        except ZohoError as error:
            self._refusals[part] = error
            answer = _Answer(number)
        self._client.run(
            _hand_over,
            self.name,
            order.key,
            answer,
            workers=[asked["worker"]],
            on_error="ignore",  # it died while its turn came
        )

    def _lent(self, order: ClusterTask, refused: str) -> Secret:
        """Take a turn, a place and credits for a try, and give back those of the one before."""
        self._give_back(order.part, untaken=bool(refused))
        stack = ExitStack()
        token, hold = stack.enter_context(self._gate.lend(order.path, refused=refused))
        with self._lock:
            if order.part in self._under_way:
                self._loans.setdefault(order.part, []).append((stack, hold))
                return token
        stack.close()
        raise LoginError(f"Nobody waits for {order.part} any more.")

    def _give_back(self, part: str, *, untaken: bool = False) -> None:
        """End the tries of a part that are under way; a refused token cost no credit."""
        for stack, hold in self._loans.pop(part, []):
            hold.taken = not untaken
            stack.close()


def _not_installed(missing: ModuleNotFoundError) -> ImportError:
    """Say what a worker lacks."""
    return ImportError(
        f"The Dask workers lack {missing.name}: install zcrm-nb there, in the version of here."
    )


def _killed(order: ClusterTask, killed: KilledWorker) -> JobError:
    """Say that a part kills workers."""
    return JobError(
        f"{killed.allowed_failures + 1} Dask workers died while they made {order.part}.",
        todo="Look into their logs, for memory first. What is written stays: the same crm.export "
        "goes on.",
    )


def _gone() -> JobError:
    """Say that the cluster has gone."""
    return JobError(
        "The Dask cluster has gone, or its client was closed, before all parts were here.",
        todo="What is written stays: the same crm.export goes on, with another client or without.",
    )
