"""The validation logits as the finished classifier gives them, which calibration and evidence are built from."""

import logging
from dataclasses import replace

from torch import Tensor

from discern.config.sections.training import Tta
from discern.counts import count_of
from discern.data.reading.dataset import ImageDataset
from discern.engine.forward import predict_logits, prepare_images
from discern.engine.second_look import find_inexact, find_unclear
from discern.models.classifier import Classifier
from discern.runtime import Runtime
from discern.training.batches import TrainingData
from discern.training.fit import FitResult

logger = logging.getLogger("discern")


def make_validation_exact(result: FitResult, classifier: Classifier, data: TrainingData, runtime: Runtime) -> FitResult:
    """Return the result with the logits of unclear pictures computed in fp32."""
    if result.validation_logits is None:
        return result
    logits = look_again(result.validation_logits, classifier, data, runtime)
    changed = int((logits.argmax(dim=1) != result.validation_logits.argmax(dim=1)).sum())
    if changed:
        logger.info(
            "computed in fp32, as for predictions, %d of %s got another answer; the scores below count that answer",
            *(changed, count_of(len(logits), "validation picture")),
        )
    return replace(result, validation_logits=logits)


def look_again(
    logits: Tensor, classifier: Classifier, data: TrainingData, runtime: Runtime, tta: Tta = "none"
) -> Tensor:
    """Return validation logits (V, K), means over the views of `tta`, with those of unclear pictures computed in fp32.

    Validation pictures are decoded whole already. Predictions are computed in this way, so that a limit that is chosen
    on these logits holds for them.
    """
    unclear = find_unclear(logits.double().softmax(dim=1).numpy())
    dataset = ImageDataset(data.validation, data.preprocess, max_pixels=data.max_pixels, decodes_whole=True)
    rows = find_inexact(unclear, dataset, runtime)
    if not len(rows):
        return logits
    exact = replace(runtime, precision="fp32")
    batches = data.build_evaluation_loader(data.validation.take(rows), decodes_whole=True).batches()
    looked = logits.clone()
    looked[rows] = predict_logits(classifier, batches, prepare_images(data.preprocess, exact), exact, tta)[0]
    return looked
