"""A sample submission with one column of labels: what its values ask for."""

import re
from collections.abc import Sequence
from decimal import Decimal

import pandas as pd

from discern.data.class_finder import ClassFinder, parse_number
from discern.errors import DataError, name_some
from discern.predictor.class_spelling import spell_classes, spell_number
from discern.predictor.submission_form import SubmissionForm, show_cell
from discern.predictor.submission_question import find_question_form

_LIST_SEPARATORS = re.compile(r"[\s,;|/+&]+")
_BRACKETS = "[](){}'\""
_BOOLEANS = (("False", "True"), ("false", "true"), ("FALSE", "TRUE"))
_MASK = re.compile(r"encodedpixels|rle|mask|bbox|predictionstring|segmentation")
_WAY_ON = "Give a sample with the names of classes, or train with labels as the sample has them"


def find_label_form(cells: "pd.Series[str]", class_names: Sequence[str], source: str) -> SubmissionForm:
    """Return what a column of labels asks for.

    Values that mean classes are kept as the sample spells them, and other classes are spelt in the same manner. Numbers
    mean places among the classes only if no class is a number.

    Raises:
        DataError: It asks for something else than one class for each picture, or does not say which is meant.
    """
    return _LabelColumn(cells, class_names, source).find_form()


class _LabelColumn:
    """The different values of a label column, and which class each of them means."""

    def __init__(self, cells: "pd.Series[str]", class_names: Sequence[str], source: str) -> None:
        self.name = str(cells.name)
        self.shown = f"{source}: its column {self.name!r}"
        self.class_names = tuple(class_names)
        self.class_numbers = [parse_number(name) for name in class_names]
        self.finder = ClassFinder(class_names)
        self.values = [cell for cell in cells.unique() if cell.strip()]
        self.classes = {cell: index for cell in self.values if (index := self.finder.find(cell)) is not None}
        self.unknown = [cell for cell in self.values if cell not in self.classes]

    def find_form(self) -> SubmissionForm:
        self._refuse_lists()
        if self.unknown or not self.values:
            question = find_question_form(self.name, self.values, self.class_names, self.shown)
            if question is not None:
                return question
        if not self.values:
            return self._of_nothing()
        numbers = [number for cell in self.values if (number := parse_number(cell)) is not None]
        booleans = [pair for pair in _BOOLEANS if {cell.strip() for cell in self.values} <= set(pair)]
        if not self.unknown:
            return self._of_classes()
        if len(numbers) == len(self.values):
            return self._of_numbers(numbers)
        if booleans:
            return self._of_booleans(booleans[0])
        return self._of_other_names()

    def _of_nothing(self) -> SubmissionForm:
        if _MASK.search("".join(filter(str.isalnum, self.name.casefold()))):
            raise DataError(
                f"{self.shown} is empty and named as for masks or boxes; the classifier gives each picture a class, "
                "and no places in it"
            )
        return self._build("one class; its cells are empty, so check that names are meant", self.class_names)

    def _of_classes(self) -> SubmissionForm:
        labels = self._spell()
        pairs = [f"{label} = {name}" for label, name in zip(labels, self.class_names, strict=True) if label != name]
        note = f"one class, in its own spelling: {name_some(pairs)}" if pairs else "one class, by name"
        return self._build(note, labels, is_loud=False)

    def _of_other_names(self) -> SubmissionForm:
        foreign = name_some([show_cell(cell) for cell in self.unknown])
        if not self.classes and len(self.unknown) > 1:
            raise DataError(
                f"{self.shown} holds {foreign}, which are none of the classes {name_some(self.class_names)}. {_WAY_ON}"
            )
        labels = self._spell()
        return self._build(f"one class, such as {labels[0]}; {foreign} in it is none that is known", labels)

    def _of_numbers(self, numbers: Sequence[Decimal]) -> SubmissionForm:
        if any(number != number.to_integral_value() for number in numbers):
            return self._of_fractions(numbers)
        if all(number is None for number in self.class_numbers):
            return self._of_places(numbers)
        some = name_some([show_cell(cell) for cell in self.values])
        if len(self.values) > 1:
            raise DataError(
                f"{self.shown} holds {some}, which are not all classes; those are {name_some(self.class_names)}. "
                f"{_WAY_ON}"
            )
        labels = self._spell()
        return self._build(f"one class, such as {labels[0]}; {some} in it is none that is known", labels)

    def _of_places(self, numbers: Sequence[Decimal]) -> SubmissionForm:
        """Return the form of numbers for classes that have names: counted from 0, or from 1 if the last is met."""
        some, count = name_some([show_cell(cell) for cell in self.values]), len(self.class_names)
        low, high = min(numbers), max(numbers)
        if any("." in cell for cell in self.values) and low >= 0 and high <= 1:
            raise DataError(
                f"{self.shown} holds {some}, which may be numbers of classes or probabilities. Write 0 where numbers "
                "are meant, or name the column as the class whose probability is wanted"
            )
        start = 1 if low >= 1 and high == count else 0
        if low < 0 or high >= count + start:
            raise DataError(
                f"{self.shown} holds numbers from {low} to {high}; the {count} classes have names, and would be "
                f"numbered 0 to {count - 1}. {_WAY_ON}"
            )
        labels = tuple(spell_number(Decimal(index + start), self.values) for index in range(count))
        pairs = [f"{text} = {name}" for text, name in zip(labels, self.class_names, strict=True)]
        note = f"a number, though no class is one; classes are written by their place: {name_some(pairs)}"
        return SubmissionForm(note, True, self.name, labels, frozenset(self.values))

    def _of_fractions(self, numbers: Sequence[Decimal]) -> SubmissionForm:
        some = name_some([str(number) for number in numbers])
        if not all(0 <= number <= 1 for number in numbers):
            raise DataError(
                f"{self.shown} holds measured numbers ({some}), as of a regression; the classifier gives classes"
            )
        if set(self.class_numbers) != {0, 1}:
            raise DataError(
                f"{self.shown} holds fractions ({some}): the probability of which class is not said. Name the column "
                "in a copy of the sample as that class, and rename it in what is written"
            )
        return SubmissionForm(
            "the probability of the class 1", True, columns={self.name: self.class_numbers.index(Decimal(1))}
        )

    def _of_booleans(self, pair: tuple[str, str]) -> SubmissionForm:
        places = [self.finder.find(number) for number in ("0", "1")]
        if len(self.class_names) != 2 or None in places:
            raise DataError(
                f"{self.shown} holds {' or '.join(pair)}, and the classes are {name_some(self.class_names)}: which of "
                f"them is {pair[1]} is not said. {_WAY_ON}"
            )
        labels = pair if places == [0, 1] else pair[::-1]
        return SubmissionForm(f"{pair[0]} for 0 and {pair[1]} for 1", True, self.name, labels, frozenset(self.values))

    def _spell(self) -> tuple[str, ...]:
        seen = {index: cell for cell, index in reversed(self.classes.items())}
        return tuple(spell_classes(self.class_names, seen, self.values))

    def _build(self, note: str, labels: Sequence[str], *, is_loud: bool = True) -> SubmissionForm:
        return SubmissionForm(note, is_loud, self.name, tuple(labels), frozenset(self.classes))

    def _refuse_lists(self) -> None:
        """Raise where a cell holds several labels or several numbers."""
        for cell in self.unknown:
            text = cell.strip()
            parts = [bare for part in _LIST_SEPARATORS.split(text) if (bare := part.strip(_BRACKETS))]
            if len(parts) < 2 and text[0] not in _BRACKETS:
                continue
            if parts and all(parse_number(part) is not None for part in parts):
                raise DataError(
                    f"{self.shown} asks for several numbers in a cell ({show_cell(cell)}), as several labels, "
                    "masks and boxes are written. The classifier gives one class to each picture, so this cannot be "
                    "answered"
                )
            if all(self.finder.find(part) is not None for part in parts):
                raise DataError(
                    f"{self.shown} asks for several labels in a cell ({show_cell(cell)}). The classifier gives one "
                    "class to each picture, so this cannot be answered"
                )
