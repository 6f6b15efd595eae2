"""Small trees of files as real devices show them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

Plant = Callable[[Mapping[str, object]], Path]

MEMINFO = "MemTotal:       {total} kB\nMemFree:         100000 kB\nMemAvailable:   {free} kB\n"
INTEL = (
    "processor\t: 0\nmodel name\t: 11th Gen Intel(R) Core(TM) i7-1165G7\nflags\t\t: fpu vme avx2\n\nprocessor\t: 1\n"
)
PI_CORES = (
    "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n\nRevision\t: d04171\nModel\t\t: Raspberry Pi 5\n"
)
STAT = "cpu  1000 0 500 8000 100 0 10 0 0 0\ncpu0 1000 0 500 8000 100 0 10 0 0 0\nctxt 5\n"

PI = {
    "proc/cpuinfo": PI_CORES,
    "proc/meminfo": MEMINFO.format(total=8_000_000, free=6_000_000),
    "proc/stat": STAT,
    "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal",
    "sys/class/thermal/thermal_zone0/temp": 54300,
    "sys/class/thermal/cooling_device0/type": "pwm-fan",
    "sys/class/thermal/cooling_device0/cur_state": 2,
    "sys/class/hwmon/hwmon0/name": "cpu_thermal",
    "sys/class/hwmon/hwmon0/temp1_input": 54300,
    "sys/devices/platform/soc/soc:firmware/get_throttled": 0,
    "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq": 2400000,
    "sys/devices/system/cpu/cpufreq/policy0/cpuinfo_max_freq": 2400000,
}
PMIC = """ VDD_CORE_A current(7)=2.00000000A
 3V3_SYS_A current(1)=0.50000000A
 VDD_CORE_V volt(15)=0.90000000V
 3V3_SYS_V volt(9)=3.30000000V
 EXT5V_V volt(24)=5.15000000V
 BATT_V volt(25)=0.00000000V
"""

BATTERY = "sys/class/power_supply/BAT0/"
LAPTOP = {
    "proc/cpuinfo": INTEL,
    "proc/meminfo": MEMINFO.format(total=16_000_000, free=9_000_000),
    "proc/stat": STAT,
    "sys/class/dmi/id/sys_vendor": "LENOVO",
    "sys/class/dmi/id/product_name": "20XW004AGE",
    "sys/class/drm/card1/device/vendor": "0x8086",
    "sys/class/drm/card1/device/device": "0x9a49",
    "sys/class/drm/card1-eDP-1/status": "connected",
    "sys/class/power_supply/AC/type": "Mains",
    "sys/class/power_supply/AC/online": 0,
    BATTERY + "type": "Battery",
    BATTERY + "status": "Discharging",
    BATTERY + "capacity": 64,
    BATTERY + "power_now": 12_500_000,
    "sys/class/power_supply/mouse/type": "Battery",
    "sys/class/power_supply/mouse/scope": "Device",
    "sys/class/power_supply/mouse/status": "Discharging",
    "sys/class/power_supply/mouse/capacity": 5,
    "sys/class/thermal/thermal_zone0/temp": 61000,
    "sys/class/thermal/thermal_zone1/temp": 20000,
    "sys/class/thermal/cooling_device0/type": "Processor",
    "sys/class/thermal/cooling_device0/cur_state": 0,
    "sys/class/hwmon/hwmon0/name": "nvme",
    "sys/class/hwmon/hwmon0/temp1_input": 80000,
    "sys/class/hwmon/hwmon1/name": "coretemp",
    "sys/class/hwmon/hwmon1/temp1_input": 63000,
    "sys/class/hwmon/hwmon2/name": "BAT0",
    "sys/class/hwmon/hwmon2/power1_input": 12_500_000,
    "sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count": 7,
    "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq": 4700000,
    "sys/devices/system/cpu/cpufreq/policy0/cpuinfo_max_freq": 4700000,
    "sys/class/powercap/intel-rapl:0/name": "package-0",
    "sys/class/powercap/intel-rapl:0/energy_uj": 1_000_000,
    "sys/class/powercap/intel-rapl:0/max_energy_range_uj": 262_143_000_000,
    "sys/class/powercap/intel-rapl:0:0/name": "core",
    "sys/class/powercap/intel-rapl:0:0/energy_uj": 400_000,
}

CHIP = "sys/class/hwmon/hwmon1/"
JETSON = {
    "proc/cpuinfo": "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd42\n",
    "proc/meminfo": MEMINFO.format(total=7_600_000, free=5_000_000),
    "proc/device-tree/model": "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super\0",
    "proc/device-tree/compatible": "nvidia,p3768-0000+p3767-0005\0nvidia,p3767-0005\0nvidia,tegra234\0",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal",
    "sys/class/thermal/thermal_zone0/temp": 48562,
    CHIP + "name": "ina3221",
    CHIP + "in1_label": "VDD_IN",
    CHIP + "in1_input": 5000,
    CHIP + "curr1_input": 1200,
    CHIP + "in2_label": "VDD_CPU_GPU_CV",
    CHIP + "in2_input": 5000,
    CHIP + "curr2_input": 400,
    CHIP + "in7_label": "sum of shunt voltages",
    CHIP + "in7_input": 3,
}

PHONE = {
    "proc/cpuinfo": "CPU implementer\t: 0x41\nCPU part\t: 0xd46\n\nCPU implementer\t: 0x41\nCPU part\t: 0xd4e\n",
    "proc/meminfo": MEMINFO.format(total=11_500_000, free=4_000_000),
    "sys/class/kgsl/kgsl-3d0/gpu_model": "Adreno740v2",
}
TERMUX = {"PREFIX": "/data/data/com.termux/files/usr"}
GETPROP = """[ro.product.manufacturer]: [samsung]
[ro.product.model]: [SM-S911B]
[ro.soc.manufacturer]: [QTI]
[ro.soc.model]: [SM8550]
"""

VM = {
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx2 hypervisor\n",
    "proc/meminfo": MEMINFO.format(total=24_000_000, free=20_000_000),
    "proc/stat": STAT,
    "sys/class/power_supply": None,
    "sys/class/thermal": None,
}

TREES: dict[str, Mapping[str, object]] = {"pi": PI, "laptop": LAPTOP, "jetson": JETSON, "phone": PHONE, "vm": VM}


class Commands:
    """Answers commands from a table, by their first word, and notes what it was asked; others are missing."""

    def __init__(self, **answers: str) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def __call__(self, command: Sequence[str]) -> str | None:
        """Return the table's answer."""
        self.asked.append(command[0])
        return self.answers.get(command[0].replace("-", "_"))


class Clock:
    """Goes on by a step each time it is read."""

    def __init__(self, step: float = 0.0) -> None:
        self.now, self.step = 100.0, step

    def __call__(self) -> float:
        """Return the time."""
        self.now += self.step
        return self.now


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """Return what writes files below a root: path -> text; a folder where the text is None."""

    def planted(files: Mapping[str, object]) -> Path:
        for name, content in files.items():
            path = tmp_path / "root" / name
            (path if content is None else path.parent).mkdir(parents=True, exist_ok=True)
            if content is not None:
                path.write_text(f"{content}\n")
        return tmp_path / "root"

    return planted


@pytest.fixture
def tree(plant: Plant) -> Callable[[str], Path]:
    """Return what plants one of the devices by name."""
    return lambda name: plant(TREES[name])


@pytest.fixture
def commands() -> type[Commands]:
    """The class of scripted commands."""
    return Commands


@pytest.fixture
def clocks() -> type[Clock]:
    """The class of clocks."""
    return Clock


@pytest.fixture
def pmic_says() -> str:
    """What ``vcgencmd pmic_read_adc`` prints."""
    return PMIC


@pytest.fixture
def phone_says() -> str:
    """What ``getprop`` prints on a phone."""
    return GETPROP


@pytest.fixture
def termux() -> dict[str, str]:
    """The environment within Termux."""
    return TERMUX
