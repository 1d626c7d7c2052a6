"""A video's expressions over time, as a chart."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from mien.figures import colours
from mien.inference.output import Record

# Maximum number of faces in the chart, those seen longest; with more they would be too small.
MOST = 6


def timeline(records: Sequence[Record], classes: Sequence[str], every: float) -> Figure:
    """Return a chart of the probabilities over time, a band per class and a panel per face.

    Args:
        records: the frames of one video, in order, from `output.record`.
        classes: names, from the lowest band upwards.
        every: seconds between frames.
    """
    times = np.array([one["time"] for one in records])
    tracks: dict[int, np.ndarray] = {}
    for frame, one in enumerate(records):
        for face in one["faces"]:
            shares = tracks.setdefault(face["track"], np.zeros((len(times), len(classes))))
            shares[frame] = [face["probabilities"][label] for label in classes]
    longest = sorted(tracks, key=lambda track: (-np.count_nonzero(tracks[track].any(1)), track))
    shown = sorted(longest[:MOST])
    figure = Figure(figsize=(10, 1.2 + 1.5 * max(1, len(shown))), layout="constrained")
    more = f", the {MOST} seen longest of {len(tracks)}" if len(tracks) > MOST else ""
    figure.suptitle(f"{Path(records[0]['image']).name}: expression of each face{more}")
    panels = figure.subplots(max(1, len(shown)), 1, sharex=True, squeeze=False)[:, 0]
    tones = colours(classes)
    # Each frame covers the time until the next one.
    edges = np.append(times, times[-1] + every)
    for panel, track in zip(panels, shown, strict=False):
        bands = np.cumsum(tracks[track][np.append(np.arange(len(times)), -1)], axis=1)
        below = np.zeros(len(edges))
        for label, above in zip(classes, bands.T, strict=True):
            panel.fill_between(
                edges, below, above, step="post", color=tones[label], label=label, linewidth=0
            )
            below = above
        panel.set_ylabel(f"face {track}")
    for panel in panels:
        panel.set(xlim=(edges[0], edges[-1]), ylim=(0, 1), yticks=(0, 0.5, 1))
    panels[-1].set_xlabel("time (s)")
    figure.supylabel("probability (0 to 1)", fontsize=10)
    if shown:
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles[::-1], labels[::-1], loc="outside right upper", frameon=False)
    else:
        panels[0].text(0.5, 0.5, "no face found", transform=panels[0].transAxes, ha="center")
    return figure
