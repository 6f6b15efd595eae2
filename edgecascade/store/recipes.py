"""Recipes: what ``edgecascade calibrate`` does from questions to report, as a TOML."""

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgecascade.errors import QuestionFileError
from edgecascade.store.paths import Folders, shipped


class Recipe(BaseModel):
    """One way to calibrate.

    questions  "shipped", or the path of a question file or folder
    limit      at most so many questions, spread over them
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1]
    title: str
    questions: str = "shipped"
    limit: int | None = Field(default=None, ge=50)
    promise: Literal["regret", "selective", "agreement"]
    epsilon: float = Field(gt=0, lt=1)
    delta: float = Field(gt=0, lt=1)

    @property
    def source(self) -> Path:
        """Where the questions lie."""
        return shipped("calibration/questions") if self.questions == "shipped" else Path(self.questions).expanduser()


def find_recipe(name: str, folders: Folders) -> Recipe:
    """Return a recipe by path, else the user's own, else a shipped one; QuestionFileError for none, or a broken one."""
    places = [Path(name)] if name.endswith(".toml") else [folder / f"{name}.toml" for folder in _folders(folders)]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        there = ", ".join(recipe_names(folders))
        raise QuestionFileError(f"no recipe is called {name!r}: found {there}; name one of them, or a TOML file")
    try:
        return Recipe.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise QuestionFileError(f"{path} is not TOML: {error}; mend it") from error
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise QuestionFileError(f"{path}: {place} = {problem['input']!r}: {problem['msg']}; mend it") from error


def recipe_names(folders: Folders) -> list[str]:
    """Return the names of all recipes, sorted."""
    return sorted({path.stem for folder in _folders(folders) for path in folder.glob("*.toml")})


def _folders(folders: Folders) -> tuple[Path, Path]:
    return folders.config / "recipes", shipped("calibration/recipes")
