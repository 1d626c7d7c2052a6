"""The optimiser Muon for convolutional networks."""

import keras
from keras import ops

# With fewer inputs or outputs, as in the first convolution or the last layer, orthogonalisation has
# little effect.
FEWEST = 16


class Muon(keras.optimizers.Muon):
    """Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) for kernels of any rank.

    The update of a kernel is its momentum with all singular values set close to 1. Keras does this
    for matrices only; here a convolution's kernel, shape (H, W, I, O), is treated as the matrix
    (H·W·I, O). Updates are scaled to the size of AdamW's (Liu et al. 2025, arXiv:2502.16982). AdamW
    is used for all else: biases, normalisation, kernels with fewer than 16 inputs or outputs.
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
