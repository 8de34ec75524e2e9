"""Lets the head learn in the background, while the person goes on."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

from discern.labelling.lesson import Given, Lesson, LessonBuilder


class Learner:
    """Has a lesson made of the newest answers; `lesson` is the last one.

    Of answers that come while a lesson is made the newest are taken next. The first lesson is made at once.
    """

    def __init__(self, builder: LessonBuilder, given: Given) -> None:
        self._builder = builder
        self.lesson: Lesson = builder.build(given)
        self._lock, self._pool = threading.Lock(), ThreadPoolExecutor(1, "discern-head")
        self._newest: Given | None = None
        self._running: Future[None] | None = None
        self.is_learning = False

    def learn(self, given: Given) -> None:
        """Learn from these answers as soon as may be."""
        with self._lock:
            self._newest = given
            if not self.is_learning:
                self.is_learning = True
                self._running = self._pool.submit(self._learn_all)

    def check(self) -> None:
        """Raise what the last lesson has raised, if it did."""
        if self._running is not None and self._running.done():
            self._running.result()

    def wait(self) -> None:
        """Wait until all answers are learnt from; raise what a lesson raises."""
        if self._running is not None:
            self._running.result()

    def close(self) -> None:
        """Wait for the lesson that is being made, and make no more."""
        self._pool.shutdown()

    def _learn_all(self) -> None:
        try:
            while (given := self._take()) is not None:
                self.lesson = self._builder.build(given)
        except BaseException:
            with self._lock:
                self.is_learning = False
            raise

    def _take(self) -> Given | None:
        """Return the newest answers, if there are new ones; otherwise learning ends."""
        with self._lock:
            given, self._newest = self._newest, None
            self.is_learning = given is not None
            return given
