"""The process that starts the others of a server, and what it does when it gets signals."""

import signal

from uvicorn.supervisors import Multiprocess

_ENDINGS = (signal.SIGTERM, signal.SIGINT)


class Workers(Multiprocess):
    """Replaces all processes once for all reloads that were asked for meanwhile, and none when it is to end."""

    def handle_signals(self) -> None:
        """Obey what came since the last time: the end first, and everything else once."""
        came = tuple(self.signal_queue)
        # Others may come at any moment, behind these.
        del self.signal_queue[: len(came)]
        endings = [one for one in came if one in _ENDINGS]
        self.signal_queue[:0] = dict.fromkeys(endings or came)
        super().handle_signals()
