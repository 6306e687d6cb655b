"""The impolite org: which kinds of trouble there are, and how they get into the responses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import orjson

from zcrm_nb.emulator.rough import answers, metadata, paging, values
from zcrm_nb.emulator.rough.chance import Chance
from zcrm_nb.emulator.rough.kinds import Kind
from zcrm_nb.emulator.serving.http import Answer, Request

KINDS: dict[str, Kind] = {**metadata.KINDS, **values.KINDS, **paging.KINDS, **answers.KINDS}
"""Every kind of trouble by its name."""


def kinds_of(rough: bool | str | Iterable[str]) -> tuple[str, ...]:
    """List the kinds that are meant: all, none, one, or some of them."""
    if isinstance(rough, bool):
        return tuple(KINDS) if rough else ()
    names = (rough,) if isinstance(rough, str) else tuple(rough)
    for name in names:
        if name not in KINDS:
            raise ValueError(f"{name!r} is not a kind of trouble; choose from: {', '.join(KINDS)}")
    return tuple(name for name in KINDS if name in names)


class Rough:
    """Stands between the network and the org, and spoils what passes."""

    def __init__(self, names: tuple[str, ...], seed: int, now: Callable[[], int]) -> None:
        self.names = names
        self._chance = Chance(seed, now)
        kinds = [KINDS[name] for name in names]
        self._instead = [kind.instead for kind in kinds if kind.instead]
        self._alter = [kind.alter for kind in kinds if kind.alter]
        if hiccups := [name for name in names if name in answers.HICCUPS]:
            self._instead.append(answers.hiccups(hiccups))
        if "contradicting_types" in names:
            self._alter.append(values.contradicted)

    def around(self, request: Request, proceed: Callable[[], Answer]) -> Answer:
        """Answer a request, in the place of the org or with what the org answers, changed."""
        for instead in self._instead:
            if answer := instead(self._chance, request):
                return answer
        return self._altered(request, proceed())

    def _altered(self, request: Request, answer: Answer) -> Answer:
        """Change a JSON response; any other stays."""
        if not self._alter or answer.status >= 400 or not answer.body.startswith(b"{"):
            return answer
        payload = orjson.loads(answer.body)
        for alter in self._alter:
            alter(self._chance, request, payload)
        return replace(answer, body=values.finished(orjson.dumps(payload)))
