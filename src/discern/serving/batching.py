"""Pictures of many requests through the network together."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Generic, NamedTuple, TypeVar

from torch import Tensor

from discern.serving.limits import Limits
from discern.serving.refusals import refuse_overload

Output = TypeVar("Output")


class _Waiting(NamedTuple, Generic[Output]):
    """A picture, and the future of its output."""

    image: Tensor
    output: "asyncio.Future[Output]"


class Batcher(Generic[Output]):
    """Gathers pictures that are ready at about the same time, and computes them at once.

    A picture waits only while others are on their way: a single one is computed at once. While a batch is computed the
    next one gathers. All but `compute`, which is called in `thread`, happens in the event loop.

    Args:
        compute: Gives the outputs of uint8 images (3, S, S), in their order.
        thread: Has a single thread, so that one batch is computed at a time.
        limits: Of a batch, and of all pictures that wait.
        observe_size: Is called with the size of each batch.
    """

    def __init__(
        self,
        compute: Callable[[list[Tensor]], Sequence[Output]],
        thread: Executor,
        limits: Limits,
        observe_size: Callable[[int], None],
    ) -> None:
        self._compute = compute
        self._thread = thread
        self._limits = limits
        self._observe_size = observe_size
        self._queue: asyncio.Queue[_Waiting[Output]] = asyncio.Queue()
        self._task = asyncio.create_task(self._run())
        self._coming = 0
        self.admitted = 0

    @contextmanager
    def admitting(self, count: int) -> Iterator[None]:
        """Accept `count` pictures, which are then given to `compute` one by one.

        Raises:
            Refusal: Too many are waiting already.
        """
        if self.admitted + count > self._limits.max_waiting:
            raise refuse_overload(f"{self.admitted} pictures are waiting already")
        self.admitted += count
        try:
            yield
        finally:
            self.admitted -= count

    @contextmanager
    def preparing(self) -> Iterator[None]:
        """Announce that a picture is on its way, so that others wait for it."""
        self._coming += 1
        try:
            yield
        finally:
            self._coming -= 1

    async def compute(self, image: Tensor) -> Output:
        """Return the output of one image; after a cancellation it is not computed."""
        output: asyncio.Future[Output] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait(_Waiting(image, output))
        return await output

    async def close(self) -> None:
        """Finish what was accepted, and end."""
        while self.admitted:
            await asyncio.sleep(0.01)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            gathered = await self._gather()
            batch = [waiting for waiting in gathered if not waiting.output.done()]
            if not batch:
                continue
            self._observe_size(len(batch))
            images = [waiting.image for waiting in batch]
            try:
                outputs = await loop.run_in_executor(self._thread, self._compute, images)
            except Exception as error:  # noqa: BLE001 - any error goes to those who wait, and the next batch is served
                for waiting in batch:
                    if not waiting.output.done():
                        waiting.output.set_exception(error)
                continue
            for waiting, output in zip(batch, outputs, strict=True):
                if not waiting.output.done():
                    waiting.output.set_result(output)

    async def _gather(self) -> list[_Waiting[Output]]:
        """Wait for a picture, and then for others, as long as some are on their way and it is worth it."""
        batch = [await self._queue.get()]
        deadline = asyncio.get_running_loop().time() + self._limits.batch_wait_seconds
        while len(batch) < self._limits.batch_pictures:
            if not self._queue.empty():
                batch.append(self._queue.get_nowait())
            elif not self._coming:
                break
            else:
                try:
                    async with asyncio.timeout_at(deadline):
                        batch.append(await self._queue.get())
                except TimeoutError:
                    break
        return batch
