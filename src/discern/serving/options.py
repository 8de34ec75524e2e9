"""What a server is started with, as it travels to its worker processes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from discern.errors import ConfigError
from discern.hub import is_hub_address, read_hub_address


@dataclass(frozen=True)
class ServeOptions:
    """How a server is run; see `discern.serve`. `folders` are run folders or bundles by name, the default first."""

    folders: Mapping[str, str]
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    allowed_hosts: Sequence[str] = ()
    shows_pictures: bool = True
    device: str = "auto"
    token: str | None = None
    allowed_origins: Sequence[str] = ()

    def to_json(self) -> str:
        """Return what `from_json` reads in another process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "ServeOptions":
        """Read what `to_json` wrote."""
        content: dict[str, Any] = json.loads(text)
        return cls(**content)


def name_runs(runs: Sequence[str | Path]) -> dict[str, str]:
    """Return the folders by the names under which they are served: `NAME=FOLDER`, or the name of the folder.

    A repository on the Hub has its name there.

    Raises:
        ConfigError: Two have the same name.
    """
    named: dict[str, str] = {}
    for run in map(str, runs):
        name, separator, folder = run.partition("=")
        if is_hub_address(run):
            name, folder = read_hub_address(run).repository.rpartition("/")[2], run
        elif not separator or Path(run).exists():
            whole = Path(run).resolve()
            name, folder = (whole.parent if whole.name == "bundle" else whole).name, run
        if name in named:
            raise ConfigError(f"two of the runs are called {name!r}; give them names: one={named[name]} other={folder}")
        named[name] = folder
    return named
