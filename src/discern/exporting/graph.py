"""What is exported: preprocessing, network and calibration as one module, from pixels to probabilities."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, fx, nn

from discern.data.reading.preprocess import Preprocess
from discern.engine.views import build_views
from discern.errors import ExportError
from discern.exporting.resampling import Axis, compute_weights, find_shown, is_shortened_first, resample_square
from discern.models.acceleration.folding import fold_batchnorm
from discern.predictor.bundle import Bundle

INPUT = "images"
OUTPUTS = ("probabilities", "logits")


class FittingGraph(nn.Module):
    """`Preprocess.fit_image` and `normalize` for whole batches, in operations that every runtime has."""

    def __init__(self, preprocess: Preprocess) -> None:
        super().__init__()
        self.preprocess = preprocess

    @property
    def example(self) -> tuple[Tensor, dict[int, str]]:
        """Images to trace with, and the axes that may have any length.

        Their sizes are in no relation to each other or to the square, of which the trace would make a rule.
        """
        return torch.zeros(2, 300, 260, 3, dtype=torch.uint8), {0: "pictures", 1: "height", 2: "width"}

    def forward(self, images: Tensor) -> Tensor:
        """Fit and normalise uint8 images (N, H, W, 3) of any size to float32 (N, 3, S, S)."""
        return self.preprocess.normalize(self.fit(images))

    def fit(self, images: Tensor) -> Tensor:
        """Fit uint8 images (N, H, W, 3) to levels 0..255 in float32, (N, 3, S, S)."""
        side = self.preprocess.image_size
        columns, rows = self._lay_out(images.shape[2], images.shape[1])
        levels = images.permute(0, 3, 1, 2).to(torch.float32)
        resampled = resample_square(
            levels, compute_weights(rows, side), compute_weights(columns, side), is_shortened_first(rows, columns)
        )
        if self.preprocess.fit != "pad":
            return resampled
        shown = find_shown(rows, side)[:, None] & find_shown(columns, side)
        colour = torch.tensor([float(round(value * 255)) for value in self.preprocess.mean]).view(3, 1, 1)
        return torch.where(shown, resampled, colour)

    def _lay_out(self, width: int, height: int) -> tuple[Axis, Axis]:
        """Return how the columns and the rows of a picture of this size are laid on the square."""
        side = torch.tensor(self.preprocess.image_size, dtype=torch.float64)
        lengths = [torch.full((), length, dtype=torch.float64) for length in (width, height)]
        nothing = torch.zeros((), dtype=torch.float64)
        axes = []
        for length, pixels in zip((width, height), lengths, strict=True):
            if self.preprocess.fit == "crop":
                shorter = torch.minimum(*lengths)
                axes.append(Axis(length, pixels - shorter, shorter, side, nothing))
            elif self.preprocess.fit == "pad":
                count = torch.round(pixels * (side / torch.maximum(*lengths))).clamp(min=1)
                axes.append(Axis(length, nothing, pixels, count, torch.floor((side - count) / 2)))
            else:
                axes.append(Axis(length, nothing, pixels, side, nothing))
        return axes[0], axes[1]


class NormalizingGraph(nn.Module):
    """`Preprocess.normalize` for pictures that were fitted before."""

    def __init__(self, preprocess: Preprocess) -> None:
        super().__init__()
        self.preprocess = preprocess

    @property
    def example(self) -> tuple[Tensor, dict[int, str]]:
        """Images to trace with, and the axis that may have any length."""
        side = self.preprocess.image_size
        return torch.zeros(2, side, side, 3, dtype=torch.uint8), {0: "pictures"}

    def forward(self, images: Tensor) -> Tensor:
        """Normalise uint8 images (N, S, S, 3) to float32 (N, 3, S, S)."""
        return self.preprocess.normalize(images.permute(0, 3, 1, 2))


class ExportGraph(nn.Module):
    """A classifier from decoded pictures to probabilities, with preprocessing, views and calibration inside.

    Args:
        bundle: Not changed; BatchNorm is folded into the convolutions.
        half: Keep and compute the network in float16; preprocessing and calibration stay in float32.
        fits: Take pictures of any size; otherwise those that were fitted to the square before.
    """

    def __init__(self, bundle: Bundle, *, half: bool = False, fits: bool = True) -> None:
        super().__init__()
        self.fitting = FittingGraph(bundle.preprocess) if fits else NormalizingGraph(bundle.preprocess)
        network = copy.deepcopy(bundle.classifier).eval().requires_grad_(False)
        self.dtype = torch.float16 if half else torch.float32
        # A predictor that used the network before has made it channels-last, which a .pt2 file does not hold.
        self.network = fold_batchnorm(network).to(self.dtype).to(memory_format=torch.contiguous_format)
        self.tta = bundle.tta
        self.calibration = bundle.calibration

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Classify upright RGB images, uint8 (N, H, W, 3), all of one size.

        Returns:
            `probabilities` (N, K), and the `logits` (N, K) before calibration.
        """
        logits = self._average(build_views(self.fitting(images), self.tta))
        return {"probabilities": self.calibration.apply(logits).softmax(dim=1), "logits": logits}

    def _average(self, views: Sequence[Tensor]) -> Tensor:
        """Return the mean (N, K) of the logits of views (N, 3, S, S), all computed at once: one network in the file."""
        if len(views) == 1:
            return self._compute_logits(views[0])
        logits = self._compute_logits(torch.cat(list(views)))
        return logits.reshape(len(views), -1, logits.shape[-1]).mean(dim=0)

    def _compute_logits(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images.to(self.dtype))
        return logits.to(torch.float32)


def trace_export(graph: ExportGraph) -> torch.export.ExportedProgram:
    """Trace what a graph computes, for any number of pictures, and of any size where the graph fits them.

    Raises:
        ExportError: The network cannot be traced, since its operations depend on the values of the pictures.
    """
    example, names = graph.fitting.example
    axes = {axis: torch.export.Dim(name) for axis, name in names.items()}
    try:
        program = torch.export.export(graph.eval(), (example,), dynamic_shapes={INPUT: axes})
    except (RuntimeError, TypeError, ValueError) as error:
        raise ExportError(f"the network cannot be exported: {error}") from error
    for part in program.graph_module.modules():
        for node in part.graph.nodes if isinstance(part, fx.GraphModule) else ():
            # The file must not say where the source code was.
            node.meta.pop("stack_trace", None)
    return program
