"""The forms in which answers are written: CSV, with commas or tabs, and Parquet."""

import importlib.util
import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from discern.errors import OUT, ConfigError, install_command
from discern.files import replacing

FIRST_COLUMNS = ("id", "path", "label", "confidence")
PARQUET = ".parquet"

_TABS = ".tsv"
_TEXT_FORMS = (".csv", _TABS, "")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
_NUMBERS = ("confidence", "familiarity", "probability_")
"""How the names of columns of numbers begin; `unfamiliar` is true or false, and all others are text."""


def check_form(file: Path, *, as_text: bool) -> None:
    """Raise where the name of a file asks for a form that answers are not written in, or not `as_text`.

    Raises:
        ConfigError: Its extension is none of those of the forms, it stands for standard output, or it is Parquet and
            pyarrow is missing.
    """
    if str(file) == "-":
        raise ConfigError("answers are not written to standard output; ", OUT, " needs the name of a .csv or .tsv file")
    if is_parquet(file):
        if as_text:
            raise ConfigError(
                f"{file}: a sample submission, and texts that are safe in a spreadsheet, are written as CSV; ",
                OUT,
                " needs a name that ends in .csv or .tsv",
            )
        if importlib.util.find_spec("pyarrow") is None:
            raise ConfigError(f"Parquet needs the package pyarrow: {install_command('tables')}")
    elif file.suffix.lower() not in _TEXT_FORMS and not file.is_dir():
        raise ConfigError(
            f"{file}: answers are not written as {file.suffix}; ",
            OUT,
            " needs a name that ends in .csv (commas) or .tsv (tabs), which spreadsheets open too, or in .parquet",
        )


def is_parquet(file: Path) -> bool:
    """Return whether a file is Parquet by its name."""
    return file.suffix.lower() == PARQUET


def holds_answers(file: Path) -> bool:
    """Return whether a file begins as a table of answers does."""
    if not is_parquet(file):
        return begins_with(file, _separator_of(file).join(FIRST_COLUMNS))
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return tuple(pq.read_schema(file).names[: len(FIRST_COLUMNS)]) == FIRST_COLUMNS
    except (OSError, pa.ArrowException):
        return False


def begins_with(file: Path, columns: str) -> bool:
    """Return whether the first line of a file begins with these columns."""
    try:
        with file.open(encoding="utf-8-sig") as opened:
            return opened.readline(10_000).startswith(columns)
    except (OSError, ValueError):
        return False


def write_rows(
    frame: pd.DataFrame, file: Path, *, csv_safe: bool = False, with_header: bool = True, separator: str = ","
) -> None:
    """Write answers in the form of the file's name, atomically: texts with six digits, Parquet with all.

    With `csv_safe`, texts that a spreadsheet would take for a formula begin with an apostrophe. The cells of a .csv
    file are separated by `separator`.
    """
    if is_parquet(file):
        _write_parquet(frame, file)
        return
    shown = _disarm(frame) if csv_safe else frame
    text = shown.to_csv(index=False, float_format="%.6g", sep=_separator_of(file, separator), header=with_header)
    encoded = text.encode()
    with replacing(file, size_bytes=len(encoded)) as temporary:
        temporary.write_bytes(encoded)


def join_rows(parts: Sequence[Path], file: Path) -> None:
    """Write the rows of one or more files of one form, the first of which has the header, as one file, atomically."""
    with replacing(file, size_bytes=sum(part.stat().st_size for part in parts)) as temporary:
        if is_parquet(file):
            _join_parquet(parts, temporary)
            return
        with temporary.open("wb") as joined:
            for part in parts:
                with part.open("rb") as opened:
                    shutil.copyfileobj(opened, joined)


def read_rows(file: Path) -> pd.DataFrame:
    """Read the answers that are in a file, with its digits and texts."""
    if is_parquet(file):
        return pd.read_parquet(file)
    separator = _separator_of(file)
    names = pd.read_csv(file, sep=separator, nrows=0).columns
    return pd.read_csv(
        file,
        sep=separator,
        dtype={name: _choose_type(name) for name in names},
        keep_default_na=False,
        na_values={"own_id": [""]},
    )


def _choose_type(name: str) -> str:
    if name.startswith(_NUMBERS):
        return "float64"
    return "bool" if name == "unfamiliar" else "str"


def _separator_of(file: Path, usual: str = ",") -> str:
    return "\t" if file.suffix.lower() == _TABS else usual


def _disarm(frame: pd.DataFrame) -> pd.DataFrame:
    def disarm(value: object) -> object:
        return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value

    return frame.map(disarm).rename(columns=disarm)


def _write_parquet(frame: pd.DataFrame, file: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"float64": pa.float64(), "bool": pa.bool_(), "str": pa.string()}
    schema = pa.schema([(name, types[_choose_type(name)]) for name in frame.columns])
    # Of pandas' own notes on the table, the number of rows would be that of one part.
    table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False).replace_schema_metadata(None)
    with replacing(file, size_bytes=table.nbytes) as temporary:
        pq.write_table(table, temporary)


def _join_parquet(parts: Sequence[Path], file: Path) -> None:
    import pyarrow.parquet as pq

    with pq.ParquetWriter(file, pq.read_schema(parts[0])) as writer:
        for part in parts:
            writer.write_table(pq.read_table(part))
