"""A network with one hidden layer, and what it learns: which of two spirals a point is on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

HIDDEN = 32
BATCH = 50
RATE = 1.0


def spirals(seed: int, count: int = 1000) -> tuple[Floats, Floats]:
    """Points, and 0 or 1 for each."""
    random = np.random.default_rng((seed, 0))
    labels = np.arange(count) % 2
    angle = np.sqrt(random.random(count)) * 3 * np.pi
    turned = angle + np.pi * labels
    points = np.stack((angle * np.cos(turned), angle * np.sin(turned)), axis=1) / (3 * np.pi)
    return points + random.normal(0, 0.02, points.shape), labels[:, None].astype(np.float64)


@dataclass
class Network:
    first: Floats
    shift: Floats
    second: Floats
    last: Floats

    @classmethod
    def new(cls, seed: int) -> "Network":
        random = np.random.default_rng((seed, 1))
        return cls(
            random.normal(0, 2, (2, HIDDEN)),
            random.normal(0, 1, (1, HIDDEN)),
            random.normal(0, 0.3, (HIDDEN, 1)),
            np.zeros((1, 1)),
        )

    def weights(self) -> Sequence[Floats]:
        return self.first, self.shift, self.second, self.last

    def train(self, points: Floats, labels: Floats, *, seed: Sequence[int]) -> None:
        """One epoch. The same seed takes the points in the same order, wherever it runs."""
        for chosen in np.random.default_rng((*seed, 2)).permutation(len(points)).reshape(-1, BATCH):
            x, y = points[chosen], labels[chosen]
            hidden = np.tanh(x @ self.first + self.shift)
            error = (_sigmoid(hidden @ self.second + self.last) - y) / len(x)
            back = error @ self.second.T * (1 - hidden**2)
            self.second -= RATE * hidden.T @ error
            self.last -= RATE * error.sum(0, keepdims=True)
            self.first -= RATE * x.T @ back
            self.shift -= RATE * back.sum(0, keepdims=True)

    def accuracy(self, points: Floats, labels: Floats) -> float:
        hidden = np.tanh(points @ self.first + self.shift)
        return float(((_sigmoid(hidden @ self.second + self.last) > 0.5) == labels).mean())

    def save(self, file: IO[bytes]) -> None:
        np.savez(file, *self.weights())

    @classmethod
    def load(cls, file: IO[bytes]) -> "Network":
        with np.load(file) as kept:
            found: list[Any] = [kept[name] for name in kept.files]
        return cls(*found)


def _sigmoid(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-x))
