"""`compact` is a cheap net."""

from mien.models import registry


def test_compact_costs_less_than_the_nets_it_must_beat():
    costs = registry.measured_costs()
    for name in ("seed_cnn", "simple_cnn"):
        pairs = zip(costs["compact"], costs[name], strict=True)
        assert all(mine < other for mine, other in pairs)
