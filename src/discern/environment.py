"""Reads and writes environment.json: the machine, the versions, the data and the weights of a run."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from discern.errors import OVERWRITE, RunFolderError, one_line
from discern.files import read_json, write_json
from discern.runtime import Runtime
from discern.version import __version__

RUN_FORMAT = "discern-run"

_RECORDED_PACKAGES = ("torch", "torchvision", "timm", "numpy", "pandas", "pillow", "scikit-learn")


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class RuntimeRecord(_Record):
    """Device, precision and threads, with the reasons for those that were `auto`."""

    device: str = ""
    precision: str = ""
    threads: int | None = None
    determinism: bool | None = None
    processes: int | None = None
    reasons: dict[str, str] = {}


class MachineRecord(_Record):
    """The machine, the versions of packages, and the command line."""

    python: str = ""
    platform: str = ""
    processor: str = ""
    command: tuple[str, ...] = ()
    packages: dict[str, str] = {}
    runtime: RuntimeRecord = RuntimeRecord()


class FixesRecord(_Record):
    """A file of fixes that was applied to the data, and the number of its rows by action."""

    path: str
    sha256: str = ""
    rows: dict[str, int] = {}


class DataRecord(_Record):
    """The pictures a run was made from: their absolute path and the path as given; none for those in memory.

    `root` is the folder that the paths in split.csv start from; none where they are absolute.
    """

    source: str | None = None
    source_as_given: str | None = None
    root: str | None = None
    fingerprint: str = ""
    fixes: tuple[FixesRecord, ...] = ()


class WeightsOrigin(_Record):
    """The origin of pretrained weights: a URL or a path, the file's checksum, and a note such as the licence.

    `licence` is that alone, as the Hugging Face Hub writes it; empty where it is not known.
    """

    source: str
    sha256: str = ""
    note: str = ""
    licence: str = ""


class Environment(MachineRecord):
    """The content of environment.json; `resumed` has an entry for each time that the run was resumed."""

    format: str = RUN_FORMAT
    data: DataRecord = DataRecord()
    weights: WeightsOrigin | None = None
    resumed: tuple[MachineRecord, ...] = ()


def save_environment(environment: Environment, path: Path) -> None:
    """Write environment.json."""
    write_json(path, environment.model_dump(mode="json"))


def load_environment(path: Path) -> Environment:
    """Read environment.json.

    Raises:
        RunFolderError: It is missing or damaged.
    """
    try:
        return Environment.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{'.'.join(map(str, first['loc'])) or 'all of it'}: {first['msg']}"
    except (OSError, ValueError) as error:
        reason = str(error)
    raise RunFolderError(f"{path} is damaged ({one_line(reason)}); start again with ", OVERWRITE)


def describe_machine(runtime: Runtime) -> MachineRecord:
    """Return the record of this process and its machine."""
    return MachineRecord(
        python=platform.python_version(),
        platform=platform.platform(),
        processor=platform.processor() or platform.machine(),
        command=tuple(sys.argv),
        packages=list_versions(),
        runtime=RuntimeRecord.model_validate(runtime.to_dict()),
    )


def list_versions() -> dict[str, str]:
    """Return the versions of discern and of the packages that its results depend on."""
    return {"discern": __version__} | {name: _find_version(name) for name in _RECORDED_PACKAGES}


def _find_version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
