"""Where things lie: this user's folders, and the files shipped with the package."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Folders:
    """This user's folders; none of them need exist yet.

    config   what the user wrote        cache   what can be fetched again (models)
    data     what the user made         state   what we remember (verdicts, chat history)
    """

    config: Path
    data: Path
    cache: Path
    state: Path

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Folders":
        """Return the platform's usual folders, or those below ``EDGECASCADE_HOME`` where it is set."""
        if home := environment.get("EDGECASCADE_HOME"):
            root = Path(home).expanduser().absolute()
            return cls(root / "config", root / "data", root / "cache", root / "state")
        import platformdirs

        dirs = platformdirs.PlatformDirs("edgecascade", appauthor=False)
        return cls(dirs.user_config_path, dirs.user_data_path, dirs.user_cache_path, dirs.user_state_path)

    @property
    def models(self) -> Path:
        """The folder that downloaded weights go to."""
        return self.cache / "models"


def shipped(kind: str) -> Path:
    """Return the folder of a kind of shipped file (``models``, ``calibration/fitted``), in a wheel or in a checkout."""
    package = Path(__file__).resolve().parent.parent
    in_wheel = package / "shipped" / kind
    return in_wheel if in_wheel.is_dir() else package.parent / kind
