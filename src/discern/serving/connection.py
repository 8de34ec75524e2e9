"""Connections that a leaving server lets speak first."""

from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE_SECONDS = 2


class PatientConnection(H11Protocol):
    """A connection whose first request is still awaited when the server is told to stop.

    A client that has just connected cannot know that the server leaves. Closed at once, it would see a disconnection in
    place of an answer; where processes reload one after the other, another could have answered it.
    """

    def shutdown(self) -> None:
        """Close when nothing is being answered, or after the answer; give a first request time to arrive."""
        if self.cycle is None:
            self.loop.call_later(PATIENCE_SECONDS, self._shut_down_unless_closed)
        else:
            super().shutdown()

    def _shut_down_unless_closed(self) -> None:
        if not self.transport.is_closing():
            super().shutdown()
