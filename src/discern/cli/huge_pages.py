"""Huge pages for phases that train more than the head."""

from discern.allocation import prefer_huge_pages
from discern.models.classifier import HEAD
from discern.planning.plan import PhasePlan
from discern.training.listeners import Listener


class HugePages(Listener):
    """Asks for huge pages if a phase trains more than the head; otherwise they cost more time than they save."""

    def on_phase_start(self, phase: PhasePlan, epochs_done: int) -> None:  # noqa: ARG002
        """Ask for huge pages, unless only the head is trained."""
        if phase.train != (HEAD,):
            prefer_huge_pages()
