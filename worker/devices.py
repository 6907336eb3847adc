"""The device a worker trains on."""

import torch

from lab.errors import SettingsError


def choose_device(setting: str) -> torch.device:
    """Choose the device for LAB_DEVICE; auto is CUDA where there is a device, else the CPU.

    Raises:
        SettingsError: the CUDA device does not exist.
    """
    if setting == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(setting)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SettingsError(
            f"LAB_DEVICE is {setting}, but this machine has {torch.cuda.device_count()} CUDA devices that "
            "PyTorch can use; set it to cpu or auto."
        )
    return device


def describe_device(device: torch.device, *, num_threads: int) -> str:
    """Describe the device and the PyTorch version; for a CPU also its number of threads."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, PyTorch {torch.__version__}"
    threads = "1 thread" if num_threads == 1 else f"{num_threads} threads"
    return f"cpu, {threads}, PyTorch {torch.__version__}"
