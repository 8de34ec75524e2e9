"""What the page may ask for: each wish becomes one command, as a person would type it in the folder."""

import shlex
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from discern.files import find_free_folder
from discern.recipes import list_recipe_names
from discern.run_folder import name_source
from discern.studio.places import Places
from discern.studio.typed_settings import read_settings


class Command(NamedTuple):
    """A command: its words after `discern`, the place that it writes or shows, and whether it serves a page."""

    words: tuple[str, ...]
    place: str
    is_page: bool = False

    def describe(self) -> str:
        """Return it as one types it."""
        return shlex.join(["discern", *self.words])


class _Wish(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, str_max_length=4000)


class _NetworkWish(_Wish):
    """With a network: `weights` is a file or none, and an empty text leaves a choice to the command."""

    weights: str = ""
    backbone: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]*$")] = ""

    def list_network_settings(self, places: Places) -> list[str]:
        """Return the settings that name the network."""
        weights = self.weights if self.weights in ("", "none") else places.name(places.find(self.weights))
        named = {"model.weights": weights, "model.backbone": self.backbone}
        return [f"{name}={value}" for name, value in named.items() if value]


class Train(_NetworkWish):
    """To train on a source."""

    command: Literal["train"]
    source: str
    recipe: str = "auto"
    budget: str = ""
    name: str = ""
    fixes: tuple[str, ...] = ()
    settings: str = ""

    def build(self, places: Places) -> Command:
        """Return the command, which writes to a new folder in runs/."""
        source = places.find(self.source)
        out = places.name(_find_free(places, "runs", self.name or name_source(source) or "run"))
        settings = [*self.list_network_settings(places), *read_settings(self.settings, places)]
        words = ["train", places.name(source), *settings, "--out", out]
        if self.recipe != "auto":
            words += ["--recipe", _check_recipe(self.recipe, places)]
        if self.budget:
            words += ["--budget", self.budget]
        for file in self.fixes:
            words += ["--apply", places.name(places.find(file))]
        return Command(tuple(words), out)


class Resume(_Wish):
    """To go on with a run that was interrupted."""

    command: Literal["resume"]
    run: str

    def build(self, places: Places) -> Command:
        """Return the command."""
        run = places.name(places.find(self.run))
        return Command(("train", "--resume", "--out", run), run)


class AuditData(_NetworkWish):
    """To look for problems in a source."""

    command: Literal["audit"]
    source: str
    quick: bool = False

    def build(self, places: Places) -> Command:
        """Return the command, which writes to a new folder in runs/."""
        source = places.find(self.source)
        out = places.name(_find_free(places, "runs", f"{name_source(source) or 'data'}-audit"))
        more = ["--quick"] if self.quick else self.list_network_settings(places)
        return Command(("audit", places.name(source), *more, "--out", out), out)


class Label(_NetworkWish):
    """To label pictures, or to go on with that."""

    command: Literal["label"]
    source: str
    classes: str = ""
    goal: str = ""

    def build(self, places: Places) -> Command:
        """Return the command, which writes to a folder in labels/ that belongs to the source."""
        source = places.find(self.source)
        out = places.name(places.find_new(f"labels/{name_source(source) or 'pictures'}"))
        given = {"--classes": self.classes, "--goal": self.goal}
        words = ["label", places.name(source), *self.list_network_settings(places)]
        words += [word for option, value in given.items() if value for word in (option, value)]
        return Command((*words, "--out", out, "--port", "0"), out, is_page=True)


class OpenRun(_Wish):
    """To decide about suspected pictures of an audit or a run, or to try a classifier."""

    command: Literal["review", "serve"]
    run: str

    def build(self, places: Places) -> Command:
        """Return the command."""
        run = places.name(places.find(self.run))
        return Command((self.command, run, "--port", "0"), run, is_page=True)


class Diff(_Wish):
    """To compare two runs on the same pictures."""

    command: Literal["diff"]
    first: str
    second: str

    def build(self, places: Places) -> Command:
        """Return the command, which writes to a new folder in comparisons/."""
        first, second = (places.find(run) for run in (self.first, self.second))
        out = places.name(_find_free(places, "comparisons", f"{first.name}-and-{second.name}"))
        return Command(("diff", places.name(first), places.name(second), "--out", out), out)


class Report(_Wish):
    """To write the report of a run again."""

    command: Literal["report"]
    run: str

    def build(self, places: Places) -> Command:
        """Return the command, which writes into the run."""
        run = places.name(places.find(self.run))
        return Command(("report", run), run)


class Export(_Wish):
    """To write a classifier as one file."""

    command: Literal["export"]
    run: str
    format: Literal["onnx", "torch", "html", "state-dict", "pth"] = "onnx"
    precision: Literal["fp32", "fp16", "int8"] = "fp32"

    def build(self, places: Places) -> Command:
        """Return the command, which writes into the run."""
        run = places.name(places.find(self.run))
        return Command(("export", run, "--format", self.format, "--precision", self.precision), run)


Wish = Annotated[Train | Resume | AuditData | Label | OpenRun | Diff | Report | Export, Field(discriminator="command")]


def _find_free(places: Places, parent: str, name: str) -> Path:
    wanted = places.find_new(f"{parent}/{name}")
    return find_free_folder(wanted.parent, wanted.name)


def _check_recipe(recipe: str, places: Places) -> str:
    return recipe if recipe in list_recipe_names() else places.name(places.find(recipe))
