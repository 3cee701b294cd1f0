"""What a person chooses of how a head is trained."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt


class TransferLearningOptions(BaseModel):
    """Which classes are learnt, from what and how (parameters_transfer_learning.yml)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    images: Path | None = None
    frames_per_video: PositiveInt = 6
    least_images: Annotated[int, Field(ge=2)] = 10
    views: NonNegativeInt = 1
    looks_at: Literal["objects", "features"] = "objects"
    folds: Annotated[int, Field(ge=2)] = 5
    epochs: PositiveInt = 40
    patience: PositiveInt = 10
    learning_rate: PositiveFloat = 0.01
    unfreeze: bool = False
    unfreeze_learning_rate: PositiveFloat = 0.00001
    unsure_share: Annotated[float, Field(ge=0, lt=1)] = 0.05
    seed: Annotated[int, Field(ge=0)] = 0
