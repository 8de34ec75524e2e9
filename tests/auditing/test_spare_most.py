"""An audit never proposes to drop most of a set or of a class."""

from discern.auditing.findings import Finding, Item, Severity, build_fixes, spare_most

LABELS = {f"{label}{number}": label for label in "ab" for number in range(10)}


def find(kind: str, names: list[str], severity: Severity = "warning") -> Finding:
    items = (Item((name,), (), (), (), "", 1.0, "drop", (name,)) for name in names)
    return Finding(kind, severity, kind, "Why.", tuple(items))


def test_what_most_pictures_have_is_a_property_of_the_set() -> None:
    (finding,) = spare_most([find("dark", list(LABELS)[:11])], LABELS)
    assert finding.count == 11
    assert finding.explanation.startswith("More than half of all pictures would be left out, so nothing is proposed")
    assert build_fixes([finding]).empty


def test_half_of_a_class_is_spared_unless_it_cannot_be_read_or_is_there_twice() -> None:
    names = [f"a{number}" for number in range(6)]
    (dark,) = spare_most([find("dark", names)], LABELS)
    assert dark.explanation.startswith("More than half of a would be left out")
    for kept in (find("unreadable", names, "error"), find("exact_duplicates", names)):
        assert len(build_fixes(spare_most([kept], LABELS))) == 6


def test_findings_count_together() -> None:
    dark, blurred = find("dark", [f"a{n}" for n in range(5)]), find("blurred", [f"b{n}" for n in range(6)])
    first, second = spare_most([dark, blurred], LABELS)
    assert first is dark
    assert second.items[0].action == "none"


def test_a_few_pictures_of_a_small_set_may_be_dropped() -> None:
    assert len(build_fixes(spare_most([find("dark", ["a1", "a2", "a3"])], {"a1": "a", "a2": "a", "a3": "a"}))) == 3
