"""Getting pages in order, several at a time."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from zcrm_nb.errors import ZohoError
from zcrm_nb.frames import info, records_of

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


def more(body: bytes, size: int | None = None) -> bool:
    """Whether more records follow this page, which was to hold ``size`` of them.

    A full page that does not say so would make a table silently short, an empty page that says so
    would make a loop without end: both are errors.
    """
    facts = info(body)
    follows = facts.get("more_records")
    if follows is None and size is not None and body and len(records_of(body)) >= size:
        raise ZohoError(
            "A full page does not say whether more records follow.",
            f"It holds {size} records and no info.more_records.",
            "Run it again, or give limit= to read fewer records.",
        )
    if follows and facts.get("count") == 0:
        raise ZohoError("An empty page says that more records follow.", "", "Run it again.")
    return follows is True or str(follows).lower() == "true"


def next_token(body: bytes, seen: set[str]) -> str:
    """Return the token of the page that follows; an error if it is missing or was used before."""
    token = info(body).get("next_page_token")
    if not isinstance(token, str) or not token or token in seen:
        fault = "the token of a page already read" if token in seen else "no token of a next page"
        raise ZohoError(
            f"Zoho says that more records follow, but sent {fault}.",
            "Reading on would repeat or lose records.",
            "Run it again; crm.coql(…) reads without page tokens.",
        )
    seen.add(token)
    return token


def numbered_pages(fetch: Callable[[int], bytes], size: int | None = None) -> Iterator[bytes]:
    """Yield pages by number until Zoho says that no more follow."""
    last = b""
    for number in count(1):
        body = fetch(number)
        _check_new(body, last)
        yield body
        if not more(body, size):
            return
        last = body


def _check_new(body: bytes, last: bytes) -> None:
    """Refuse a page that is the last one again."""
    if body and body == last:
        raise ZohoError(
            "Zoho sent the same page twice.",
            "The page number seems to be ignored; reading on would never end.",
            "Run it again; crm.coql(…) may read the same records.",
        )


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
    fetch: Callable[[int], bytes], pages: Iterable[int], workers: int, size: int | None = None
) -> Iterator[bytes]:
    """Fetch pages whose number is unknown, further ahead with each one that exists.

    Each page costs a credit, also an empty one. So the first is fetched alone, and never more are
    under way than twice the pages seen so far.
    """
    numbers = iter(pages)
    seen, last = 0, b""
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
            _check_new(body, last)
            yield body
            seen, last = seen + 1, body
            if not more(body, size):
                for future in under_way:
                    future.cancel()
                return
