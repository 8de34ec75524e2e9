"""A labelling without a classifier, for tests of its page: it asks in order, and says what the test wants."""

import threading
from collections import Counter
from dataclasses import replace

from discern.errors import DataError
from discern.labelling.goal import Goal
from discern.labelling.progress import PastAnswer, Progress
from discern.labelling.question import Grid, Question


class ScriptedSession:
    name = "birds"
    depth_range = None

    def __init__(self, paths, journal_path, class_names=(), **progress):
        self.paths = {f"{place:04x}": path for place, path in enumerate(paths)}
        self.journal_path = journal_path
        self.class_names = tuple(class_names)
        self.answers = []
        self.details = {}
        self.grid = None
        self.error = None
        self.lock = threading.RLock()
        self.progress = Progress(len(paths), 0, {}, {}, 0, Goal(), None, False, None, (), False, (), next_look=31)
        self.say(**progress)

    def say(self, **progress):
        self.progress = replace(self.progress, **progress)

    def ask(self):
        done = {key for key, _, _ in self.answers}
        key = next((key for key in self.paths if key not in done), None)
        return (
            None if key is None else Question(key, self.paths[key], **{"why": "diverse", **self.details.get(key, {})})
        )

    def ask_alike(self):
        if self.grid is None:
            return None
        label, keys = self.grid
        return Grid(label, [Question(key, self.paths[key], "uncertain") for key in keys])

    def answer(self, key, label):
        self._keep(key, label, None)

    def answer_without_label(self, key, reason):
        self._keep(key, "", reason)

    def confirm(self, keys, label):
        for key in keys:
            self._keep(key, label, None)

    def undo(self):
        if not self.answers:
            return None
        self.answers.pop()
        return self.ask()

    def find_path(self, key):
        if key not in self.paths:
            raise DataError(f"there is no picture {key!r}")
        return self.paths[key]

    def describe(self):
        counts = Counter(dict.fromkeys(self.class_names, 0))
        counts.update(label for _, label, _ in self.answers if label)
        reasons = Counter(reason for _, _, reason in self.answers if reason)
        history = [PastAnswer(*answer, "2026-01-01T00:00:00+00:00") for answer in reversed(self.answers)]
        return replace(self.progress, answered=len(self.answers), counts=counts, reasons=reasons, history=history)

    def _keep(self, key, label, reason):
        if self.error is not None:
            raise self.error
        self.find_path(key)
        with self.lock:
            self.answers = [one for one in self.answers if one[0] != key] + [(key, label, reason)]
            if label and label not in self.class_names:
                self.class_names += (label,)
