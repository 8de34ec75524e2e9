"""The process that starts the others of a server, and what it does when it gets signals."""

import signal
import socket

from uvicorn import Config
from uvicorn.supervisors import Multiprocess

_ENDINGS = (signal.SIGTERM, signal.SIGINT)


class Workers(Multiprocess):
    """Replaces all processes once for all reloads that were asked for meanwhile, and none when it is to end."""

    _ended_by: int | None = None

    def __init__(self, config: Config, sockets: list[socket.socket]) -> None:
        self._earlier = {number: signal.getsignal(number) for number in _ENDINGS}
        super().__init__(config, sockets)

    def run(self) -> None:
        """Serve until a signal comes, which then ends the command as it ends any other."""
        super().run()
        for number, handler in self._earlier.items():
            signal.signal(number, handler)
        if self._ended_by is not None:
            signal.raise_signal(self._ended_by)

    def handle_signals(self) -> None:
        """Obey what came since the last time: the end first, and everything else once."""
        came = tuple(self.signal_queue)
        # Others may come at any moment, behind these.
        del self.signal_queue[: len(came)]
        endings = [one for one in came if one in _ENDINGS]
        self._ended_by = endings[0] if endings else None
        self.signal_queue[:0] = dict.fromkeys(endings or came)
        super().handle_signals()
