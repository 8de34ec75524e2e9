"""The classifiers that are being served, and how they are replaced while requests come in."""

import asyncio
import gc
from concurrent.futures import ThreadPoolExecutor

from discern.allocation import return_freed_memory
from discern.errors import cut, name_some
from discern.predictor.predictor import Predictor
from discern.serving.limits import Limits
from discern.serving.metrics import Metrics
from discern.serving.refusals import NOT_FOUND, OVERLOADED, Refusal
from discern.serving.served_model import Folders, LoadPredictor, ServedModel, open_model, warm_up
from discern.serving.uploads import MAX_NAME


class Models:
    """Classifiers by name; the first is the default.

    Networks are computed in a single thread, so that one batch has all cores.
    """

    def __init__(self, folders: Folders, load_predictor: LoadPredictor, limits: Limits, metrics: Metrics) -> None:
        self.folders = dict(folders)
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="network")
        self._load_predictor = load_predictor
        self._limits = limits
        self._metrics = metrics
        self._open: dict[str, ServedModel] = {}
        self._one_reload = asyncio.Lock()

    @property
    def is_ready(self) -> bool:
        """Whether all are loaded."""
        return len(self._open) == len(self.folders)

    @property
    def waiting(self) -> int:
        """How many pictures were accepted and are not answered yet."""
        return sum(model.batcher.admitted for model in self._open.values())

    def list_all(self) -> list[ServedModel]:
        """Return all, the default first."""
        return list(self._open.values())

    def find(self, name: str | None) -> ServedModel:
        """Return the classifier of this name, or the default one.

        Raises:
            Refusal: There is none, or none yet.
        """
        if not self.is_ready:
            raise Refusal(OVERLOADED, "the classifier is still being loaded", {"Retry-After": "1"})
        wanted = next(iter(self._open)) if name is None else name
        if wanted not in self._open:
            raise Refusal(
                NOT_FOUND, f"there is no model {cut(wanted, MAX_NAME)!r}; there are {name_some(list(self._open))}"
            )
        return self._open[wanted]

    async def load(self) -> list[ServedModel]:
        """Load all from disk beside those in use, and only then replace them.

        Requests that have begun are answered by the old ones.

        Raises:
            BundleError: One cannot be loaded; then all stay as they were.
        """
        async with self._one_reload:
            predictors = [await self._load(name) for name in self.folders]
            new = {
                name: open_model(name, predictor, self.thread, self._limits, self._metrics.batch_sizes.observe)
                for name, predictor in zip(self.folders, predictors, strict=True)
            }
            old, self._open = self._open, new
            await _close(old)
            del predictors
            # The graph of a prepared network refers to itself, so without this its memory stays for many reloads.
            gc.collect()
            return_freed_memory()
        return self.list_all()

    async def close(self) -> None:
        """Answer what was accepted, and end."""
        await _close(self._open)
        self.thread.shutdown()

    async def _load(self, name: str) -> Predictor:
        """Read a classifier outside the network's thread, and warm it up inside, where nothing else computes."""
        predictor = await asyncio.to_thread(self._load_predictor, self.folders[name])
        return await asyncio.get_running_loop().run_in_executor(self.thread, warm_up, predictor)


async def _close(models: dict[str, ServedModel]) -> None:
    """Wait until they have answered what they accepted, and let go of them."""
    await asyncio.gather(*(model.batcher.close() for model in models.values()))
    models.clear()
