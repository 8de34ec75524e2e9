"""Registries of parts that settings name, and that users can extend."""

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import TypeVar

from discern.errors import ConfigError

Entry = TypeVar("Entry")


class Registry(Mapping[str, Entry]):
    """Entries by name, in the order in which they were registered.

    Args:
        kind: What an entry is, for messages: "backbone".
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, Entry] = {}

    def register(self, name: str) -> Callable[[Entry], Entry]:
        """Return a decorator that adds an entry under a name.

        Raises:
            ConfigError: The name is empty or taken by another entry.
        """

        def add(entry: Entry) -> Entry:
            known = self._entries.get(name)
            if not name or (known is not None and known is not entry):
                raise ConfigError(
                    f"{self.kind} {name!r} is {'registered already' if name else 'no name'}; take another"
                )
            self._entries[name] = entry
            return entry

        return add

    def find(self, name: str) -> Entry:
        """Return the entry of a name.

        Raises:
            ConfigError: There is none; the message suggests the nearest.
        """
        if name not in self._entries:
            near = get_close_matches(name, self._entries, n=3)
            hint = f"did you mean {' or '.join(near)}? " if near else ""
            raise ConfigError(f"no {self.kind} {name!r}: {hint}there are {', '.join(self._entries)}")
        return self._entries[name]

    def __getitem__(self, name: str) -> Entry:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
