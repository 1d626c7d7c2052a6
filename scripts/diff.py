"""Show what changed since a Git revision: scores, params, stale stages; used by `make diff`.

Writes Markdown to standard output, and a picture of both sides for each changed model to a folder.
"""

import argparse
import shutil
import sys
from pathlib import Path

from mien import params
from mien.errors import MienError
from mien.figures import save
from mien.report import changes, staleness, states
from mien.report.charts import both_sides
from mien.report.markdown import markdown


def main() -> None:
    """Write the changes; with --check, exit with code 1 if they may not be merged."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("revision", help="commit, branch or tag to compare the workspace with")
    parser.add_argument("--output", type=Path, help="file for the Markdown; default: print it")
    parser.add_argument("--images", type=Path, default=Path(".mien/diff"), help="%(default)s")
    parser.add_argument(
        "--check",
        action="store_true",
        help="fail if a stage is stale or the champion fell by more than ci.tolerance",
    )
    given = parser.parse_args()
    try:
        before, after = states.revision(given.revision), states.workspace()
        found = changes.compare(before, after, staleness.stale(after))
        faults = list(refused(found)) if given.check else []
    except MienError as error:
        sys.exit(f"diff: {error}")
    shutil.rmtree(given.images, ignore_errors=True)
    given.images.mkdir(parents=True)
    for model in found.models:
        save(both_sides(model, before, after), given.images / f"{model}.png")
    if given.output:
        given.output.write_text(markdown(found), encoding="utf-8")
    else:
        print(markdown(found))
    if faults:
        sys.exit("\n".join(faults))


def refused(found: changes.Changes) -> list[str]:
    """Return reasons why the workspace may not be merged, one per line."""
    lines = [
        f"diff: {stage} is stale in dvc.lock ({', '.join(reasons)}); run `make`, commit the result"
        for stage, reasons in found.stale.items()
    ]
    tolerance, fall = params.load().ci.tolerance, changes.fallen(found)
    if tolerance is not None and fall is not None and fall > tolerance:
        lines.append(
            f"diff: the champion's macro-F1 on validation fell by {fall:.4f}, "
            f"more than ci.tolerance ({tolerance:g})"
        )
    return lines


if __name__ == "__main__":
    main()
