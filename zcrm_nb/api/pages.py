"""Getting pages in order, several at a time."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
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


def side_by_side(fetch: Callable[[T], Page], asked: Iterable[T], workers: int) -> Iterator[Page]:
    """Fetch what is asked for, ``workers`` at a time, and yield the answers in the order asked."""
    with ThreadPoolExecutor(workers, thread_name_prefix="zcrm") as pool:
        yield from pool.map(fetch, asked)


def look_ahead(
    fetch: Callable[[int], bytes], pages: Iterable[int], workers: int
) -> Iterator[bytes]:
    """Fetch pages whose number is not known beforehand, further ahead with each one that exists.

    Nobody tells how many pages there are, and each costs a credit. So the first is fetched alone,
    and never more are under way than have been seen twice over.
    """
    numbers = iter(pages)
    seen = 0
    with ThreadPoolExecutor(workers, thread_name_prefix="zcrm") as pool:
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
                pool.shutdown(wait=False, cancel_futures=True)
                return
