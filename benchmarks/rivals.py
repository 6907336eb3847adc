"""The pipelines that ours is measured against, as people write them; each trains one network."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from lab.datasets.load import ImageSet
from lab.experiments.configs import RunConfig
from lab.networks.build import build_network
from worker.training.augmentation import augment

TrainSteps = Callable[[int], None]


class _Pictures(Dataset[tuple[Tensor, int]]):
    """The pictures one by one through torchvision's transforms, as its own MNIST gives them."""

    def __init__(self, image_set: ImageSet, rotation_degrees: float) -> None:
        self._arrays = image_set.images.cpu().numpy()
        self._labels = image_set.labels.tolist()
        self._transform = transforms.Compose(
            [
                transforms.RandomRotation((-rotation_degrees, rotation_degrees), fill=(0,)),
                transforms.ToTensor(),
                transforms.Normalize((0.1307,), (0.3081,)),
            ]
        )

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._transform(Image.fromarray(self._arrays[index])), self._labels[index]


@dataclass
class _Rival:
    """A plain PyTorch network with its optimizer."""

    config: RunConfig
    device: torch.device

    def __post_init__(self) -> None:
        self.network = build_network(self.config).to(self.device)
        self.optimizer = torch.optim.SGD(
            self.network.parameters(), lr=self.config.learning_rate, momentum=self.config.momentum
        )

    def step(self, images: Tensor, labels: Tensor) -> Tensor:
        """One step with the penalties summed up in Python, parameter by parameter; gives the answers."""
        answers: Tensor = self.network(images)
        loss = F.nll_loss(answers, labels)
        if self.config.l1:
            loss = loss + self.config.l1 * sum(p.abs().sum() for p in self._list_penalized())
        if self.config.l2:
            loss = loss + self.config.l2 * sum(p.square().sum() for p in self._list_penalized())
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return answers

    def _list_penalized(self) -> list[nn.Parameter]:
        named = self.network.named_parameters()
        return [p for name, p in named if self.config.penalize == "all" or name.startswith("conv")]


def build_notebook(config: RunConfig, image_set: ImageSet) -> TrainSteps:
    """Train as notebooks do: a DataLoader, one transform per picture, the accuracy read at every step."""
    device = image_set.images.device
    rival = _Rival(config, device)
    loader = DataLoader(
        _Pictures(image_set, config.rotation_degrees), batch_size=config.batch_size, shuffle=True
    )

    def train_steps(num_steps: int) -> None:
        num_correct = 0
        for _, (images, labels) in zip(range(num_steps), loader, strict=False):
            answers = rival.step(images.to(device), labels.to(device))
            num_correct += int((answers.argmax(dim=1).cpu() == labels).sum().item())

    return train_steps


def build_eager(config: RunConfig, image_set: ImageSet) -> TrainSteps:
    """All pictures in one tensor on the device, whole batches turned at once; else plain PyTorch."""
    rival = _Rival(config, image_set.images.device)
    generator = torch.Generator(image_set.images.device).manual_seed(0)

    def train_steps(num_steps: int) -> None:
        order = torch.randperm(len(image_set), generator=generator, device=generator.device)
        for indices in order.split(config.batch_size)[:num_steps]:
            images = augment(
                image_set.images[indices], rotation_degrees=config.rotation_degrees, generator=generator
            )
            rival.step(images, image_set.labels[indices])

    return train_steps


def measure_seconds(action: Callable[[], None], *, device: torch.device) -> float:
    """Measure the seconds an action takes on the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    action()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started
