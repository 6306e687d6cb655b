"""Getting pages in order, several at a time."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import orjson

from zcrm_nb.frames import info

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

V8 = "/crm/v8/"

T = TypeVar("T")
Page = TypeVar("Page")


class Send(Protocol):
    """What a page generator needs of the wire: :meth:`zcrm_nb.wire.gate.Gate.send`, or a function.

    It returns the body of the answer (empty on HTTP 204 and 304) or raises.
    """

    def __call__(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        files: Sequence[Any] | None = None,
        headers: Mapping[str, str] | None = None,
        safe: bool | None = None,
        host: str = "api",
    ) -> bytes:
        """Send one call."""
        ...


def at(path: str) -> str:
    """Return the address behind a short path; one that begins with a slash is whole already."""
    return path if path.startswith("/") else V8 + path


def records_of(body: bytes) -> list[dict[str, Any]]:
    """Return the records of one answer; none where Zoho answered with an empty body."""
    records: list[dict[str, Any]] = orjson.loads(body)["data"] if body else []
    return records


def more(body: bytes) -> bool:
    """Tell whether Zoho says that more records follow."""
    return bool(info(body).get("more_records"))


@contextmanager
def worker_pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Open a pool of threads; when its work fails or is stopped, no further call begins.

    After an error, calls under way are waited for. After KeyboardInterrupt they are not: they end
    in the background, and the stop button works at once.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="zcrm")
    try:
        yield pool
    except Exception:
        pool.shutdown(cancel_futures=True)
        raise
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def side_by_side(fetch: Callable[[T], Page], items: Iterable[T], workers: int) -> Iterator[Page]:
    """Fetch items, ``workers`` at a time, and yield the results in order.

    Calls never run far ahead of the reader: a reader that stops has paid for few of them in vain.
    """
    with worker_pool(workers) as pool:
        under_way: deque[Future[Page]] = deque()
        for item in items:
            if len(under_way) == 2 * workers:
                yield under_way.popleft().result()
            under_way.append(pool.submit(fetch, item))
        while under_way:
            yield under_way.popleft().result()


def look_ahead(
    fetch: Callable[[int], bytes], pages: Iterable[int], workers: int
) -> Iterator[bytes]:
    """Fetch pages whose number is unknown, further ahead with each one that exists.

    Each page costs a credit, also an empty one. So the first is fetched alone, and never more are
    under way than twice the pages seen so far.
    """
    numbers = iter(pages)
    seen = 0
    with worker_pool(workers) as pool:
        under_way: deque[Future[bytes]] = deque()
        while True:
            while len(under_way) < min(workers, max(1, 2 * seen)):
                if (number := next(numbers, None)) is None:
                    break
                under_way.append(pool.submit(fetch, number))
            if not under_way:
                return
            body = under_way.popleft().result()
            yield body
            seen += 1
            if not more(body):
                for future in under_way:
                    future.cancel()
                return
