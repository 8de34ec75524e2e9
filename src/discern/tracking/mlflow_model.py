"""The classifier as a model of MLflow: this file is copied into the model, and run where that is loaded."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext


class Classifier(PythonModel):
    """Answers as `discern predict` does, with the probability of each class."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the bundle that lies in the model."""
        from discern.predictor.load import load

        self._predictor = load(context.artifacts["bundle"])

    def predict(self, context: PythonModelContext, model_input: pd.DataFrame) -> pd.DataFrame:  # noqa: ARG002
        """Return one row per picture: label, confidence, and the probability of each class.

        Args:
            context: Not needed.
            model_input: A column `path` with the paths of picture files, or a column `image` with their content.
        """
        with _finding_files(model_input) as paths:
            answers = self._predictor.predict(paths, probabilities=True)
        return answers.drop(columns=["id", "path"]).set_index(model_input.index)


@contextmanager
def _finding_files(pictures: pd.DataFrame) -> Iterator[list[str]]:
    """Yield the paths of the pictures; contents are written to files, so that both are decoded in the same way."""
    if ("path" in pictures) == ("image" in pictures):
        raise ValueError(
            f"the columns are {', '.join(map(str, pictures.columns))}; expected either path, with the paths of picture "
            "files, or image, with their content as bytes"
        )
    if "path" in pictures:
        yield pictures["path"].tolist()
        return
    with TemporaryDirectory() as folder:
        paths = [Path(folder) / str(number) for number in range(len(pictures))]
        for path, content in zip(paths, pictures["image"], strict=True):
            path.write_bytes(content)
        yield list(map(str, paths))


set_model(Classifier())
