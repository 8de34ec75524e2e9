"""Every code block of README and documentation works, page by page, in a folder that has the files it names.

Python is run, one namespace a page. Of the shell, `discern` commands are run; those that take long are parsed and their
settings checked (LONG in conftest.py). TOML is loaded as a recipe, or as a search space. A tutorial is run as a whole:
it begins in an empty folder, and its trainings and exports take place.
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
from discern.tracking.tracker import TRACKERS
from discern.tuning.space import load_space

PAGES = [page for page in list_pages() if list_blocks(page)]
REGISTRIES = (AUGMENTATIONS, BACKBONES, EXPLANATIONS, EXPORT_FORMATS, HEADS, OPTIMIZERS, SCHEDULES, TRACKERS)
MADE = {
    "use_from_python.md": ("curves.png", "runs/own/explanations", "runs/own/export/own.onnx", "audited/audit.html"),
}
"""Files that the blocks of a page write."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_blocks_run_one_after_another(page, page_folder, quick_trainings, check_long_calls, monkeypatch, capsys):
    for registry in REGISTRIES:
        monkeypatch.setattr(registry, "_entries", dict(registry))
    namespace = {"__name__": "__main__"}
    for block in list_blocks(page):
        if block.language == "python":
            # Errors then name the line of the page.
            exec(compile("\n" * block.line + block.code, str(page), "exec"), namespace)
        elif block.language == "toml":
            load_toml(block.code)
        else:
            with monkeypatch.context() as patch:
                check_long_calls(patch)
                for command in list_commands(block):
                    run_command(command, patch, capsys)
    assert [name for name in MADE.get(page.name, ()) if not (page_folder / name).exists()] == []


def load_toml(code):
    Path("block.toml").write_text(code)
    if "space" in tomllib.loads(code):
        load_space(Path("block.toml"))
    else:
        load_settings("block.toml")


def run_command(command, patch, capsys):
    patch.setattr(sys, "argv", ["discern", *command.arguments])
    with pytest.raises(SystemExit) as end:
        sys.exit(main())
    printed = capsys.readouterr()
    # 1 says that something was found; 2 is an error.
    assert end.value.code in (None, 0, 1), f"discern {' '.join(command.arguments)}: {printed.err}"
    if command.output is not None:
        Path(command.output).write_text(printed.out)
