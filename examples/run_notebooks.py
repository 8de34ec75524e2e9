"""Runs the notebooks from a clean state and writes them with their new output: `make notebooks`."""

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parent / "notebooks"
_SECONDS_PER_CELL = 600


def run_notebook(path: Path, folder: Path) -> nbformat.NotebookNode:
    """Return a notebook as its run in `folder` leaves it, without internet and with nothing kept from earlier runs.

    Raises:
        CellExecutionError: A cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=_SECONDS_PER_CELL,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        # The time of each cell would change with every run.
        record_timing=False,
    )
    home, temporary = folder / "home", folder / "temporary"
    temporary.mkdir()
    client.execute(env={**os.environ, "DISCERN_HOME": str(home), "TMPDIR": str(temporary), "HF_HUB_OFFLINE": "1"})
    # The version of Python that ran it would change, too.
    notebook.metadata = nbformat.from_dict({"kernelspec": notebook.metadata.kernelspec})
    return notebook


def main() -> None:
    """Run the notebooks that are named, or all of them."""
    for path in [NOTEBOOKS / name for name in sys.argv[1:]] or sorted(NOTEBOOKS.glob("*.ipynb")):
        print(path.name)
        with tempfile.TemporaryDirectory() as folder:
            nbformat.write(run_notebook(path, Path(folder)), path)


if __name__ == "__main__":
    main()
