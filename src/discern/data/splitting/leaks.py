"""Pictures of validation and test that are in another split as well."""

import pandas as pd

from discern.data.duplicates.matching import Duplicates
from discern.data.table import SPLITS, ImageTable

LEAK_COLUMNS = ("id", "path", "split", "twin_id", "twin_split", "same_label")


def find_leaks(table: ImageTable, duplicates: Duplicates) -> pd.DataFrame:
    """Return a row for every picture of validation and test that an earlier split has as well, with one such twin.

    A picture of test leaks from train or validation, by which the model was chosen; one of validation leaks from
    train. The columns are those of `LEAK_COLUMNS`.
    """
    frame = table.frame
    places = {split: place for place, split in enumerate(SPLITS)}
    rows = []
    for cluster in duplicates.list_clusters():
        members = sorted(cluster.tolist(), key=lambda row: (places[frame["split"].iloc[row]], frame["id"].iloc[row]))
        twin = frame.iloc[members[0]]
        rows += [
            (member["id"], member["path"], member["split"], twin["id"], twin["split"], member["label"] == twin["label"])
            for member in (frame.iloc[row] for row in members[1:])
            if member["split"] != twin["split"]
        ]
    return pd.DataFrame(sorted(rows), columns=list(LEAK_COLUMNS))
