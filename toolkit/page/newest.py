"""The newest order of each visitor, so that work on an older one ends. Orders come from the browser: anything may."""

from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock

VISITORS = 1000  # how many are remembered; the longest silent are forgotten first


class Newest:
    """Which of a visitor's orders is the newest. An order has a "visitor" and a "ticket", a number that rises."""

    def __init__(self) -> None:
        self._tickets: OrderedDict[str, int] = OrderedDict()
        self._lock = Lock()

    def note(self, order: object) -> None:
        """There is an order: those before it of the same visitor are not the newest any more."""
        visitor, ticket = _of(order)
        with self._lock:
            self._tickets[visitor] = max(ticket, self._tickets.pop(visitor, 0))
            while len(self._tickets) > VISITORS:
                self._tickets.popitem(last=False)

    def overtaken(self, order: object) -> bool:
        """Whether there is a newer one of the same visitor."""
        visitor, ticket = _of(order)
        return ticket < self._tickets.get(visitor, ticket)


def _of(order: object) -> tuple[str, int]:
    said = order if isinstance(order, Mapping) else {}
    ticket = said.get("ticket")
    return str(said.get("visitor"))[:40], ticket if type(ticket) is int and abs(ticket) < 2**53 else 0
