"""Every code block of README and documentation works, in a folder that has the files it names.

Python is run, one namespace a page. Of the shell, `discern` commands are run; those that take long are parsed and their
settings checked (LONG in conftest.py). TOML is loaded as a recipe, or as a search space.
"""

import sys
import tomllib
from pathlib import Path

import pytest

from code_blocks import ROOT, list_blocks, list_commands, list_pages
from discern.cli.app import main
from discern.config.load import load_settings
from discern.data.reading.augment import AUGMENTATIONS
from discern.engine.optimizers import OPTIMIZERS
from discern.engine.schedules import SCHEDULES
from discern.explanation.methods import EXPLANATIONS
from discern.exporting.formats import EXPORT_FORMATS
from discern.models.backbone import BACKBONES
from discern.models.heads import HEADS
from discern.tuning.space import load_space

REGISTRIES = (AUGMENTATIONS, BACKBONES, EXPLANATIONS, EXPORT_FORMATS, HEADS, OPTIMIZERS, SCHEDULES)

MADE = {
    "use_from_python.md": ("curves.png", "runs/own/explanations", "runs/own/export/own.onnx", "audited/audit.html"),
}
"""Files that the Python of a page writes."""


def over_pages(list_parts):
    pages = [page for page in list_pages() if list_parts(page)]
    return pytest.mark.parametrize("page", pages, ids=lambda page: str(page.relative_to(ROOT)))


@over_pages(lambda page: list_blocks(page, "python"))
def test_python_runs(page, page_folder, quick_trainings, monkeypatch):
    for registry in REGISTRIES:
        monkeypatch.setattr(registry, "_entries", dict(registry))
    namespace = {"__name__": "__main__"}
    for block in list_blocks(page, "python"):
        # Errors then name the line of the page.
        exec(compile("\n" * block.line + block.code, str(page), "exec"), namespace)
    assert [name for name in MADE.get(page.name, ()) if not (page_folder / name).exists()] == []


@over_pages(list_commands)
def test_commands_run(page, page_folder, checked_calls, monkeypatch, capsys):
    for arguments, output in list_commands(page):
        monkeypatch.setattr(sys, "argv", ["discern", *arguments])
        with pytest.raises(SystemExit) as end:
            sys.exit(main())
        printed = capsys.readouterr()
        # 1 says that something was found; 2 is an error.
        assert end.value.code in (None, 0, 1), f"discern {' '.join(arguments)}: {printed.err}"
        if output is not None:
            Path(output).write_text(printed.out)


@over_pages(lambda page: list_blocks(page, "toml"))
def test_toml_is_a_recipe_or_a_search_space(page, tmp_path):
    for number, block in enumerate(list_blocks(page, "toml")):
        file = tmp_path / f"{number}.toml"
        file.write_text(block.code)
        if "space" in tomllib.loads(block.code):
            load_space(file)
        else:
            load_settings(file)
