"""The shape of what other rooms have written, as far as the pages need it; what is not known is passed over."""

from pydantic import BaseModel, ConfigDict

from discern.evaluation.abstention import Abstention


class Saved(BaseModel):
    """A part of a JSON file: more may stand there, and what an older version did not write is None or empty."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class SavedCalibration(Saved):
    """How confidences were mended, and on how many validation pictures."""

    temperature: float = 1.0
    scales: tuple[float, ...] | None = None
    count: int = 0
    ece_before: float | None = None
    ece_after: float | None = None


class SavedRecord(Saved):
    """What came of a training, as far as the page shows it."""

    abstention: Abstention = {}
    best_epoch: int | None = None


class SavedBundle(Saved):
    """The description of a bundle, bundle.json."""

    class_names: tuple[str, ...]
    discern_version: str = "of unknown version"
    architecture: dict[str, object] = {}
    preprocess: dict[str, object] = {}
    calibration: SavedCalibration = SavedCalibration()
    record: SavedRecord | None = None


class SavedWeights(Saved):
    """Where the pretrained weights came from."""

    source: str
    sha256: str = ""
    note: str = ""


class SavedFixes(Saved):
    """A file of fixes that was applied to the data, and how many rows of it did what."""

    path: str
    rows: dict[str, int] = {}


class SavedData(Saved):
    """Which pictures a run was made from."""

    source: str | None = None
    fingerprint: str = ""
    fixes: tuple[SavedFixes, ...] = ()


class SavedEnvironment(Saved):
    """Machine, versions, data and automatic choices, environment.json."""

    python: str = ""
    platform: str = ""
    processor: str = ""
    command: tuple[str, ...] = ()
    packages: dict[str, str] = {}
    runtime: dict[str, object] = {}
    data: SavedData = SavedData()
    choices: dict[str, str] = {}
    weights: SavedWeights | None = None


class AuditItem(Saved):
    """One group of pictures that a finding is about."""

    ids: tuple[str, ...]
    paths: tuple[str, ...] = ()
    labels: tuple[str | None, ...] = ()
    splits: tuple[str | None, ...] = ()
    detail: str = ""
    score: float | None = None
    action: str = "none"
    suggested_label: str | None = None


class AuditFinding(Saved):
    """One kind of thing that is wrong with the data, or worth knowing."""

    kind: str
    severity: str
    title: str
    explanation: str = ""
    count: int = 0
    items: tuple[AuditItem, ...] = ()


class AuditBalance(Saved):
    """How unequal the classes are, and how wide the intervals of the coming scores will be."""

    fewest_class: str
    fewest_count: int
    largest_class: str
    largest_count: int
    expected_interval_width: dict[str, float | None] = {}
    explanation: str = ""


class SavedAudit(Saved):
    """What an audit.json says."""

    discern_version: str = "of unknown version"
    source: str = ""
    form: str = ""
    created: str = ""
    count: int
    class_names: tuple[str, ...] = ()
    class_counts: dict[str, int] = {}
    splits: dict[str, int] = {}
    balance: AuditBalance | None = None
    findings: tuple[AuditFinding, ...] = ()
