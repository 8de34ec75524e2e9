"""The processes of one job, as torchrun starts them, and what they exchange."""

import atexit
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

Value = TypeVar("Value")

_TIMEOUT = timedelta(hours=2)
"""How long a process waits for the others; the first one may have to read the labels of millions of pictures."""


@dataclass(frozen=True)
class Processes:
    """The processes of this job; one unless torchrun started more.

    `rank` counts from 0 over all machines, `local_rank` over the `local_count` processes of this machine. Values are
    exchanged over the network, without files.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    local_count: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes files and shows messages."""
        return self.rank == 0

    def wrap(self, network: nn.Module) -> nn.Module:
        """Return the network to call in training, which averages gradients over all processes."""
        return network if self.count == 1 else DistributedDataParallel(network, gradient_as_bucket_view=True)

    def unsynchronized(self, network: nn.Module) -> AbstractContextManager[None]:
        """Return a context in which gradients of the wrapped network are not exchanged."""
        if isinstance(network, DistributedDataParallel):
            context: AbstractContextManager[None] = network.no_sync()
            return context
        return nullcontext()

    def sum(self, values: Sequence[float]) -> list[float]:
        """Return the sums of each value over all processes, in double precision."""
        if self.count == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(total)
        return [float(value) for value in total]

    def gather(self, value: Value) -> list[Value]:
        """Return the values of all processes, in the order of rank."""
        if self.count == 1:
            return [value]
        values: list[Any] = [None] * self.count
        dist.all_gather_object(values, value)
        return values

    def share_buffers(self, network: nn.Module) -> None:
        """Copy the buffers (BatchNorm's statistics) of the first process to all others."""
        if self.count > 1:
            for buffer in network.buffers():
                dist.broadcast(buffer, src=0)

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """Run a block in the first process, and in the others after it.

        If the first process fails, torchrun ends the others while they wait, so its error is shown only once.
        """
        if not self.is_main:
            self.gather(None)
        yield
        if self.is_main:
            self.gather(None)


ALONE = Processes()
"""A job of one process."""


def join_processes() -> Processes:
    """Join the other processes of the job, if torchrun started some; later calls return the same."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        return ALONE
    if not dist.is_initialized():
        # NCCL exchanges tensors on GPUs, Gloo everything else.
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, timeout=_TIMEOUT)
        atexit.register(_leave)
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    return Processes(dist.get_rank(), count, local_rank, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()
