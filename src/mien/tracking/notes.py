"""Descriptions of runs, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlflow.entities import Run

from mien import tracking

# Maximum length of a version's description; a database rejects more.
LONGEST = 5000
CUT = "The complete card is the artefact `model_card.md` of the pipeline's run."


def about_model(model: tracking.TrackedModel, model_id: str, members: Mapping[str, Run]) -> str:
    """Return the description of a model's run.

    Args:
        model: the model.
        model_id: its id in MLflow, by which it is loaded.
        members: runs of the models that an ensemble combines, by name.
    """
    parts = [_combined(model, members) if members else _net(model)]
    if tuning := model.validation.get("tuning"):
        parts.append(_tuned(tuning))
    parts += [
        f"Macro-F1 {_interval(model.validation, 'macro_f1')} on validation, "
        f"{_interval(model.test, 'macro_f1')} on test.",
        f'Load it: `mlflow.pyfunc.load_model("models:/{model_id}")`',
    ]
    return "\n\n".join(parts)


def _net(model: tracking.TrackedModel) -> str:
    spec = model.record["spec"]
    return (
        f"**{spec['arch']}**, {model.validation['parameters']:,} parameters, "
        f"{model.validation['multiply_adds']:,} multiply-adds per image; "
        f"classes {', '.join(spec['classes'])}."
    )


def _tuned(tuning: Mapping[str, Any]) -> str:
    counts = ", ".join(f"{tuning[state]} {state}" for state in ("complete", "pruned", "failed"))
    text = f"{tuning['trials']} trials ({counts})"
    # None if no trial was complete.
    if tuning["best_trial"] is not None:
        value = f"{tuning['metric']} {tuning['best_value']:.3f}"
        text += f"; the best is trial {tuning['best_trial']} with {value}"
    text += f". Chosen: the {tuning['chosen']}."
    if tuning.get("difference"):
        gain = _difference(tuning["difference"])
        text += f" Trained in full, the best minus the start in macro-F1 on validation: {gain}."
    return text


def _combined(model: tracking.TrackedModel, members: Mapping[str, Run]) -> str:
    links = ", ".join(_link(name, run) for name, run in members.items())
    return (
        f"**{model.record['combination']['method']}** of {links}; classes "
        f"{', '.join(model.record['spec']['classes'])}. Cross-fitted on validation; macro-F1 there "
        f"minus that of the best member, {model.validation['best_member']}: "
        f"{_difference(model.validation['difference'])}."
    )


def about_pipeline(
    models: Sequence[tracking.TrackedModel],
    members: Mapping[str, Run],
    evaluation: Mapping[str, Any],
) -> str:
    """Return the description of a pipeline's run: a row for each model.

    Args:
        models: the models of the pipeline.
        members: their runs, by name.
        evaluation: content of metrics/evaluate.json.
    """
    columns = (
        *("model", "architecture", "macro-F1 on validation", "macro-F1 on test"),
        *("accuracy on test", "macro-F1 minus champion's", "McNemar p"),
    )
    rows = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for model in models:
        name = model.record["name"]
        paired = evaluation.get("compared", {}).get(name)
        cells = [
            _link(name, members[name]) + (" (champion)" if name == evaluation["champion"] else ""),
            model.record["spec"]["arch"],
            _interval(model.validation, "macro_f1"),
            _interval(model.test, "macro_f1"),
            _interval(model.test, "accuracy"),
            _difference(paired) if paired else "",
            _chance(paired["mcnemar_p"]) if paired else "",
        ]
        rows.append("".join(f"| {cell} " if cell else "| " for cell in cells) + "|")
    return (
        "\n".join(rows) + "\n\nIn brackets: 95 % bootstrap intervals. The champion is chosen on "
        "validation; the last two columns compare with it on the same test images."
    )


def about_version(served: str, card: str) -> str:
    """Return the notes of a registered version: its interface, and as much of its card as fits.

    Args:
        served: description of input and output.
        card: the model card, Markdown; may be empty.
    """
    notes = f"{served}\n\n{card}".rstrip()
    if len(notes) <= LONGEST:
        return notes
    parts = notes[: LONGEST - len(CUT)].split("\n\n")[:-1]
    while parts[-1].startswith("#"):
        parts.pop()
    return "\n\n".join([*parts, CUT])


def _link(name: str, run: Run) -> str:
    return f"[{name}](#/experiments/{run.info.experiment_id}/runs/{run.info.run_id})"


def _interval(score: Mapping[str, Any], name: str) -> str:
    return f"{score[name]:.3f} ({score[f'{name}_low']:.3f} to {score[f'{name}_high']:.3f})"


def _chance(p: float) -> str:
    return f"{p:.2g}" if p >= 0.001 else "< 0.001"


def _difference(paired: Mapping[str, Any]) -> str:
    """Return the difference in macro-F1 from a result of `metrics.paired`."""
    name = "macro_f1_difference"
    return f"{paired[name]:+.3f} ({paired[f'{name}_low']:+.3f} to {paired[f'{name}_high']:+.3f})"
