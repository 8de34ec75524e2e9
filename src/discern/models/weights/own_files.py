"""The user's own files of weights, which lie in the folder of discern's weights under the names of their networks."""

from pathlib import Path
from typing import NamedTuple

from discern.errors import ConfigError, WeightsError
from discern.models.backbone import BACKBONES, TIMM_PREFIX, describe_backbone

OWN_NOTE = "your own file"
_SUFFIX = ".safetensors"


class OwnFile(NamedTuple):
    """A file and the network that its name says it is for, as `model.backbone` gives it."""

    backbone: str
    path: Path


def own_files(folder: Path) -> list[OwnFile]:
    """List the files NAME.safetensors of a folder, where NAME is one of our networks or of timm's.

    timm's may have a tag. A network that has the same name here and in timm is ours; "timm:NAME.safetensors" is always
    timm's. Whether there is such a network is not checked.
    """
    paths = sorted(path for path in folder.glob(f"*{_SUFFIX}") if path.is_file() and not path.name.startswith("."))
    return [OwnFile(_name_network(path.name.removesuffix(_SUFFIX)), path) for path in paths]


def check_own_file(file: OwnFile) -> None:
    """Check that the network exists that a file is named after.

    Raises:
        WeightsError: There is none.
    """
    try:
        describe_backbone(file.backbone)
    except ConfigError as error:
        raise WeightsError(
            f"{file.path} is not named after a network: {error} Name it as model.backbone would name its network, such "
            "as mobilenetv2_100.safetensors, or move it to another folder."
        ) from None


def _name_network(name: str) -> str:
    return name if name in BACKBONES or name.startswith(TIMM_PREFIX) else TIMM_PREFIX + name
