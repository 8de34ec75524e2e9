"""The site builds without a warning, so that no link leads nowhere, and its pages need nothing from other hosts."""

import re
import subprocess
import sys

import pytest

import discern
from code_blocks import ROOT, list_pages
from discern.config.describe import flatten_settings
from discern.config.load import load_settings
from discern.recipes import list_recipe_names

_LOADED = re.compile(r"<(?:link|script|img|iframe|source|video|audio)\b[^>]*?\b(?:src|href)=\"([^\"]+)\"")
_LINK = re.compile(r"\]\(([^)\s#]+)[^)\s]*\)")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet"]
    done = subprocess.run(
        [*command, "-d", str(out / "read"), "docs", str(out / "html")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return out / "html"


def test_every_page_is_built_and_loads_nothing_from_other_hosts(site):
    built = {path.relative_to(site).with_suffix(".md") for path in site.rglob("*.html")}
    docs = ROOT / "docs"
    assert {page.relative_to(docs) for page in list_pages() if docs in page.parents} <= built
    for path in site.rglob("*.html"):
        foreign = [address for address in _LOADED.findall(path.read_text()) if re.match(r"(https?:)?//", address)]
        assert not foreign, f"{path}: {foreign}"


@pytest.mark.parametrize("page", list_pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_no_line_of_a_page_is_taken_for_a_comment(page):
    lines = page.read_text().splitlines()
    assert [line for line in lines if line.lstrip().startswith("%")] == []


def test_the_reference_has_every_name_setting_and_recipe(site):
    python = (site / "reference" / "python.html").read_text()
    public = [name for name in discern.__all__ if name != "__version__"]
    assert [name for name in public if f'id="discern.{name}"' not in python] == []
    settings = (site / "reference" / "settings.html").read_text()
    names = {re.sub(r"\.phases\.\d+\.", ".phases.NAME.", name) for name in flatten_settings(load_settings().to_dict())}
    assert [name for name in names if not name.startswith("recipe.") and f">{name}<" not in settings] == []
    recipes = (site / "reference" / "recipes.html").read_text()
    assert [name for name in list_recipe_names() if f'id="{name}"' not in recipes] == []
    commands = (site / "reference" / "command_line.html").read_text()
    assert all(f'id="discern-{name}"' in commands for name in ("train", "predict", "recipes-show", "cache-clear"))


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_links_to_files_lead_to_files(name):
    addresses = _LINK.findall((ROOT / name).read_text())
    assert addresses
    assert [address for address in addresses if "://" not in address and not (ROOT / address).is_file()] == []


def test_the_numbers_of_the_readme_are_those_of_the_research_note():
    results = re.findall(r"(0\.\d{3} \[[^]]+\]), (\d+) s", (ROOT / "README.md").read_text())
    note = (ROOT / "docs" / "research" / "auto.md").read_text()
    assert len(results) == 8
    assert [pair for pair in results if f"{pair[0]} | {pair[1]} |" not in note] == []
