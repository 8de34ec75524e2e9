"""What is said where the package that reads a kind of file is missing."""

import sys
from pathlib import Path

import pytest

from discern.data.sources.inputs import load_inputs
from discern.data.sources.load import load_table
from discern.errors import DataError


@pytest.mark.parametrize(
    ("name", "package"),
    [("a.parquet", "pyarrow"), ("a.arrow", "pyarrow"), ("a.xlsx", "openpyxl"), ("a.tar.zst", "pyarrow")],
)
def test_a_missing_package_is_named(name: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCERN_HOME", str(tmp_path / "home"))
    monkeypatch.setitem(sys.modules, package, None)
    for module in [module for module in sys.modules if module.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, module)
    (tmp_path / name).write_bytes(b"x")
    for load in (load_table, load_inputs):
        with pytest.raises(DataError, match=rf"package {package}.*: pip install 'discern-vision\[tables\]'$"):
            load(tmp_path / name)
