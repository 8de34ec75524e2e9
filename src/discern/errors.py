"""All errors of discern; each message says what was given, what was expected and what to do next."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

_SHOWN = 10
"""How many examples a message names; the rest is a number, so that no message grows with the data."""
_MAX_CHARACTERS = 300
"""Of one example, which may itself be a value that grows with the data."""
_VALUE_CHARACTERS = 60
"""Of a value that is no example but a wrong argument."""


class Option(NamedTuple):
    """An option, or a whole call, that a message advises: as it is written on the command line and in Python.

    As text it is that of Python; an argument of a log message is spelled for the caller. `setting` is how the commands
    that take settings (`train`, `audit`...) write it, where that differs from the commands that use a classifier.
    """

    command: str
    python: str
    setting: str = ""

    def __str__(self) -> str:
        return self.python

    def for_command_line(self, *, takes_settings: bool) -> str:
        """Return it as it is written for a command, which takes settings or has options in their place."""
        return self.setting if takes_settings and self.setting else self.command


def option(name: str, value: str | float | bool | None = None) -> Option:
    """Return an option with the value to give it; without one, any.

    `--out` or `out=...`; with True `--overwrite` or `overwrite=True`; else `--on-bad skip` or `on_bad="skip"`.
    """
    flag = f"--{name.replace('_', '-')}"
    if value is None:
        return Option(flag, f"{name}=...")
    if value is True:
        return Option(flag, f"{name}=True")
    return Option(f"{flag} {shlex.quote(str(value))}", f"{name}={write_python(value)}")


def data_setting(name: str, value: str | None = None) -> Option:
    """Return a setting of the pictures with the value to give it; without one, its name.

    `data.on_bad=skip` where a command takes settings, `--on-bad skip` where it uses a classifier, else `on_bad="skip"`.
    """
    if value is None:
        return Option(f"--{name.replace('_', '-')}", name, f"data.{name}")
    return option(name, value)._replace(setting=shlex.quote(f"data.{name}={value}"))


def write_python(value: str | float) -> str:
    """Return a value as a Python program writes it, text in double quotes."""
    return json.dumps(value, ensure_ascii=False)


OUT, DATA, OVERWRITE = option("out"), option("data"), option("overwrite", True)
_AGAIN = Option("run the same command again", "make the same call again")
AGAIN_OR_ELSEWHERE = Option(f"{_AGAIN.command}, or give another place", f"{_AGAIN.python}, or give another place")

Advice = tuple[str | Option, ...]
"""A part of a message that names options."""

Extra = Literal["export", "heif", "html", "labels", "mlflow", "serve", "sign", "tables", "tensorboard", "tune", "wandb"]
"""Optional packages, by the name under which they are installed with discern."""


class DiscernError(Exception):
    """Base of all errors that a user can cause and correct; the command line prints the message and exits with 2.

    Options in the message are spelled as in Python; `for_command_line` spells them as a command takes them.
    """

    def __init__(self, *parts: str | Option) -> None:
        super().__init__(*parts)

    def __str__(self) -> str:
        return "".join(map(str, self.args))

    def for_command_line(self, *, takes_settings: bool = True) -> str:
        """Return the message for a user of the command line, of a command that takes settings or of another."""
        return "".join(
            part.for_command_line(takes_settings=takes_settings) if isinstance(part, Option) else part
            for part in self.args
        )

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows in a notebook: the message without the traceback."""
        return [f"{type(self).__name__}: {self}"]


class ConfigError(DiscernError):
    """A setting is unknown, of the wrong type or contradicts another."""


class DataError(DiscernError):
    """The labelled pictures cannot be used as they are."""


class ImageProblem(NamedTuple):
    """One picture that cannot be used, and why."""

    path: str
    reason: str


class BadImageError(DataError):
    """One picture cannot be decoded."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[type["BadImageError"], tuple[str, str]]:
        """Rebuild from both arguments, so that the error can be passed on from a loader process."""
        return type(self), (self.path, self.reason)


class BadImagesError(DataError):
    """Several pictures cannot be used; all are in `problems` and, if it was written, in the file `listed_in`."""

    def __init__(self, problems: Sequence[ImageProblem], *, next_step: Advice, listed_in: Path | None = None) -> None:
        count = len(problems)
        lines = [
            f"{count} picture{'s' * (count != 1)} cannot be used:",
            list_some([f"{problem.path}: {problem.reason}" for problem in problems]),
        ]
        if listed_in is not None:
            lines.append(f"All are listed in {listed_in}.")
        super().__init__("\n".join([*lines, ""]), *next_step)
        self.problems = tuple(problems)
        self.listed_in = listed_in


class WeightsError(DiscernError):
    """Pretrained weights are missing, damaged or do not fit the network."""


class BundleError(DiscernError):
    """A saved classifier is missing, damaged or of a version that cannot be read."""


class RunFolderError(DiscernError):
    """A run folder already has a run, has none, or belongs to other settings."""


class WriteError(DiscernError, OSError):
    """A file cannot be written: the disk is full or read-only, its folder is gone, or belongs to another user."""

    def __init__(self, path: str | Path, reason: str, remedy: str, next_step: str | Option = _AGAIN) -> None:
        super().__init__(f"{path} cannot be written: {reason}. {remedy}, then ", next_step)
        self.path, self.reason, self.remedy = Path(path), reason, remedy

    def followed_by(self, next_step: Option) -> "WriteError":
        """Return the same error with another last step."""
        return WriteError(self.path, self.reason, self.remedy, next_step)


class TrainingError(DiscernError):
    """Training cannot continue, for instance because the loss is not finite."""


class ExportError(DiscernError):
    """An exported file cannot be written or read, or gives other answers than the classifier."""


def refuse_value(name: str, value: object, expected: str) -> ConfigError:
    """Return the error of an argument that is of another kind or out of range, by its name in Python."""
    return ConfigError(f"{name} is {show_value(value)}; expected {expected}")


def install_command(extra: Extra) -> str:
    """Return the command that installs optional packages; the distribution has another name than the library."""
    return f"pip install 'discern-vision[{extra}]'"


def list_some(items: Sequence[str], *, shown: int = _SHOWN) -> str:
    """Return the items one per line, indented; beyond `shown` only their number."""
    lines = [f"  {cut(item)}" for item in items[:shown]]
    return "\n".join(lines + ([f"  ... and {len(items) - shown} more"] if len(items) > shown else []))


def name_some(items: Sequence[str], *, shown: int = _SHOWN) -> str:
    """Return the items in one line, with commas; beyond `shown` only their number."""
    return ", ".join(map(cut, items[:shown])) + (f" and {len(items) - shown} more" if len(items) > shown else "")


def cut(text: str, characters: int = _MAX_CHARACTERS) -> str:
    """Return a text that is not longer than so many characters: of a longer one the beginning and the end."""
    half = (characters - 5) // 2
    return text if len(text) <= characters else f"{text[:half]} ... {text[-half:]}"


def one_line(value: object, characters: int = _MAX_CHARACTERS) -> str:
    """Return the text of an error or of a value that was read, in one line that is not too long."""
    return cut(" ".join(str(value).split()), characters)


def show_value(value: object) -> str:
    """Return a wrong value as Python writes it, in one line that is not too long."""
    return one_line(repr(value), _VALUE_CHARACTERS)
