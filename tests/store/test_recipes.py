"""Recipes say what calibrate does; a broken one is refused with what is wrong."""

from pathlib import Path

import pytest

from edgecascade.errors import QuestionFileError
from edgecascade.store.paths import Folders, shipped
from edgecascade.store.recipes import find_recipe, recipe_names

GOOD = 'schema_version = 1\ntitle = "Mine"\npromise = "selective"\nepsilon = 0.1\ndelta = 0.1\n'


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """A user without anything."""
    return Folders(tmp_path / "config", tmp_path, tmp_path, tmp_path)


@pytest.mark.parametrize("path", sorted(shipped("calibration/recipes").glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_recipes_are_whole(path: Path, folders: Folders) -> None:
    """Each can be read, and its questions are there."""
    recipe = find_recipe(path.stem, folders)

    assert recipe.source.is_dir()
    assert path.stem in recipe_names(folders)


def test_the_users_own_hides_a_shipped_one(folders: Folders) -> None:
    """A recipe of the same name in the user's folder is taken; a path is taken as it is."""
    mine = folders.config / "recipes" / "default.toml"
    mine.parent.mkdir(parents=True)
    mine.write_text(GOOD + 'questions = "/tmp/q.jsonl"\n')

    assert find_recipe("default", folders).title == "Mine"
    assert find_recipe(str(mine), folders).source == Path("/tmp/q.jsonl")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (GOOD.replace("0.1", "1.5", 1), "epsilon"),
        (GOOD.replace("selective", "everything"), "promise"),
        (GOOD + "limit = 3\n", "limit"),
        (GOOD + "colour = 3\n", "colour"),
        ("promise = ", "not TOML"),
    ],
)
def test_a_broken_recipe_is_refused(folders: Folders, tmp_path: Path, text: str, named: str) -> None:
    """What is wrong is named."""
    path = tmp_path / "mine.toml"
    path.write_text(text)

    with pytest.raises(QuestionFileError, match=named):
        find_recipe(str(path), folders)


def test_an_unknown_recipe_is_answered_with_those_that_there_are(folders: Folders) -> None:
    """Whoever mistypes sees the names."""
    with pytest.raises(QuestionFileError, match=r"found cloud, default, quick"):
        find_recipe("defualt", folders)
