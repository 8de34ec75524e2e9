from collections.abc import Iterator

import pytest

from browser import open_browser


@pytest.fixture(scope="session")
def browser() -> Iterator:
    with open_browser() as opened:
        yield opened
