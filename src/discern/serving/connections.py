"""Connections that cannot be held open for nothing: time limits for slow clients, and room for new ones."""

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

from discern.serving.limits import Limits

_GRACE_SECONDS = 5.0


class LimitedConnection(H11Protocol):
    """One connection to a client, which is cut when the client takes too long.

    A connection is busy from the end of a request's headers to the end of its answer. One that is not busy has
    `head_seconds` to send the next headers, however many bytes it sends, or to take the rest of the answer. Where there
    are more than `max_connections`, the one that has been idle longest makes room for the new one.
    """

    limits: ClassVar[Limits] = Limits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._timer: asyncio.TimerHandle | None = None
        self._watched: object = None
        self._idle_since = 0.0

    @property
    def is_busy(self) -> bool:
        """Whether a request has begun that is not answered yet."""
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._watch()
        self._make_room()

    def data_received(self, data: bytes) -> None:
        """Take what came, which may begin a request."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()

    def shutdown(self) -> None:
        """Let a request that has begun be answered, and close all other connections at once."""
        if self.is_busy:
            super().shutdown()
        else:
            self.transport.close()

    def _watch(self) -> None:
        """Set the timer when a request begins and when it is answered; bytes alone never give more time."""
        now_watched = (self.cycle, self.is_busy)
        if self._timer is not None and now_watched == self._watched:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._watched, self._idle_since = now_watched, self.loop.time()
        takes_answer = self.is_busy or self.transport.get_write_buffer_size() > 0
        # The guard ends a request after `request_seconds`; this is for clients that do not read the answer.
        seconds = self.limits.request_seconds + _GRACE_SECONDS if takes_answer else self.limits.head_seconds
        self._timer = self.loop.call_later(seconds, self.transport.abort)

    def _make_room(self) -> None:
        if len(self.connections) <= self.limits.max_connections:
            return
        others = (one for one in self.connections if isinstance(one, LimitedConnection) and one is not self)
        idle = [one for one in others if not one.is_busy]
        if idle:
            longest = min(idle, key=lambda one: one._idle_since)
            self.connections.discard(longest)
            longest.transport.abort()
