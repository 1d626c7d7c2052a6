"""Muon for nets of convolutions."""

import keras
from keras import ops

# With fewer inputs or outputs, as in a first convolution of grey images or a last layer, there is
# little to make orthogonal.
FEWEST = 16


class Muon(keras.optimizers.Muon):
    """Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) for kernels of any rank.

    Each step of a kernel is its momentum with all singular values brought near 1. Keras does so
    for matrices alone; here a convolution's kernel, shape (H, W, I, O), counts as the matrix
    (H·W·I, O). Steps are scaled to the size of AdamW's (Liu et al. 2025, arXiv:2502.16982), which
    everything else takes: biases, normalisation, and kernels with fewer than 16 inputs or outputs.
    """

    def _should_use_adamw(self, variable: keras.Variable) -> bool:
        return len(variable.shape) < 2 or min(variable.shape[-2:]) < FEWEST

    def _muon_update_step(
        self, gradient: keras.KerasTensor, variable: keras.Variable, lr: float, m: keras.Variable
    ) -> None:
        self.assign_add(m, ops.add(gradient, m * (self.momentum - 1)))
        step = ops.add(gradient, self.momentum * m) if self.nesterov else m
        matrix = ops.reshape(step, (-1, variable.shape[-1]))
        matrix = self.lr_adjust(lr * self.zeropower_via_newtonschulz5(matrix, self.ns_steps))
        self.assign_sub(variable, ops.reshape(matrix, variable.shape))
