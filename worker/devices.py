"""Which device a worker trains on."""

import torch

from lab.errors import SettingsError


def choose_device(setting: str) -> torch.device:
    """The device of LAB_DEVICE; auto is cuda where there is one, then the cpu.

    Raises:
        SettingsError: a CUDA device was asked for that is not there.
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
    """The device in words, with the PyTorch that uses it; a CPU also with its threads."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, PyTorch {torch.__version__}"
    threads = "1 thread" if num_threads == 1 else f"{num_threads} threads"
    return f"cpu, {threads}, PyTorch {torch.__version__}"
