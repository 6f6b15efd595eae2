"""What a machine says it is, and what it keeps to itself."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from edgecascade.profile import Machine
from edgecascade.sensors import machine
from edgecascade.sensors.machine import virtual_of

Tree = Callable[[str], Path]
SMI = "GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-1b2c)\nGPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-3d4e)\n"

EXPECTED = {
    "pi": Machine(
        system="linux", arch="aarch64", cpu="Cortex-A76", board="Raspberry Pi 5 Model B Rev 1.0", cores=4,
        memory_bytes=8_192_000_000, virtual=False,
    ),
    "laptop": Machine(
        system="linux", arch="aarch64", cpu="11th Gen Intel(R) Core(TM) i7-1165G7", board="LENOVO 20XW004AGE",
        gpus=("Intel 0x9a49",), cores=4, memory_bytes=16_384_000_000, virtual=False, battery=True,
    ),
    "jetson": Machine(
        system="linux", arch="aarch64", cpu="Cortex-A78AE",
        board="NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super", gpus=("NVIDIA Orin",), cores=4,
        memory_bytes=7_782_400_000, virtual=False,
    ),
    "vm": Machine(
        system="linux", arch="aarch64", cpu="AMD EPYC", cores=4, memory_bytes=24_576_000_000, virtual=True,
        battery=False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPECTED)
def test_a_device_is_told_by_its_files(name: str, tree: Tree, commands: Any) -> None:
    """Processor, board, graphics, memory and battery as the tree says; what it does not say is "" or None."""
    found = machine(tree(name), system="Linux", arch="aarch64", environment={}, run=commands(), cores=lambda: 4)

    assert found == EXPECTED[name]


def test_a_phone_is_told_by_its_properties(
    tree: Tree, commands: Any, phone_says: str, termux: Mapping[str, str]
) -> None:
    """Within Termux getprop names maker, model and chip; a closed battery folder is unknown."""
    found = machine(tree("phone"), system="Android", environment=termux, run=commands(getprop=phone_says))

    assert (found.system, found.termux, found.battery) == ("linux", True, None)
    assert (found.cpu, found.board, found.gpus) == ("QTI SM8550", "samsung SM-S911B", ("Adreno740v2",))


def test_a_phone_without_properties_names_its_cores(tree: Tree, commands: Any, termux: Mapping[str, str]) -> None:
    """Where getprop says nothing, the parts of the cores do, the largest first."""
    found = machine(tree("phone"), system="linux", environment=termux, run=commands())

    assert (found.cpu, found.board) == ("Cortex-X3 + Cortex-A510", "")


def test_a_mac_is_told_by_sysctl(tmp_path: Path) -> None:
    """Chip and model by name; Apple's chips bring their own graphics."""
    said = {"machdep.cpu.brand_string": "Apple M2 Pro\n", "hw.model": "Mac14,9\n", "kern.hv_vmm_present": "0\n"}
    found = machine(tmp_path, system="Darwin", environment={}, run=lambda command: said.get(command[-1]))

    assert (found.cpu, found.board, found.gpus, found.virtual) == (
        "Apple M2 Pro", "Mac14,9", ("Apple M2 Pro GPU",), False,
    )  # fmt: skip


def test_windows_is_told_by_its_registry(tmp_path: Path) -> None:
    """Chip and product by name, a virtual machine by its product."""
    rows = "\n    ProcessorNameString    REG_SZ    Snapdragon(R) X Elite\n"
    bios = "\n    SystemManufacturer    REG_SZ    Microsoft Corporation\n    SystemProductName    REG_SZ    {}\n"
    found = [
        machine(
            tmp_path,
            system="Windows",
            environment={},
            run=lambda command, name=name: bios.format(name) if command[-1].endswith("BIOS") else rows,  # type: ignore[misc]
        )
        for name in ("Surface Pro", "Virtual Machine")
    ]

    assert [(one.cpu, one.virtual) for one in found] == [
        ("Snapdragon(R) X Elite", False),
        ("Snapdragon(R) X Elite", True),
    ]
    assert found[0].board == "Microsoft Corporation Surface Pro"


@pytest.mark.parametrize("driver", [True, False])
def test_cards_of_nvidia_are_named_once(driver: bool, plant: Any, commands: Any) -> None:
    """By the driver's files, or by nvidia-smi; the same card under /sys/class/drm is not counted again."""
    sheet = {"proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t\t NVIDIA GeForce RTX 4090\nIRQ: 5"}
    root = plant({"sys/class/drm/card0/device/vendor": "0x10de", **(sheet if driver else {})})
    found = machine(root, system="linux", environment={}, run=commands(nvidia_smi=SMI))

    assert found.gpus == (("NVIDIA GeForce RTX 4090",) if driver else ("NVIDIA H100 80GB HBM3",) * 2)


def test_an_empty_disk_says_nothing(tmp_path: Path, commands: Any) -> None:
    """No file and no command: every field is unknown, and nothing is raised."""
    found = machine(tmp_path, system="linux", environment={}, run=commands())

    assert (found.cpu, found.board, found.gpus, found.virtual) == ("", "", (), None)


@pytest.mark.parametrize(
    ("names", "virtual"),
    [
        ("QEMU Standard PC", True),
        ("Google Google Compute Engine", True),
        ("Amazon EC2 c7g.large", True),
        ("Amazon EC2 c7g.metal", False),
        ("Raspberry Pi 5 Model B", False),
        ("", None),
    ],
)
def test_a_hypervisor_gives_itself_away(names: str, virtual: bool | None) -> None:
    """Makers of virtual machines write their names where boards have theirs."""
    assert virtual_of(None, names) is virtual


def test_this_machine_answers() -> None:
    """The very machine that tests run on has a core, memory and an architecture."""
    found = machine()

    assert found.cores >= 1 and found.memory_bytes > 0 and found.arch
