"""What scikit-learn calls X and y: pictures one by one, and a label for each."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from torch.utils.data import Dataset

from discern.data.missing_labels import is_missing
from discern.data.sources.array_parts import name_kind, shape_flat, to_array
from discern.data.sources.columns import is_name_of_pictures
from discern.data.sources.inputs import check_types, list_inputs
from discern.data.sources.pixels import refuse_flat
from discern.errors import DataError, cut, list_some, name_some, write_python

_TABLES = (".csv", ".tsv", ".npz")


def list_samples(X: object) -> list[Any]:  # noqa: N803 - scikit-learn's name
    """Return the pictures of X (N) one by one: paths, arrays or PIL pictures.

    X is any container of them, an array (N, H, W, C), (N, H, W) or (N, C, H, W), or a table with one column of them.

    Raises:
        DataError: X is one picture, something else, or holds something else.
    """
    if isinstance(X, str | Path | Dataset):
        raise DataError(
            f"X is a {type(X).__name__}; expected pictures one by one, such as a list of paths. discern.train takes "
            "folders, tables and datasets"
        )
    if isinstance(X, pd.DataFrame):
        X = _take_column(X)  # noqa: N806
    if isinstance(X, np.ndarray) and X.dtype.kind not in "OSU" and X.ndim == 2:
        raise refuse_flat(X.shape)
    samples = list_inputs(X)
    if not samples:
        raise DataError("X is empty; expected pictures one by one, such as a list of paths")
    check_types(samples)
    if isinstance(X, np.ndarray) and X.dtype.kind not in "OSU" and len(samples) != len(X):
        raise DataError(f"X is one picture, an array of shape {X.shape}; expected several. Write X[None]")
    places = [str(item) for item in samples if isinstance(item, str | Path) and _holds_several(Path(item))]
    if places:
        raise DataError(f"X has folders or tables; expected one picture for each row:\n{list_some(places)}")
    return samples


def check_labels(y: Any, count: int, policy: Literal["refuse", "drop", "keep"] = "refuse") -> npt.NDArray[Any]:
    """Return labels (N,) for `count` pictures, which are texts, whole numbers or booleans.

    A column (N, 1) is flattened. With the policy "drop", missing labels stay, as None; with "keep", a class
    may be called nan.

    Raises:
        DataError: y has another shape or length, missing labels, labels that are no classes, or one class only; the
            error has the line that mends it.
    """
    labels = _read_labels(y)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels.reshape(-1)
    if labels.ndim != 1:
        raise DataError(f"y has shape {labels.shape}; expected (N,), one label per picture. {_mend_shape(labels)}")
    if len(labels) != count:
        raise DataError(f"X has {count} pictures and y has {len(labels)} labels; expected one label per picture")
    is_missing_here = _is_no_text if policy == "keep" else is_missing
    is_known = np.array([not is_missing_here(label) for label in labels], dtype=bool)
    if is_known.all():
        return _unify(labels)
    rows = [str(row) for row in np.flatnonzero(~is_known)]
    if policy != "drop" or not is_known.any():
        way = ' Leave them out with overrides={"data.missing_labels": "drop"}' if is_known.any() else ""
        if not all(_is_no_text(label) for label in labels[~is_known]):
            way += ', or "keep" where a class is called so'
        raise DataError(f"y has {len(rows)} missing labels, in the rows {name_some(rows)}.{way}")
    known = _unify(labels[is_known])
    all_labels = np.full(count, None, dtype=object)
    all_labels[is_known] = known
    return all_labels


def _is_no_text(label: object) -> bool:
    return is_missing(label) and not (isinstance(label, str) and label.strip())


def name_labels(labels: npt.NDArray[Any]) -> list[str]:
    """Return the name of each label (N,), by which the trained classifier knows it.

    Raises:
        DataError: There are fewer than two, or two of them have the same name.
    """
    names = [_decode(label).strip() for label in labels]
    if len(names) < 2:
        raise DataError(f"y has the one label {name_some(names)}; expected two classes or more")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"different labels have the same text, blanks around it apart: {name_some(repeated)}")
    return names


def _take_column(table: pd.DataFrame) -> "pd.Series[Any]":
    if len(table.columns) != 1:
        names = name_some([repr(name) for name in table.columns])
        if all(map(pd.api.types.is_numeric_dtype, table.dtypes)):
            line = shape_flat(len(table.columns)) or ".reshape(-1, height, width, 3)"
            raise DataError(
                f"X is a table of numbers with the columns {names}; expected one column of paths, or an array of "
                f"pictures. Write X.to_numpy(np.uint8){line}"
            )
        known = write_python(next(filter(is_name_of_pictures, map(str, table.columns)), "path"))
        raise DataError(f"X is a table with the columns {names}; expected one column of paths. Write X[[{known}]]")
    return table.iloc[:, 0]


def _holds_several(place: Path) -> bool:
    return place.suffix.lower() in _TABLES or place.is_dir()


def _read_labels(y: Any) -> npt.NDArray[Any]:
    if y is None or isinstance(y, str | bytes | dict | set):
        raise DataError(f"y is {'missing' if y is None else f'a {type(y).__name__}'}; expected one label per picture")
    try:
        return to_array(y if hasattr(y, "__len__") else list(y))
    except (ValueError, TypeError):
        raise DataError(
            f"y is of type {type(y).__name__}, and no row of labels; expected one label per picture"
        ) from None


def _mend_shape(labels: npt.NDArray[Any]) -> str:
    if labels.ndim == 2 and labels.shape[0] == 1:
        return "Write y.ravel()"
    if labels.ndim != 2 or labels.dtype.kind not in "buif":
        return "Write one label for each picture"
    is_one_hot = np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all()
    what = "One-hot labels" if is_one_hot else "Several labels a picture are not supported; the largest of a row"
    return f"{what} become classes by y.argmax(axis=1)"


def _unify(labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return labels none of which is missing as an array of their one type.

    Raises:
        DataError: They are of several types, or of one that names no class.
    """
    if labels.dtype.kind not in "OSUbiuf":
        raise DataError(
            f"y has labels of type {labels.dtype}; expected texts or whole numbers. y.astype(str) makes texts"
        )
    if labels.dtype.kind != "O":
        _check_whole(labels)
        return labels
    if not all(isinstance(label, str | bytes | int | np.integer | np.bool_ | float | np.floating) for label in labels):
        kinds = sorted({type(label).__name__ for label in labels})
        raise DataError(f"y has labels of type {name_some(kinds)}; expected texts or whole numbers")
    kinds = sorted({name_kind(label) for label in labels})
    if len(kinds) > 1:
        raise DataError(
            f"y has labels of several types: {name_some(kinds)}. Make them one: [str(label) for label in y]"
        )
    unified = np.array(labels.tolist())
    _check_whole(unified)
    return unified


def _check_whole(labels: npt.NDArray[Any]) -> None:
    if labels.dtype.kind != "f":
        return
    fractions = labels[~np.isfinite(labels) | (labels != np.floor(labels))]
    if len(fractions):
        raise DataError(
            f"y has numbers with a fraction: {name_some([str(value) for value in fractions])}. These are "
            "measurements, and a classifier needs classes: np.digitize(y, limits) makes some, y.astype(str) takes "
            "each number for one"
        )


def _decode(label: object) -> str:
    try:
        return label.decode() if isinstance(label, bytes) else str(label)
    except UnicodeDecodeError as error:
        raise DataError(
            f"y has bytes that are no UTF-8: {cut(repr(label))}. Decode them: np.char.decode(y, 'cp1252')"
        ) from error
