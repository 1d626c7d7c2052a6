"""Batches whose order and augmentation derive from (seed, epoch, batch) only."""

import keras
import numpy as np

from mien.faces import Faces
from mien.params import Augment
from mien.training.augmentation import vary


class Batches(keras.utils.PyDataset):
    """One epoch of training: every image once, in random order, in batches of equal size."""

    def __init__(
        self,
        faces: Faces,
        batch_size: int,
        mixup: float,
        augment: Augment,
        seed: int,
        epoch: int,
        devices: int = 1,
    ) -> None:
        """Draw the order of the images.

        Args:
            faces: the training set.
            batch_size: maximum batch size; sizes differ by at most one image, because a small
                last batch would disturb batch normalisation.
            mixup: alpha of the Beta distribution, 0 for none.
            augment: augments the images if its `each_epoch` is set.
            seed: seed of the draws, together with `epoch` and the number of the batch.
            epoch: counted from 0.
            devices: number of devices that share each batch evenly. Batch sizes are multiples
                of it and differ by at most one multiple; the images needed for that, different
                ones in each epoch, occur twice.
        """
        # With more than one, Keras leaves off TensorFlow's tuning of the input pipeline, which
        # ends an epoch up to twice as late as its last batch (docs/benchmarks.md).
        super().__init__(workers=2 if keras.backend.backend() == "tensorflow" else 1)
        self._faces, self._targets = faces, faces.soft_targets()
        self._mixup, self._augment = mixup, augment
        self._seed, self._epoch = seed, epoch
        # 0 seeds the order, 1 and up the batches.
        order = np.random.default_rng((seed, epoch, 0)).permutation(len(faces))
        shares = np.resize(order, (-(-len(faces) // devices), devices))
        count = -(-len(shares) // max(1, batch_size // devices))
        self._rows = [share.ravel() for share in np.array_split(shares, count)]

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self._rows)

    def __getitem__(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
        """Return images, float32 (B, S, S), 0 to 255, and targets, float32 (B, C)."""
        rows = self._rows[batch]
        rng = np.random.default_rng((self._seed, self._epoch, 1 + batch))
        images = self._faces.images[rows]
        if self._augment.each_epoch:
            images = vary(images, rng, self._augment)
        images, targets = images.astype(np.float32), self._targets[rows]
        return mix(images, targets, self._mixup, rng) if self._mixup else (images, targets)


def mix(
    images: np.ndarray, targets: np.ndarray, alpha: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return each image and target mixed with those of a random partner.

    Mixup (Zhang et al. 2018, arXiv:1710.09412) with a weight for each pair.

    Args:
        images: float32, shape (B, S, S).
        targets: float32, shape (B, C).
        alpha: weights follow Beta(alpha, alpha).
        rng: source of weights and partners.
    """
    weight = rng.beta(alpha, alpha, len(images)).astype(np.float32)
    partner = rng.permutation(len(images))
    shares = weight[:, None, None]
    return (
        shares * images + (1 - shares) * images[partner],
        shares[:, 0] * targets + (1 - shares[:, 0]) * targets[partner],
    )
