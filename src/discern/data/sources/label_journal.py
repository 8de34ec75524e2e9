"""The labels that people give one by one, in an append-only file: of several rows of a picture the last holds."""

import pandas as pd

from discern.errors import DataError

JOURNAL_COLUMNS = ("path", "label", "time", "how")
DRAWN = "drawn"
"""How a picture was labelled that was drawn at random and is kept apart: it is for testing."""
DRAWN_COPY = "drawn copy"
"""The same, of another file that shows the same picture."""


def resolve_journal(cells: pd.DataFrame, source: str) -> pd.DataFrame:
    """Return the labels that hold, with the split that they are for; a table of other columns stays as it is.

    Pictures that were drawn at random are the test split, since the others were chosen to be learnt from, and a score
    on those would not speak of all pictures. A class without others is trained on. Pictures whose last row has no label
    are left out, and so is a row that was cut off when its writer was killed.

    Raises:
        DataError: No picture has a label.
    """
    if tuple(cells.columns) != JOURNAL_COLUMNS:
        return cells
    whole = cells[cells["how"] != ""]
    last = whole[~whole["path"].duplicated(keep="last")]
    labelled = last[last["label"].str.strip() != ""]
    if labelled.empty:
        raise DataError(f"{source}: no picture has a label yet. Give some with discern label.")
    is_drawn = labelled["how"].isin((DRAWN, DRAWN_COPY))
    is_test = is_drawn & labelled["label"].isin(labelled["label"][~is_drawn])
    return pd.DataFrame(
        {
            "path": labelled["path"],
            "label": labelled["label"],
            "split": is_test.map({True: "test", False: "train"}),
        }
    ).reset_index(drop=True)
