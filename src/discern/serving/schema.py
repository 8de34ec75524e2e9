"""The JSON of requests and answers; OpenAPI is made from it."""

from pydantic import BaseModel, Field


class Problem(BaseModel):
    """Why a request, or a picture, has no answer."""

    status: int = Field(examples=[415])
    reason: str = Field(examples=["not a picture of a supported type (JPEG, PNG, ...)"])


class Refused(BaseModel):
    """The body of every answer with a status of 400 or more."""

    error: Problem


class Place(BaseModel):
    """A class and its calibrated probability."""

    label: str = Field(examples=["bees"])
    confidence: float = Field(ge=0, le=1, examples=[0.97])


class Neighbour(BaseModel):
    """A training picture similar to this one; `index` is its row in the bundle's feature bank."""

    index: int
    id: str
    label: str
    similarity: float = Field(ge=-1.001, le=1.001, description="Cosine of the features.")


class HeatMap(BaseModel):
    """Where the evidence for a class lies, drawn over the picture."""

    label: str
    method: str
    image: str = Field(description="A JPEG as a data: URL.")


class Answer(BaseModel):
    """The answer to one picture: either `error`, or a label with its confidence."""

    name: str = Field(examples=["garden.jpg"])
    label: str | None = Field(None, examples=["bees"], description='The most probable class, or "unknown".')
    confidence: float | None = Field(None, examples=[0.97], description="Of the most probable class.")
    top: list[Place] | None = None
    guess: str | None = Field(None, description="With max_error: the most probable class even if unknown.")
    familiarity: float | None = Field(
        None, ge=0, le=1, description="How like the training pictures it is; absent where the model cannot tell."
    )
    unfamiliar: bool | None = Field(None, description="Whether it is so unlike them that the label means little.")
    reason: str | None = Field(None, description="With max_error: why it is unknown; empty where it is not.")
    nearest: list[Neighbour] | None = None
    heat_map: HeatMap | None = None
    error: Problem | None = None


class Answers(BaseModel):
    """One answer per picture, in the order of the upload."""

    model: str = Field(examples=["birds"])
    promise: str | None = Field(None, description="With max_error: the confidence needed, and the evidence for it.")
    pictures: list[Answer]


class Mistake(BaseModel):
    """A picture that the run's evaluation got wrong; `index` is its place among all mistakes."""

    index: int
    id: str
    true: str
    predicted: str
    confidence: float


class Mistakes(BaseModel):
    """Mistakes of the split that a run reports, the most confident first."""

    split: str
    count: int
    pictures: int = Field(description="How many pictures the split has.")
    mistakes: list[Mistake]


class Reloaded(BaseModel):
    """The models that were loaded again."""

    models: list[str]
