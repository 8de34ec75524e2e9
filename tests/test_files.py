"""Where files lie that outlive a run."""

from pathlib import Path

import pytest

from discern.files import discern_home


def test_home_is_the_environments_or_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DISCERN_HOME", str(tmp_path / "kept"))
    assert discern_home() == tmp_path / "kept"
    monkeypatch.delenv("DISCERN_HOME")
    assert discern_home() == Path.home() / ".cache" / "discern"
