"""`mini_xception` is the paper's."""

from nets import spec

from mien import models


def test_mini_xception_has_as_many_parameters_as_the_paper_s():
    seven = spec("mini_xception", image_size=64)
    assert models.cost(models.build(seven))[0] == 58_423
