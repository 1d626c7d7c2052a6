"""A colour for each expression, the same in pictures and charts."""

from collections.abc import Sequence

# The palette of Okabe and Ito, which is safe for colour blindness; grey for neutral.
KNOWN = {
    "happy": "#F0E442",
    "surprise": "#56B4E9",
    "sad": "#0072B2",
    "angry": "#D55E00",
    "fear": "#CC79A7",
    "disgust": "#009E73",
    "neutral": "#B8B8B8",
}
OTHERS = ("#E69F00", "#8C564B", "#9467BD", "#17BECF", "#BCBD22")
UNKNOWN = "#FFFFFF"


def colours(classes: Sequence[str]) -> dict[str, str]:
    """Return the colour of each class, `#RRGGBB`."""
    others = [label for label in classes if label not in KNOWN]
    return {
        label: KNOWN.get(label) or OTHERS[others.index(label) % len(OTHERS)] for label in classes
    }
