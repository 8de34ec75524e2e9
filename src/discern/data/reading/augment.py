"""Random changes to training pictures: a named policy, a list of torchvision transforms, or any function."""

import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from discern.data.reading.turned_crop import RandomTurnedCrop
from discern.errors import ConfigError
from discern.registry import Registry

Transform = Callable[[Tensor], Tensor]
"""Changes a picture uint8 (3, H, W); it takes its random numbers from torch's CPU generator, and can be pickled."""

Entry = Transform | Mapping[str, object]
"""A transform, or the name and arguments of a class of `torchvision.transforms.v2`."""

Policy = str | Sequence[Mapping[str, object]] | Transform
"""The name of a registered policy, a list of entries, or one transform from uint8 (3, S, S) to uint8 (3, S, S)."""

AUGMENTATIONS: Registry[Callable[[int], Sequence[Entry]]] = Registry("augmentation policy")
"""Policies by name: functions from the side S of the images in pixels to the entries that are applied in turn."""

register_augmentation = AUGMENTATIONS.register
"""Decorator that makes a policy known by a name, which `augment` in the settings may then be."""

_MEAN_GREY = 116
_CHECKED_SIZE = 64
_CANVAS_SCALE = 1.25
_SHIFT = 0.1
_CROPS = {"RandomResizedCrop", "RandomCrop", "RandomTurnedCrop"}
_FLIP: Mapping[str, object] = {"name": "RandomHorizontalFlip"}


class Augment:
    """Random transforms from a uint8 canvas (3, C, C) to a uint8 image (3, S, S); C is `canvas_size`.

    Randomness comes from torch's CPU generator alone. It can be pickled if its transforms can.
    """

    def __init__(self, transforms: Sequence[Transform], *, image_size: int, canvas_size: int) -> None:
        self.transforms = tuple(transforms)
        self.image_size = image_size
        self.canvas_size = canvas_size

    def __call__(self, canvas: Tensor) -> Tensor:
        """Change one picture at random.

        Raises:
            ConfigError: The transforms give something else than a uint8 image (3, S, S).
        """
        image = canvas
        for transform in self.transforms:
            image = transform(image)
        self._check(image)
        return image

    def _check(self, image: object) -> None:
        if isinstance(image, Tensor) and image.dtype == torch.uint8 and image.shape == _shape_of(self.image_size):
            return
        given = type(image).__name__
        if isinstance(image, Tensor):
            given = f"{image.dtype} of shape {tuple(image.shape)}"
        raise ConfigError(
            f"The augmentation gives {given}; expected torch.uint8 of shape {_shape_of(self.image_size)}. Leave out "
            "transforms that change type or size (resizing and normalising are done elsewhere)."
        )


def check_policy(policy: Policy) -> None:
    """Raise for a policy that does not exist.

    Raises:
        ConfigError: The policy or a transform is unknown, its arguments do not fit, or it fails on a picture.
    """
    if not isinstance(policy, str) or policy not in AUGMENTATIONS:
        build_augment(policy, _CHECKED_SIZE)


def build_augment(policy: Policy, image_size: int) -> Augment:
    """Build the augmentation of a policy for images of `image_size` pixels.

    - A name: an entry of `AUGMENTATIONS`.
    - A list: classes of `torchvision.transforms.v2` by name with their arguments, such as
      `{"name": "RandomRotation", "degrees": 20}`. A `size` that is not given is `image_size`, a `fill` mean grey.
    - A function or module, such as a `torchvision.transforms.v2.Compose`: takes and gives uint8 (3, S, S).

    Nothing teaches the network black corners: our own policies show the picture mirrored at its edges where a rotation
    or a move uncovers them, the rest is filled with mean grey. A policy with a random crop that does not pad starts
    from a canvas 1.25 times as large, so that what is cut out is not enlarged much; a function of the user's does not.

    Raises:
        ConfigError: The policy or a transform is unknown, its arguments do not fit, or it fails on a picture.
    """
    if callable(policy):
        transforms: list[Transform] = [policy]
        canvas_size = image_size
    else:
        entries = AUGMENTATIONS.find(policy)(image_size) if isinstance(policy, str) else policy
        transforms = [_build_transform(entry, image_size) for entry in entries]
        crops = any(_cuts_out(transform) for transform in transforms)
        canvas_size = round(image_size * _CANVAS_SCALE) if crops else image_size
    augment = Augment(transforms, image_size=image_size, canvas_size=canvas_size)
    _check_on_grey_canvas(augment)
    return augment


@register_augmentation("none")
def _none(image_size: int) -> Sequence[Entry]:  # noqa: ARG001 - what an entry takes
    """Nothing."""
    return []


@register_augmentation("shift")
def _shift(image_size: int) -> Sequence[Entry]:
    """Flip, and move by up to a tenth of the side in whole pixels, so that small pictures stay sharp."""
    padding = max(1, round(_SHIFT * image_size))
    return [_FLIP, {"name": "RandomCrop", "padding": padding, "padding_mode": "reflect"}]


@register_augmentation("flip-rotate")
def _flip_rotate(image_size: int) -> Sequence[Entry]:
    """Flip, and rotate by up to 10 degrees.

    The mirrored frame is as wide as 10 degrees uncover: (cos + sin - 1) / 2 = 0.079 of the side.
    """
    return [
        _FLIP,
        {"name": "Pad", "padding": -(-image_size // 12), "padding_mode": "reflect"},
        {"name": "RandomRotation", "degrees": 10, "interpolation": _bilinear()},
        {"name": "CenterCrop", "size": image_size},
    ]


@register_augmentation("light")
def _light(image_size: int) -> Sequence[Entry]:
    """Cut out 0.7 to 1 of the area, flip, and rotate by up to 10 degrees."""
    return [RandomTurnedCrop(image_size, scale=(0.7, 1.0), degrees=10)]


@register_augmentation("standard")
def _standard(image_size: int) -> Sequence[Entry]:  # noqa: ARG001
    """Cut out 0.35 to 1 of the area, flip, TrivialAugment, and random erasing.

    Source:
        Mueller and Hutter, TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation, 2021;
        Zhong et al., Random Erasing Data Augmentation, 2017.
    """
    trivial = {"name": "TrivialAugmentWide", "interpolation": _bilinear()}
    erasing = {"name": "RandomErasing", "p": 0.25, "value": _MEAN_GREY}
    return [{"name": "RandomResizedCrop", "scale": (0.35, 1.0)}, _FLIP, trivial, erasing]


def _cuts_out(transform: Transform) -> bool:
    return type(transform).__name__ in _CROPS and getattr(transform, "padding", None) is None


def _build_transform(entry: Entry, image_size: int) -> Transform:
    if callable(entry):
        return entry
    arguments = dict(entry)
    name = arguments.pop("name", None)
    transform = _find_transform(name)
    accepted = inspect.signature(transform).parameters
    defaults: dict[str, object] = {"size": image_size, "fill": _MEAN_GREY}
    filled = {key: value for key, value in defaults.items() if key in accepted}
    try:
        return transform(**{**filled, **arguments})
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"The arguments of {name} in the augmentation do not fit: {error}. It takes {', '.join(accepted)}."
        ) from error


def _bilinear() -> object:
    from torchvision.transforms.functional import InterpolationMode

    return InterpolationMode.BILINEAR


def _find_transform(name: object) -> type[nn.Module]:
    # Imported here since it takes a second, which predicting need not wait for.
    from torchvision.transforms import v2

    known: dict[str, type[nn.Module]] = {
        member_name: member
        for member_name, member in vars(v2).items()
        if inspect.isclass(member) and issubclass(member, nn.Module) and member_name != "Transform"
    }
    if isinstance(name, str) and name in known:
        return known[name]
    nearest = difflib.get_close_matches(str(name), known, n=3, cutoff=0.4)
    hint = f"; the nearest are {', '.join(nearest)}" if nearest else ""
    raise ConfigError(
        f"Unknown transform {name!r} in the augmentation{hint}. Each entry needs a `name` of torchvision.transforms.v2."
    )


def _check_on_grey_canvas(augment: Augment) -> None:
    with torch.random.fork_rng(devices=[]):
        canvas = torch.full((3, augment.canvas_size, augment.canvas_size), 128, dtype=torch.uint8)
        try:
            augment(canvas)
        except ConfigError:
            raise
        except Exception as error:
            raise ConfigError(
                f"The augmentation fails on a picture: {type(error).__name__}: {error}. It is given uint8 "
                f"{_shape_of(augment.canvas_size)} and gives uint8 {_shape_of(augment.image_size)}."
            ) from error


def _shape_of(size: int) -> tuple[int, int, int]:
    """Return the shape of a square picture with sides of `size` pixels."""
    return 3, size, size
