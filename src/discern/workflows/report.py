"""Writes the report of a run again."""

from pathlib import Path

from discern.errors import RunFolderError
from discern.reports.run_report import write_report
from discern.run_folder import RunFolder


def report(run: str | Path, *, data: str | Path | None = None) -> Path:
    """Write report.html into a run folder and return its path; photos that can no longer be read are left out.

    Args:
        run: A run folder.
        data: The folder that the pictures were moved to, where they are not any more where they were at the training.

    Raises:
        RunFolderError: `run` is not the folder of a run.
        DataError: No picture of the run is below `data`.
    """
    folder = RunFolder(Path(run))
    # Also of a run that has lost its config.toml: the page names what is missing.
    if not folder.is_ours():
        raise RunFolderError(f"{run} holds no run of discern; give the folder that discern train wrote")
    return write_report(folder, data=data)
