"""The figures of one profile, read from `env.toml`."""

import os
import tomllib
from functools import cache
from pathlib import Path

from harness.errors import ScorerFailure, UsageError
from harness.models import EnvironmentFacts, ProfileFacts

from .language import Shape

ROOT = Path(__file__).resolve().parent
START = ROOT / "start"


class Settings(ProfileFacts):
    """What `[profile.NAME]` says beyond the facts that every environment has."""

    language: Shape | None = None
    """Size of the languages that instances are drawn in; None where text is given by path."""
    seq_len: int
    mask_fraction: float
    train_tokens: int
    val_tokens: int
    """Also the length of the hidden text."""
    batch: int
    """Windows that a model is called on at once."""
    batches: int
    """Batches of one sealed score, and of one probe at most."""
    classic_batches: int
    constants_mb: int
    """What the tensors of a traced model may take together."""
    reproduce_limit_s: float
    """What `reproduce.sh` may take."""
    vocabulary: int = 0
    """Where text is given by path; else words and mask."""
    floor: float = 0.0
    """Where text is given by path: what is taken to be the least loss."""
    data_path: str = ""
    """Folder, beneath `data_home`, with `train.bin`, `val.bin` and `test.bin`."""

    @property
    def vocab_size(self) -> int:
        """How many tokens there are, the mask included."""
        return self.language.words + 1 if self.language else self.vocabulary

    @property
    def mask_id(self) -> int:
        """The token in the place of a masked one: the last."""
        return self.vocab_size - 1


@cache
def load(profile: str) -> Settings:
    """Returns the settings of `profile`.

    Raises:
        UsageError: there is no such profile.
    """
    facts = EnvironmentFacts.model_validate(tomllib.loads((ROOT / "env.toml").read_text("utf-8")))
    if profile not in facts.profile:
        raise UsageError(f"restricted_mlm has no profile {profile!r}.")
    return Settings.model_validate(facts.profile[profile].model_dump())


def given(settings: Settings) -> Path:
    """Returns the folder with the text that people must provide.

    Raises:
        ScorerFailure: it is not there.
    """
    home = Path(os.environ.get("EARNED_DATA", "~/.local/share/earned")).expanduser()
    place = home / ROOT.name / settings.data_path
    if not all((place / f"{name}.bin").is_file() for name in ("train", "val", "test")):
        raise ScorerFailure(
            f"This profile needs train.bin, val.bin and test.bin in {place}, and they are not all "
            "there.",
            hint="Put them there (tokens as uint16), or set EARNED_DATA to the folder above "
            "restricted_mlm. environments/restricted_mlm/README.md describes them.",
        )
    return place
