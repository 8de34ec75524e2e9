"""From uploads to answers, picture by picture, by the same rules as `discern predict`."""

import asyncio
import functools
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import NamedTuple, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt
from torch import Tensor

from discern.engine.second_look import find_unclear
from discern.errors import DiscernError
from discern.explanation.maps import explain_predictions
from discern.explanation.methods import check_method, choose_method
from discern.predictor.answers import UNKNOWN, AnswerPolicy
from discern.serving.decoding import fit_upload, fit_upload_again, shrink_upload
from discern.serving.heat_maps import SHOWN_PIXELS, draw_heat_map
from discern.serving.limits import Limits
from discern.serving.refusals import UNUSABLE, Refusal
from discern.serving.schema import Answer, Answers, HeatMap, Neighbour, Place, Problem
from discern.serving.served_model import Output, ServedModel
from discern.serving.uploads import Upload

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Wanted(NamedTuple):
    """What each answer contains: see the parameters of `POST /predict`."""

    top_k: int = 5
    max_error: float | None = None
    explain: str | None = None
    nearest: int = 0


class Computed(NamedTuple):
    """A picture as the network saw it, and its outputs."""

    image: Tensor
    output: Output


class Answering:
    """Answers uploads with a model; decoding and drawing happen in `pool`, networks in `thread`."""

    def __init__(self, pool: Executor, thread: Executor, limits: Limits) -> None:
        self._pool = pool
        self._thread = thread
        self._limits = limits

    async def answer(self, uploads: Sequence[Upload], wanted: Wanted, model: ServedModel) -> Answers:
        """Return one answer per picture; pictures that cannot be read do not affect the others.

        Raises:
            Refusal: The model cannot give what is wanted, or not for so many pictures.
        """
        policy = self._check(wanted, model, len(uploads))
        found = await asyncio.gather(*(self._compute(upload, model) for upload in uploads))
        good = [(place, one) for place, one in enumerate(found) if isinstance(one, Computed)]
        answers = [
            Answer(name=upload.name, error=Problem(**one.to_dict()) if isinstance(one, Refusal) else None)
            for upload, one in zip(uploads, found, strict=True)
        ]
        if good:
            outputs = [one.output for _, one in good]
            described = await run_in(self._pool, _describe, outputs, wanted, policy, model)
            maps = await asyncio.gather(*(self._explain(uploads[place], one, wanted, model) for place, one in good))
            for (place, _), fields, heat_map in zip(good, described, maps, strict=True):
                answers[place] = Answer(name=uploads[place].name, heat_map=heat_map, **fields)
        promise = None if policy.point is None else policy.point.describe()
        return Answers(model=model.name, promise=promise, pictures=answers)

    def _check(self, wanted: Wanted, model: ServedModel, count: int) -> AnswerPolicy:
        if wanted.explain is not None and count > self._limits.max_explained:
            raise Refusal(UNUSABLE, f"heat maps of {count} pictures; at most {self._limits.max_explained} at once")
        if wanted.nearest and model.feature_bank is None:
            raise Refusal(UNUSABLE, f"the model {model.name} has no feature bank to compare with")
        try:
            if wanted.explain is not None:
                check_method(wanted.explain)
            return model.build_policy(wanted.max_error)
        except DiscernError as error:
            raise Refusal(UNUSABLE, str(error)) from None

    async def _compute(self, upload: Upload, model: ServedModel) -> Computed | Refusal:
        """Compute one picture; as `Predictor` does, it looks twice where the answer is not clear."""
        bundle = model.predictor.bundle
        try:
            with model.batcher.preparing():
                image = await run_in(self._pool, fit_upload, upload, bundle, self._limits)
            first = Computed(image, await model.batcher.compute(image))
            if not len(find_unclear(first.output.probabilities[None])):
                return first
            with model.batcher.preparing():
                whole = await run_in(self._pool, fit_upload_again, upload, bundle, self._limits)
            return first if whole is None else Computed(whole, await model.batcher.compute(whole))
        except Refusal as refusal:
            return refusal

    async def _explain(self, upload: Upload, one: Computed, wanted: Wanted, model: ServedModel) -> HeatMap | None:
        if wanted.explain is None:
            return None
        predictor, target = model.predictor, int(one.output.probabilities.argmax())
        method = choose_method(wanted.explain, predictor.bundle.classifier.backbone)
        try:
            (values,) = await run_in(self._thread, explain_predictions, predictor, one.image[None], [target], method)
            shown = await run_in(self._pool, shrink_upload, upload, predictor.bundle, self._limits, SHOWN_PIXELS)
        except DiscernError as error:
            raise Refusal(UNUSABLE, str(error)) from None
        drawn = await run_in(self._pool, draw_heat_map, shown, values, predictor.bundle.preprocess)
        return HeatMap(label=predictor.class_names[target], method=method, image=drawn)


def _describe(
    outputs: Sequence[Output], wanted: Wanted, policy: AnswerPolicy, model: ServedModel
) -> list[dict[str, object]]:
    """Return the fields of the answers."""
    names = model.predictor.class_names
    probabilities = np.stack([output.probabilities for output in outputs])
    features = np.stack([output.features for output in outputs])
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, : wanted.top_k]
    described: list[dict[str, object]] = []
    for row, places in zip(probabilities, order, strict=True):
        top = [Place(label=names[place], confidence=float(row[place])) for place in places]
        described.append({"label": top[0].label, "confidence": top[0].confidence, "top": top})
    similarities = None
    if policy.knows_familiarity and model.feature_bank is not None:
        similarities = model.feature_bank.measure_similarity(features)
    familiarity = policy.measure_familiarity(similarities)
    if familiarity is not None:
        for fields, value, is_unfamiliar in zip(described, *familiarity, strict=True):
            fields |= {"familiarity": float(value), "unfamiliar": bool(is_unfamiliar)}
    if policy.point is not None:
        _apply_policy(described, probabilities, similarities, policy)
    if wanted.nearest and model.feature_bank is not None:
        for fields, nearest in zip(described, _find_nearest(features, wanted.nearest, model), strict=True):
            fields["nearest"] = nearest
    return described


def _apply_policy(
    described: Sequence[dict[str, object]],
    probabilities: npt.NDArray[np.float64],
    similarities: npt.NDArray[np.float64] | None,
    policy: AnswerPolicy,
) -> None:
    """Answer "unknown" where the policy says so, with the reason."""
    reasons, _ = policy.find_reasons(probabilities.max(axis=1), similarities)
    for fields, reason in zip(described, reasons, strict=True):
        fields |= {"guess": fields["label"], "reason": reason}
        if reason:
            fields["label"] = UNKNOWN


def _find_nearest(features: npt.NDArray[np.float32], count: int, model: ServedModel) -> list[list[Neighbour]]:
    """Return for each picture the training pictures most like it, the most similar first."""
    if model.feature_bank is None:
        return [[] for _ in features]
    frame = model.feature_bank.frame
    similarities, rows = model.feature_bank.find_nearest(features, count)
    return [
        [
            Neighbour(index=int(row), id=frame["id"].iloc[row], label=frame["label"].iloc[row], similarity=float(value))
            for row, value in zip(nearest, values, strict=True)
        ]
        for nearest, values in zip(rows, similarities, strict=True)
    ]


async def run_in(
    executor: Executor, work: Callable[Parameters, Result], *arguments: Parameters.args, **named: Parameters.kwargs
) -> Result:
    """Call something that takes time in a thread, and wait for what it returns."""
    return await asyncio.get_running_loop().run_in_executor(executor, functools.partial(work, *arguments, **named))
