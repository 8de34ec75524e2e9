"""Variables of the environment, by which trackers are set; those that the user has set count."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def setting_variables(values: Mapping[str, str]) -> Iterator[None]:
    """Set the variables that the user has not set, as long as the block runs."""
    added = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
