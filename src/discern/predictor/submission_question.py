"""A sample submission whose one answer column asks about one class, such as `is_red`: yes or no, or how probable."""

import re
from collections.abc import Sequence

from discern.data.class_finder import ClassFinder, parse_number
from discern.errors import DataError, name_some
from discern.predictor.submission_form import SubmissionForm

_QUESTION = re.compile(r"(is|has|was|are|contains|shows)([_\W]+(an?[_\W]+|the[_\W]+)?|(?-i:(?=[A-Z])))", re.IGNORECASE)
_PROBABILITY = re.compile(r"(p|prob|proba|probability|confidence)[_\W]+(of[_\W]+)?", re.IGNORECASE)
_FLAG_END = re.compile(r"[_\W]+(label|flag|present)$", re.IGNORECASE)
_PROBABILITY_END = re.compile(r"[_\W]+(p|prob|proba|probability|confidence)$", re.IGNORECASE)
_PAIRS = (
    ("0", "1"),
    ("False", "True"), ("false", "true"), ("FALSE", "TRUE"),
    ("no", "yes"), ("No", "Yes"), ("NO", "YES"),
    ("n", "y"), ("N", "Y"),
)  # fmt: skip


def find_question_form(
    name: str, values: Sequence[str], class_names: Sequence[str], source: str
) -> SubmissionForm | None:
    """Return what a column that is named after one class asks for; None for other columns and other values.

    Raises:
        DataError: It is a question to be answered by yes or no that names none of more than two classes.
    """
    values = [value.strip() for value in values]
    finder = ClassFinder(class_names)
    index = _find_class(finder, name, _PROBABILITY, _PROBABILITY_END)
    numbers = [number for value in values if (number := parse_number(value)) is not None]
    are_shares = len(numbers) == len(values) and all(0 <= number <= 1 for number in numbers)
    if index is not None:
        return _of_probability(name, index, class_names) if are_shares else None
    index = _find_class(finder, name, _QUESTION, _FLAG_END)
    pair = next((pair for pair in _PAIRS if set(values) <= set(pair)), None)
    if index is not None and pair is not None:
        labels = tuple(pair[place == index] for place in range(len(class_names)))
        note = f"{pair[1]} for the class {class_names[index]} and {pair[0]} for every other"
        return SubmissionForm(note, True, name, labels, frozenset(pair))
    if index is not None:
        return _of_probability(name, index, class_names) if are_shares else None
    if pair is not None and len(class_names) > 2 and _QUESTION.match(name):
        raise DataError(
            f"{source} asks for {pair[1]} or {pair[0]} and is named after none of the classes "
            f"{name_some(class_names)}. Name it in a copy of the sample after the class that is meant, such as "
            f"is_{class_names[0]}"
        )
    return None


def _of_probability(name: str, index: int, class_names: Sequence[str]) -> SubmissionForm:
    return SubmissionForm(f"the probability of the class {class_names[index]}", True, columns={name: index})


def _find_class(finder: ClassFinder, name: str, start: re.Pattern[str], end: re.Pattern[str]) -> int | None:
    """Return the class that is left of a name without its beginning, its end, or both; None where neither is there."""
    shorter = start.sub("", name, count=1) if start.match(name) else name
    forms = dict.fromkeys((shorter, end.sub("", shorter), end.sub("", name)))
    found = (finder.find(form) for form in forms if form != name)
    return next((index for index in found if index is not None), None)
