"""The notebooks run as they stand, and are committed with their output."""

import pytest
from examples.run_notebooks import NOTEBOOKS, run_notebook

LARGEST_BYTES = 400_000


@pytest.fixture(params=sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.mark.slow
def test_a_notebook_runs_from_a_clean_state(path, tmp_path):
    for cell in run_notebook(path, tmp_path).cells:
        for output in cell.get("outputs", ()):
            assert output.get("name") != "stderr", (cell.source, output.text)
            # What fails while a value is shown does not stop the notebook.
            assert output.output_type != "error", (cell.source, output.evalue)


def test_a_notebook_is_committed_with_its_output(path):
    import nbformat

    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), "run: make notebooks"
    assert any(cell.outputs for cell in cells), "run: make notebooks"
    assert path.stat().st_size < LARGEST_BYTES
