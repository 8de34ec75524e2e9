"""tracking.json of a run folder: under which identities trackers know the run, so that a resumed run goes on there."""

from discern.files import read_json, write_json
from discern.run_folder import RunFolder


def load_identity(folder: RunFolder, tracker: str) -> str | None:
    """Return the identity of a run with a tracker; None where it has none."""
    return _load(folder).get(tracker)


def save_identity(folder: RunFolder, tracker: str, identity: str) -> None:
    """Record the identity of a run with a tracker."""
    write_json(folder.tracking, {**_load(folder), tracker: identity})


def _load(folder: RunFolder) -> dict[str, str]:
    try:
        content = read_json(folder.tracking)
    except (OSError, ValueError):
        return {}
    known = content if isinstance(content, dict) else {}
    return {name: identity for name, identity in known.items() if isinstance(identity, str)}
