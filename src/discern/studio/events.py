"""Server-sent events: the tasks, again whenever something about them has changed.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator

from discern.studio.studio import Studio

_POLL_SECONDS = 0.4
_MAX_SECONDS = 45.0
"""A stream ends before the guard would cut it off; the page asks for the next one."""


async def stream_tasks(studio: Studio) -> AsyncIterator[str]:
    """Yield the tasks as events for some time."""
    last, ends = None, time.monotonic() + _MAX_SECONDS
    while time.monotonic() < ends and not studio.is_closing():
        content = json.dumps(await asyncio.to_thread(studio.tasks.describe))
        if content != last:
            yield f"data: {content}\n\n"
            last = content
        await asyncio.sleep(_POLL_SECONDS)
