"""Power meters, one kind a file, and the energy of a span.

meter      what every meter has          finding   which there are, the widest first; why there is none
energy     joules of a block             battery   discharge of a battery: the whole device
hwmon      INA3221 of a Jetson, others   pmic      Raspberry Pi 5
rapl       x86 processors                nvidia    NVML, nvidia-smi            powermetrics  macOS
"""
