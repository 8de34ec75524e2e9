"""One step of discern on a set of pictures, measured in a process of its own: python -m benchmarks.scale.steps STEP."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from discern.data.duplicates.fingerprints import Fingerprints
    from discern.data.table import ImageTable

Job = Callable[[], object]
"""What is timed; all that it needs is imported and loaded before."""


class Place(NamedTuple):
    """The pictures, a folder to work in, and settings of the network for `discern train`."""

    pictures: Path
    work: Path
    network: list[str]

    @property
    def run(self) -> Path:
        """The run that the step `transfer` leaves to those after it."""
        return self.work / "run"


def _list_files(place: Place) -> Job:
    from discern.data.sources.load import load_table

    return lambda: load_table(place.pictures)


def _check_headers(place: Place) -> Job:
    from discern.data.reading.preflight import check_images

    table = _load(place)
    return lambda: check_images(table)


def _compute_fingerprints(place: Place) -> Job:
    table = _load(place)
    return lambda: _fingerprint(place, table)


def _find_duplicates(place: Place) -> Job:
    from discern.data.duplicates.matching import find_duplicates

    fingerprints = _fingerprint(place, _load(place))
    return lambda: find_duplicates(fingerprints)


def _split(place: Place) -> Job:
    from discern.data.splitting.split import split_table

    table = _load(place)
    return lambda: split_table(table, fractions=(0.7, 0.15, 0.15), seed=0)


def _compute_features(place: Place) -> Job:
    from discern.config.load import load_settings
    from discern.data.reading.decode import MAX_PIXELS
    from discern.data.reading.preprocess import Preprocess
    from discern.engine.frozen_features import compute_frozen_features
    from discern.models.backbone import build_backbone
    from discern.runtime import choose_runtime

    settings = load_settings("transfer", place.network)
    backbone, table, runtime = build_backbone(settings.model.backbone), _load(place), choose_runtime()
    preprocess = Preprocess(int(settings.data.image_size), "crop", (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    return lambda: compute_frozen_features(
        backbone, table, preprocess, runtime, None, max_pixels=MAX_PIXELS, memory_bytes=2**34
    )


def _train(place: Place) -> Job:
    more = ["--recipe", "transfer", "--out", str(place.run), "--overwrite", *place.network]
    return lambda: _call("train", str(place.pictures), *more)


def _predict(place: Place) -> Job:
    return lambda: _call("predict", str(place.run), str(place.pictures), "--out", str(place.work / "answers.csv"))


def _report(place: Place) -> Job:
    return lambda: _call("report", str(place.run))


STEPS: dict[str, Callable[[Place], Job]] = {
    "listing": _list_files,
    "pre-flight": _check_headers,
    "fingerprints": _compute_fingerprints,
    "duplicates": _find_duplicates,
    "split": _split,
    "features": _compute_features,
    "transfer": _train,
    "predict": _predict,
    "report": _report,
}


def _load(place: Place) -> "ImageTable":
    from discern.data.sources.load import load_table

    return load_table(place.pictures)


def _fingerprint(place: Place, table: "ImageTable") -> "Fingerprints":
    from discern.data.cache.array_cache import ArrayCache
    from discern.data.duplicates.fingerprints import compute_fingerprints

    return compute_fingerprints(table, ArrayCache(place.work / "fingerprints", limit_bytes=2**34))


def _call(*words: str) -> None:
    done = subprocess.run(  # noqa: S603 - commands of our own
        [sys.executable, "-m", "discern", *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"discern {' '.join(words)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def _count_cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _read_peak_bytes() -> int:
    """Return the largest memory so far, of this process or one of its children."""
    return 1024 * max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def main() -> None:
    """Do the step that is named, and print what it took as JSON."""
    step, pictures, work, *network = sys.argv[1:]
    job = STEPS[step](Place(Path(pictures), Path(work), network))
    started, used = time.perf_counter(), _count_cpu_seconds()
    job()
    print(
        json.dumps(
            {
                "seconds": time.perf_counter() - started,
                "cpu_seconds": _count_cpu_seconds() - used,
                "peak_bytes": _read_peak_bytes(),
            }
        )
    )


if __name__ == "__main__":
    main()
