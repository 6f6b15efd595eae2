"""What this machine is: processor, board, graphics, cores, memory; told by files, or by short commands.

Linux      /proc/cpuinfo, /proc/device-tree, /sys/class/dmi, /sys/class/drm, /proc/driver/nvidia
Android    the same, and getprop, where Termux is what we run in
macOS      sysctl                    Windows   the registry's hardware description, by reg.exe
NVIDIA     nvidia-smi -L, where its driver shows no files
"""

import functools
import os
import platform
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from edgecascade.profile import Machine
from edgecascade.sensors.load import physical_cores
from edgecascade.sensors.memory import total_memory
from edgecascade.sensors.reading import Run, entries, first_fields, text, told
from edgecascade.sensors.supply import has_battery

ROOT = Path("/")
told_once: Run = functools.cache(told)
"""What a machine is does not change, and on some it takes a command a third of a second to say so."""

VENDORS = {"0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel"}
TEGRA = {"tegra210": "Tegra X1", "tegra186": "Tegra X2", "tegra194": "Xavier", "tegra234": "Orin", "tegra264": "Thor"}
ARM_CORES = {
    "0xd03": "Cortex-A53", "0xd05": "Cortex-A55", "0xd07": "Cortex-A57", "0xd08": "Cortex-A72", "0xd09": "Cortex-A73",
    "0xd0a": "Cortex-A75", "0xd0b": "Cortex-A76", "0xd0c": "Neoverse-N1", "0xd0d": "Cortex-A77", "0xd40": "Neoverse-V1",
    "0xd41": "Cortex-A78", "0xd42": "Cortex-A78AE", "0xd44": "Cortex-X1", "0xd46": "Cortex-A510",
    "0xd47": "Cortex-A710", "0xd48": "Cortex-X2", "0xd49": "Neoverse-N2", "0xd4d": "Cortex-A715", "0xd4e": "Cortex-X3",
    "0xd4f": "Neoverse-V2", "0xd80": "Cortex-A520", "0xd81": "Cortex-A720", "0xd82": "Cortex-X4",
}  # fmt: skip
"""Parts of the implementer 0x41, Arm; from util-linux's lscpu-arm.c."""
HYPERVISORS = re.compile(
    r"\b(qemu|kvm|bochs|vmware|virtualbox|innotek|xen|parallels|openstack|google compute engine|virtual machine|"
    r"firecracker|cloud-hypervisor|dummy-virt|digitalocean|hetzner vserver|amazon ec2(?!.*metal))\b",
    re.IGNORECASE,
)
BLANK = re.compile(
    r"o\.e\.m|default string|system manufacturer|system product|not specified|^none$|^0+$", re.IGNORECASE
)
"""What makers leave in the fields that they did not fill in."""


def machine(
    root: Path = ROOT,
    *,
    system: str | None = None,
    arch: str | None = None,
    environment: Mapping[str, str] = os.environ,
    run: Run = told_once,
    cores: Callable[[], int] = physical_cores,
) -> Machine:
    """Return what this machine says it is; what it does not say is "" or None. Raises nothing."""
    system = (system or platform.system()).lower()
    if system == "android":  # what Python says there from 3.13 on
        system = "linux"
    termux = is_termux(environment)
    if system == "darwin":
        cpu, board, virtual = _of_macos(run)
    elif system == "linux":
        cpu, board, virtual = _of_linux(root, _properties(run) if termux else {})
    else:
        cpu, board, virtual = _of_windows(run)
    return Machine(
        system=system,
        arch=arch or platform.machine().lower(),
        cpu=cpu,
        board=board,
        gpus=_gpus(root, run) or ((f"{cpu} GPU",) if system == "darwin" and cpu.startswith("Apple") else ()),
        cores=cores(),
        memory_bytes=total_memory(root),
        virtual=virtual,
        battery=has_battery(root),
        termux=termux,
    )


def is_termux(environment: Mapping[str, str]) -> bool:
    """Return whether we run in Termux, a Linux userland on Android.

    >>> is_termux({"PREFIX": "/data/data/com.termux/files/usr"}), is_termux({"PREFIX": "/usr"})
    (True, False)
    """
    return "com.termux" in environment.get("PREFIX", "") or "TERMUX_VERSION" in environment


def cpu_of(cpuinfo: str | None) -> str:
    r"""Return the processor's name in /proc/cpuinfo; of a bare Arm part number, the names of its cores, largest first.

    >>> cpu_of("model name\t: Intel(R) N100")
    'Intel(R) N100'
    >>> cpu_of("CPU implementer\t: 0x41\nCPU part\t: 0xd05\n\nCPU part\t: 0xd0b")
    'Cortex-A76 + Cortex-A55'
    """
    rows = first_fields(cpuinfo)
    if name := rows.get("model name") or rows.get("uarch"):
        return name
    if rows.get("CPU implementer") != "0x41":
        return rows.get("Hardware", "")
    parts = sorted(set(re.findall(r"^CPU part\s*: (0x\w+)", cpuinfo or "", re.MULTILINE)), reverse=True)
    return " + ".join(ARM_CORES[part] for part in parts if part in ARM_CORES) or rows.get("Hardware", "")


def board_of(vendor: str | None, product: str | None) -> str:
    """Return a maker and a product as one name; makers repeat themselves, and leave fields blank.

    >>> board_of("LENOVO", "20XW004AGE"), board_of("HP", "HP EliteBook"), board_of("To be filled by O.E.M.", None)
    ('LENOVO 20XW004AGE', 'HP EliteBook', '')
    """
    vendor, product = ("" if BLANK.search(name or "") else name or "" for name in (vendor, product))
    return product if vendor and product.lower().startswith(vendor.lower()) else f"{vendor} {product}".strip()


def smi_names(found: str | None) -> tuple[str, ...]:
    """Return the names in what ``nvidia-smi -L`` prints.

    >>> smi_names("GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-1b)")
    ('NVIDIA H100 80GB HBM3',)
    """
    return tuple(re.findall(r"^GPU \d+: (.+?) \(UUID", found or "", re.MULTILINE))


def _of_linux(root: Path, properties: Mapping[str, str]) -> tuple[str, str, bool | None]:
    """Return processor, board, and whether there is a machine around this one."""
    cpuinfo = text(root / "proc/cpuinfo")
    dmi = root / "sys/class/dmi/id"
    vendor, product = text(dmi / "sys_vendor"), text(dmi / "product_name")
    board = text(root / "proc/device-tree/model") or board_of(vendor, product)
    board = board or board_of(text(dmi / "board_vendor"), text(dmi / "board_name"))
    maker, soc = properties.get("ro.soc.manufacturer"), properties.get("ro.soc.model")
    cpu = board_of(maker, soc) or cpu_of(cpuinfo)
    phone = board_of(properties.get("ro.product.manufacturer"), properties.get("ro.product.model"))
    return cpu, phone or board, virtual_of(cpuinfo, " ".join((vendor or "", product or "", board)))


def virtual_of(cpuinfo: str | None, names: str) -> bool | None:
    """Return whether a processor's flags or a board's names tell of a hypervisor; None where neither says anything.

    >>> virtual_of("flags : fpu hypervisor", ""), virtual_of("flags : fpu", "LENOVO"), virtual_of("", "")
    (True, False, None)
    """
    flags = first_fields(cpuinfo).get("flags", "").split()
    if "hypervisor" in flags or HYPERVISORS.search(names):
        return True
    return False if flags or names.strip() else None


def _properties(run: Run) -> dict[str, str]:
    return dict(re.findall(r"^\[(.+?)\]: \[(.*?)\]$", run(("getprop",)) or "", re.MULTILINE))


def _of_macos(run: Run) -> tuple[str, str, bool | None]:
    cpu, board, inside = (
        (run(("sysctl", "-n", name)) or "").strip()
        for name in ("machdep.cpu.brand_string", "hw.model", "kern.hv_vmm_present")
    )
    return cpu, board, {"1": True, "0": False}.get(inside)


def registry(found: str | None) -> dict[str, str]:
    r"""Return the texts in what ``reg query`` prints.

    >>> registry("HKEY_LOCAL_MACHINE\\HARDWARE\n    ProcessorNameString    REG_SZ    Snapdragon(R) X Elite")
    {'ProcessorNameString': 'Snapdragon(R) X Elite'}
    """
    return dict(re.findall(r"^\s+(\w+)\s+REG_SZ\s+(.*?)\s*$", found or "", re.MULTILINE))


def _of_windows(run: Run) -> tuple[str, str, bool | None]:
    cpu, bios = (
        registry(run(("reg", "query", rf"HKLM\HARDWARE\DESCRIPTION\System\{key}")))
        for key in (r"CentralProcessor\0", "BIOS")
    )
    board = board_of(bios.get("SystemManufacturer"), bios.get("SystemProductName"))
    return cpu.get("ProcessorNameString", "") or platform.processor(), board, virtual_of(None, board)


def _gpus(root: Path, run: Run) -> tuple[str, ...]:
    """Return the graphics processors that can be told by name or maker."""
    sheets = entries(root / "proc/driver/nvidia/gpus", "*/information")
    nvidia = tuple(name for sheet in sheets if (name := first_fields(text(sheet)).get("Model"))) or smi_names(
        run(("nvidia-smi", "-L"))
    )
    cards = []
    for card in entries(root / "sys/class/drm", "card[0-9]*"):
        maker = VENDORS.get(text(card / "device/vendor") or "")
        if maker and not (nvidia and maker == "NVIDIA"):
            cards.append(f"{maker} {text(card / 'device/device') or ''}".strip())
    return (*nvidia, *cards, *_tegra(root), *_adreno(root))


def _tegra(root: Path) -> tuple[str, ...]:
    compatible = text(root / "proc/device-tree/compatible") or ""
    return tuple(f"NVIDIA {name}" for chip, name in TEGRA.items() if f"nvidia,{chip}" in compatible)


def _adreno(root: Path) -> tuple[str, ...]:
    model = text(root / "sys/class/kgsl/kgsl-3d0/gpu_model")
    return (model,) if model else ()
