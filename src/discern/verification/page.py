"""Checks that the report of a run says what its numbers give."""

import re
from dataclasses import replace

from discern.reports.mistakes import choose_pictures
from discern.reports.report_pictures import read_kept_pictures
from discern.reports.run_facts import load_run_facts
from discern.reports.run_page import build_run_page
from discern.run_folder import RunFolder
from discern.verification.checks import Check
from discern.verification.comparing import compare_pages
from discern.version import __version__

_APART_FROM = ("settings", "title", "h1")
"""How it was made, with the place of the run, which may have been moved; and its name."""
_GENERATOR = re.compile(r'<meta name="generator" content="discern ([^"]*)">')


def find_report_version(folder: RunFolder) -> str | None:
    """Return the version of discern that wrote the report of a run; None where there is no report that says so."""
    if not folder.report.is_file():
        return None
    found = _GENERATOR.search(folder.report.read_text(encoding="utf-8", errors="replace"))
    return None if found is None else found[1]


def is_comparable(version: str | None) -> bool:
    """Return whether a report is worded as this version of discern words it."""
    return version == __version__


def check_report(folder: RunFolder) -> Check:
    """Compare each text of report.html, model card and labels of figures included, with a page that is made anew."""
    facts = replace(load_run_facts(folder), is_complete=True)
    shown = choose_pictures(facts)
    page = build_run_page(facts, shown, read_kept_pictures(folder, shown))
    published = folder.report.read_text(encoding="utf-8", errors="replace")
    return compare_pages(folder.report.name, published, page, apart_from=_APART_FROM)
