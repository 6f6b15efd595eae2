"""The libraries that a device does without until it calibrates: the ``calibrate`` extra."""

from importlib.util import find_spec

from edgecascade.errors import LibraryMissingError

PACKAGES = {"sklearn": "scikit-learn"}
"""Packages whose name is not that of their module."""
TO_FIT = ("sklearn", "skl2onnx")
TO_REPORT = ("matplotlib",)


def check_installed(*modules: str) -> None:
    """Raise LibraryMissingError where one of the modules cannot be imported; it is looked for, not loaded."""
    for module in modules:
        if find_spec(module) is None:
            package = PACKAGES.get(module, module)
            raise LibraryMissingError(
                f"{package} is not installed: found no module {module}, wanted it to calibrate; "
                "run: pip install 'edgecascade[calibrate]'"
            )
