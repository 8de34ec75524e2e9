"""Random changes to training pictures; a policy is a name or a list of torchvision transforms."""

import difflib
import inspect
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from discern.data.reading.turned_crop import RandomTurnedCrop
from discern.errors import ConfigError

POLICIES = ("none", "shift", "light", "standard", "flip-rotate")

_MEAN_GREY = 116
_CHECKED_SIZE = 64
_CANVAS_SCALE = 1.25
_SHIFT = 0.1
_CROPS = {"RandomResizedCrop", "RandomCrop", "RandomTurnedCrop"}
_FLIP: Mapping[str, object] = {"name": "RandomHorizontalFlip"}


class Augment:
    """Random transforms from a uint8 canvas (3, C, C) to a uint8 image (3, S, S); C is `canvas_size`.

    Randomness comes from torch's CPU generator alone. It can be pickled.
    """

    def __init__(self, transforms: Sequence[nn.Module], *, image_size: int, canvas_size: int) -> None:
        self.transforms = nn.Sequential(*transforms)
        self.image_size = image_size
        self.canvas_size = canvas_size

    def __call__(self, canvas: Tensor) -> Tensor:
        """Change one picture at random.

        Raises:
            ConfigError: The transforms give something else than a uint8 image (3, S, S).
        """
        image: Tensor = self.transforms(canvas)
        if image.dtype != torch.uint8 or image.shape != (3, self.image_size, self.image_size):
            raise ConfigError(
                f"The augmentation gives {image.dtype} of shape {tuple(image.shape)}; expected torch.uint8 of shape "
                f"(3, {self.image_size}, {self.image_size}). Leave out transforms that change type or size "
                "(resizing and normalising are done elsewhere)."
            )
        return image


def check_policy(policy: str | Sequence[Mapping[str, object]]) -> None:
    """Raise for a policy that does not exist.

    Raises:
        ConfigError: The policy or a transform is unknown, or its arguments do not fit.
    """
    if policy not in POLICIES:
        build_augment(policy, _CHECKED_SIZE)


def build_augment(policy: str | Sequence[Mapping[str, object]], image_size: int) -> Augment:
    """Build the augmentation of a policy for images of `image_size` pixels.

    - `none`: nothing.
    - `shift`: horizontal flip, moved by up to a tenth of the side in whole pixels, so that small pictures stay sharp.
    - `flip-rotate`: horizontal flip, rotation by up to 10 degrees.
    - `light`: a random crop of 0.7 to 1 of the area, flip, rotation by up to 10 degrees.
    - `standard`: a random crop of 0.35 to 1 of the area, flip, TrivialAugment, random erasing.
    - a list: classes of `torchvision.transforms.v2` by name with their arguments, such as
      `{"name": "RandomRotation", "degrees": 20}`. A `size` that is not given is `image_size`, a `fill` mean grey.

    Nothing teaches the network black corners: named policies show the picture mirrored at its edges where a rotation or
    a move uncovers them, the rest is filled with mean grey. A policy with a random crop that does not pad starts from a
    canvas 1.25 times as large, so that what is cut out is not blown up much.

    Source:
        Mueller and Hutter, TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation, 2021;
        Zhong et al., Random Erasing Data Augmentation, 2017.

    Raises:
        ConfigError: The policy or a transform is unknown, or its arguments do not fit.
    """
    entries = _named_policy(policy, image_size) if isinstance(policy, str) else policy
    transforms = [entry if isinstance(entry, nn.Module) else _build_transform(entry, image_size) for entry in entries]
    crops = any(_cuts_out(transform) for transform in transforms)
    canvas_size = round(image_size * _CANVAS_SCALE) if crops else image_size
    augment = Augment(transforms, image_size=image_size, canvas_size=canvas_size)
    _check_on_grey_canvas(augment)
    return augment


def _named_policy(policy: str, image_size: int) -> Sequence[nn.Module | Mapping[str, object]]:
    match policy:
        case "none":
            return []
        case "shift":
            padding = max(1, round(_SHIFT * image_size))
            return [_FLIP, {"name": "RandomCrop", "padding": padding, "padding_mode": "reflect"}]
        case "flip-rotate":
            return [_FLIP, *_mirrored_rotation(image_size)]
        case "light":
            return [RandomTurnedCrop(image_size, scale=(0.7, 1.0), degrees=10)]
        case "standard":
            trivial = {"name": "TrivialAugmentWide", "interpolation": _bilinear()}
            erasing = {"name": "RandomErasing", "p": 0.25, "value": _MEAN_GREY}
            return [{"name": "RandomResizedCrop", "scale": (0.35, 1.0)}, _FLIP, trivial, erasing]
    raise ConfigError(
        f"Unknown augmentation policy {policy!r}; known are {', '.join(POLICIES)}, or a list of transforms."
    )


def _cuts_out(transform: nn.Module) -> bool:
    return type(transform).__name__ in _CROPS and getattr(transform, "padding", None) is None


def _mirrored_rotation(image_size: int) -> list[Mapping[str, object]]:
    """Rotate inside a mirrored frame that is as wide as 10 degrees uncover: (cos + sin - 1) / 2 = 0.079 of the side."""
    return [
        {"name": "Pad", "padding": -(-image_size // 12), "padding_mode": "reflect"},
        {"name": "RandomRotation", "degrees": 10, "interpolation": _bilinear()},
        {"name": "CenterCrop", "size": image_size},
    ]


def _build_transform(entry: Mapping[str, object], image_size: int) -> nn.Module:
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
        except (TypeError, ValueError, RuntimeError, NotImplementedError) as error:
            raise ConfigError(f"The augmentation fails on a picture: {error}") from error
