"""Random choices that leave nothing out."""

import random
from collections.abc import Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class ShuffledGenerator(Generic[T]):
    """Yields items in random order, reshuffled when all are drawn, so that a short run sees each of them."""

    def __init__(self, rng: random.Random, cards: Sequence[T]) -> None:
        self._rng = rng
        self._cards = list(cards)
        self._left: list[T] = []

    def draw(self) -> T:
        """The next card."""
        if not self._left:
            self._left = self._rng.sample(self._cards, len(self._cards))
        return self._left.pop()
