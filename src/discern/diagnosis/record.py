"""The diagnosis of an installation: its typed record, and its lines for people."""

from collections.abc import Iterator, Mapping

from pydantic import BaseModel, ConfigDict

from discern.errors import Extra, install_command
from discern.files import describe_bytes

_REPORT = (
    "A bug report should have: all lines above; the command, or the lines of Python, and all of its output;",
    "what you expected instead; and of a run its config.toml, plan.json and log.txt. These files name the folders of",
    "your pictures: read them first, and replace what nobody should see.",
)


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class Problem(_Record):
    """Something that needs attention, and the step to take."""

    finding: str
    next_step: str

    def describe(self) -> str:
        """Return one line for people."""
        return f"needs attention: {self.finding}; {self.next_step}"


class MachineFacts(_Record):
    """What computes; `reasons` says why device, precision and threads were chosen.

    `memory_bytes` is what is free, `shared_memory_bytes` all that processes can share; None where it is unknown.
    """

    device: str
    precision: str
    threads: int
    reasons: dict[str, str]
    cores: int
    instructions: tuple[str, ...]
    has_nvidia_gpu: bool
    torch_cuda: str | None
    memory_bytes: int | None
    shared_memory_bytes: int | None


class FolderFacts(_Record):
    """A folder for what is kept between runs, which a variable of the environment can move.

    `path` has ~ for the home of the user; `free_bytes` is free on its disk.
    """

    variable: str
    path: str
    is_writable: bool
    free_bytes: int


class Diagnosis(_Record):
    """All facts; `extras` says of each optional set of packages whether it is installed."""

    platform: str
    python: str
    packages: dict[str, str]
    machine: MachineFacts
    folders: tuple[FolderFacts, ...]
    cache_bytes: int
    cache_limit_bytes: int
    weights: tuple[str, ...]
    extras: dict[Extra, bool]
    problems: tuple[Problem, ...] = ()

    def describe(self) -> Iterator[str]:
        """Yield the lines for people; they can be copied into a bug report."""
        machine = self.machine
        yield _align("system", f"{self.platform}, Python {self.python}")
        yield _align("packages", ", ".join(f"{name} {version}" for name, version in self.packages.items()))
        yield _align("torch", f"built for {f'CUDA {machine.torch_cuda}' if machine.torch_cuda else 'CPUs'}")
        for name in ("device", "precision", "threads"):
            yield _align(name, f"{getattr(machine, name)} ({machine.reasons[name]})")
        yield _align("processor", f"{machine.cores} cores, {', '.join(machine.instructions) or 'instructions unknown'}")
        yield _align("memory", f"{_describe_free(machine.memory_bytes)}, shared {_describe_shared(machine)}")
        for folder in self.folders:
            yield _align(folder.variable, _describe_folder(folder))
        yield _align("cache", f"{self.cache_bytes / 1e9:.1f} of {self.cache_limit_bytes / 1e9:.0f} GB used")
        yield _align("weights", ", ".join(self.weights) or "none yet; they are downloaded when they are first needed")
        yield from _describe_extras(self.extras)
        yield ""
        yield from [problem.describe() for problem in self.problems] or ["All is well."]
        yield ""
        yield from _REPORT


def _describe_extras(extras: Mapping[Extra, bool]) -> Iterator[str]:
    if not extras:
        yield _align("extras", "unknown, since discern is used without being installed")
        return
    yield _align("extras", ", ".join(name for name, is_installed in extras.items() if is_installed) or "none")
    missing = [name for name, is_installed in extras.items() if not is_installed]
    if missing:
        yield _align("not installed", f"{', '.join(missing)} (such as: {install_command(missing[0])})")


def _align(name: str, text: str) -> str:
    return f"{name:<14}{text}"


def _describe_free(size_bytes: int | None) -> str:
    return "unknown" if size_bytes is None else f"{describe_bytes(size_bytes)} free"


def _describe_shared(machine: MachineFacts) -> str:
    return "unknown" if machine.shared_memory_bytes is None else describe_bytes(machine.shared_memory_bytes)


def _describe_folder(folder: FolderFacts) -> str:
    access = "writable" if folder.is_writable else "not writable"
    return f"{folder.path} ({access}, {_describe_free(folder.free_bytes)})"
