"""Changes as Markdown, for a terminal, a job summary and a comment."""

from collections.abc import Iterable, Mapping, Sequence

from mien.report.changes import Changes, Score, Value

# More rows would hide the rest, and GitHub rejects comments above 65,536 characters.
ROWS = 60


def markdown(changes: Changes) -> str:
    """Return the changes as a page in GitHub's Markdown."""
    before, after = changes.before, changes.after
    parts = [f"### {after.title} against {before.title}"]
    if changes.stale:
        rows = [[f"`{stage}`", ", ".join(reasons)] for stage, reasons in changes.stale.items()]
        text = "dvc.lock is out of date for these stages; run `make` and commit the result."
        parts += [f"**Stale.** {text}", _table(["stage", "changed since"], rows)]
    if before.champion != after.champion:
        parts.append(f"The champion was `{before.champion}` and is `{after.champion}`.")
    if changes.scores:
        heads = ["model", "score", before.title, after.title, "change", "beyond chance?"]
        rows = [
            [
                f"`{score.model}`",
                score.name,
                interval(score.before),
                interval(score.after),
                arrow(score),
                verdict(score),
            ]
            for score in changes.scores
        ]
        parts += [_table(heads, rows), NOTE]
    if changes.unchanged:
        names = ", ".join(f"`{name}`" for name in changes.unchanged)
        parts.append(f"Scores as before: {names}.")
    elif not changes.scores:
        parts.append("There are no scores on either side.")
    if changes.params:
        heads = ["param", before.title, after.title]
        parts.append(_table(heads, map(_row, changes.params)))
    else:
        parts.append("No param differs.")
    if changes.numbers:
        heads = ["number", before.title, after.title]
        table = _table(heads, map(_row, changes.numbers))
        parts.append(f"<details><summary>Other numbers</summary>\n\n{table}\n\n</details>")
    return "\n\n".join(parts) + "\n"


NOTE = (
    "In brackets: 95 % intervals. A change is beyond chance if the interval of the difference, in "
    "the last column, excludes zero. Paired: measured on the same images; otherwise the two scores "
    "are treated as independent, which is conservative."
)
ABSENT = "-"


def interval(score: Mapping[str, float | None]) -> str:
    """Return a score with its interval, a dash if there is none."""
    value, low, high = score.values()
    if value is None:
        return ABSENT
    return f"{value:.3f}" if low is None else f"{value:.3f} ({low:.3f} to {high:.3f})"


def arrow(score: Score) -> str:
    """Return the direction and the size of a score's change."""
    change = score.difference
    if change is None:
        return "new" if score.before[""] is None else "gone"
    sign = "▲" if change > 0 else "▼" if change < 0 else "="
    return f"{sign} {change:+.3f}" if change else sign


def verdict(score: Score) -> str:
    """Return whether the change is beyond chance, with the interval of the difference."""
    if score.interval is None or not score.difference:
        return "" if score.interval is None else "no"
    low, high = score.interval
    answer = "**yes**" if score.significant else "no"
    return f"{answer} ({low:+.3f} to {high:+.3f}{', paired' if score.paired else ''})"


def _row(value: Value) -> list[str]:
    sides = (ABSENT if side is None else f"`{side}`" for side in (value.before, value.after))
    return [f"`{value.name}`", *sides]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rows = list(rows)
    lines = [heads, ["---"] * len(heads), *rows[:ROWS]]
    # A bar would end the cell, even in code.
    text = [f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines]
    if len(rows) > ROWS:
        text.append(f"\nand {len(rows) - ROWS} more")
    return "\n".join(text)
