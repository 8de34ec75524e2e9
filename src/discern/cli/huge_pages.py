"""Huge pages for trainings of more than a head."""

from discern.allocation import prefer_huge_pages
from discern.models.classifier import HEAD
from discern.planning.plan import PhasePlan
from discern.training.listeners import Listener


class HugePages(Listener):
    """Asks for huge pages where a phase trains more than the head; elsewhere they cost more time than they save."""

    def on_phase_start(self, phase: PhasePlan, epochs_done: int) -> None:  # noqa: ARG002
        """Ask once."""
        if phase.train != (HEAD,):
            prefer_huge_pages()
