"""The page «Pipeline results»: results of `evaluate` and `prepare` in metrics/ and reports/."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

METRICS, REPORTS, PICTURES = Path("metrics"), Path("reports"), Path("data/pictures")
# Captions of the charts of a model, and of the pictures of its mistakes.
CHARTS = {
    "confusion": "Confusion matrix: which class is predicted as which.",
    "reliability": "Reliability: are 80 % of the answers with confidence 80 % right?",
    "roc": "ROC: the share of a class that is found, against the false positive rate.",
    "pr": "Precision and recall: how precise the answers are as more of a class is found.",
}
MISTAKES = {
    "mistakes": "The mistakes with the highest confidence.",
    "pairs": "For each class and each answer, the face with the highest confidence.",
}
SCORES = {"accuracy": "Accuracy", "macro_f1": "Macro F1", "roc_auc": "ROC-AUC"}
CURVES = {"val_macro_f1": "macro F1, validation", "val_loss": "loss, validation"}
# Models whose learning curves are shown at once at first: the best on validation.
MOST = 5
# Charts are drawn dark on white: turned over, hues kept, they suit a dark page.
DARK = """<style>[class*="st-key-chart"] img { filter: invert(.9) hue-rotate(180deg); }</style>"""


def show() -> None:
    """Show the page; if files of a part are missing or broken, it says so in one line."""
    st.title("Pipeline results")
    if st.context.theme.type == "dark":
        st.html(DARK)
    parts = {
        "Leaderboard": _leaderboard,
        "One model": _model,
        "Learning": _learning,
        "Robustness": _robustness,
        "Groups of persons": _groups,
        "Data": _audit,
        "Model card": _card,
    }
    for title, part in parts.items():
        if part is _groups and not _grouped():
            continue
        st.header(title)
        try:
            part()
        except FileNotFoundError as error:
            st.warning(f"`{error.filename}` is missing: run `dvc repro` and load this page again.")
        except (KeyError, TypeError, ValueError):
            st.error("The files are broken or from another version: run `dvc repro`.")


def _json(name: str) -> dict[str, Any]:
    return json.loads((METRICS / name).read_text())


def _interval(row: Any, score: str) -> str:
    """Return a score with its interval, without line breaks in the interval."""
    interval = f"({row[f'{score}_low']:.3f} to {row[f'{score}_high']:.3f})"
    return f"{row[score]:.3f} " + interval.replace(" ", "\N{NO-BREAK SPACE}")


def _p(value: float) -> str:
    if pd.isna(value):
        return ""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _leaderboard() -> None:
    table = pd.read_csv(REPORTS / "evaluate/leaderboard.csv")
    champion = _json("evaluate.json")["champion"]
    rows = [
        {
            "model": f"**{row['model']}** (champion)" if row["model"] == champion else row["model"],
            "architecture": row["arch"],
            "macro F1, validation": _interval(row, "validation_macro_f1"),
            "macro F1, test": _interval(row, "test_macro_f1"),
            "accuracy, test": _interval(row, "test_accuracy"),
            "p": _p(row["mcnemar_p"]),
        }
        for row in table.to_dict("records")
    ]
    st.table(pd.DataFrame(rows).set_index("model"))
    st.caption(
        "With 95 % bootstrap intervals, the best on validation first, where the champion is "
        "chosen. p: McNemar's exact test against the champion on the same test images."
    )
    _picture(REPORTS / "evaluate/leaderboard.png", "The scores on test with their intervals.")
    if (cost := REPORTS / "evaluate/cost.png").is_file():
        _picture(cost, "Accuracy against the work for one face.")


def _learning() -> None:
    curves = pd.read_csv(REPORTS / "evaluate/learning_curves.csv").set_index("model")
    board = pd.read_csv(REPORTS / "evaluate/leaderboard.csv")["model"]
    models = [name for name in board if name in curves.index]
    if len(models) > MOST:
        models = st.multiselect("Models", models, models[:MOST], key="curves")
    curves = curves.loc[models].reset_index()
    for column, (score, label) in zip(st.columns(len(CURVES)), CURVES.items(), strict=True):
        column.line_chart(
            curves.pivot_table(index="epoch", columns="model", values=score),
            x_label="epoch",
            y_label=label,
        )


def _robustness() -> None:
    clean = pd.read_csv(REPORTS / "evaluate/robustness.csv").query("severity == 0")
    _picture(
        REPORTS / "evaluate/robustness.png",
        "How far the champion's scores on test fall as the images are spoilt; without a fault "
        f"{clean['macro_f1'].item():.3f} macro F1.",
    )


def _grouped() -> dict[str, Any]:
    """Return the scores by group, empty where the data name none."""
    return _json("groups.json") if (METRICS / "groups.json").is_file() else {}


def _groups() -> None:
    champion = _json("evaluate.json")["champion"]
    for name, models in _grouped().items():
        found = models[champion]
        rows = {
            value: {
                "images": score["n"],
                "accuracy": _interval(score, "accuracy"),
                "macro F1": _interval(score, "macro_f1"),
            }
            for value, score in found["groups"].items()
        }
        st.table(pd.DataFrame.from_dict(rows, orient="index").rename_axis(name))
        if gap := found["gap"]:
            low, high = gap["difference_low"], gap["difference_high"]
            st.caption(
                f"The largest gap in accuracy: {gap['difference']:.3f} ({low:.3f} to {high:.3f}), "
                f"from {gap['best']} to {gap['worst']}."
            )


def _card() -> None:
    text = (REPORTS / "model_card.md").read_text(encoding="utf-8")
    with st.expander("What to know before the champion is used"):
        st.markdown(text)


def _model() -> None:
    evaluated = _json("evaluate.json")
    names = sorted(evaluated["models"], key=lambda name: name != evaluated["champion"])
    name = st.selectbox("Model", names, key="evaluated")
    scores = evaluated["models"][name]
    for column, (score, label) in zip(st.columns(len(SCORES)), SCORES.items(), strict=True):
        interval = f"{scores[f'{score}_low']:.3f} to {scores[f'{score}_high']:.3f}"
        column.metric(f"{label}, test ({interval})", f"{scores[score]:.3f}")
    for pair in zip(*[iter(CHARTS.items())] * 2, strict=True):
        for column, (chart, meaning) in zip(st.columns(2), pair, strict=True):
            with column:
                _picture(REPORTS / "evaluate" / name / f"{chart}.png", meaning)
    with st.expander("The confusion matrix and the scores of each class as numbers"):
        classes = scores["classes"]
        st.table(pd.DataFrame(scores["confusion"], index=classes, columns=classes))
        st.caption("Rows: the true class; columns: the answer; images.")
        each = pd.DataFrame.from_dict(scores["per_class"], orient="index")
        each = each.map("{:.3f}".format).assign(support=each["support"].map("{:.0f}".format))
        st.table(each.rename(columns=lambda score: score.replace("_", " ")))
    st.subheader("Worst mistakes")
    for column, (sheet, meaning) in zip(st.columns(2), MISTAKES.items(), strict=True):
        with column:
            _picture(PICTURES / "evaluate" / name / f"{sheet}.png", meaning)


def _audit() -> None:
    audit = _json("audit.json")
    st.markdown(
        f"The audit checked **{audit['images']:,} images**, dropped {audit['dropped']:,} and "
        f"kept {audit['kept']:,}."
    )
    left, right = st.columns(2)
    found = {
        finding: audit[finding]["images"] if isinstance(audit[finding], dict) else audit[finding]
        for finding in audit["dropped_by"]
    }
    table = pd.DataFrame({"found": found, "dropped": audit["dropped_by"]})
    table = table.sort_values("found", ascending=False, kind="stable").rename_axis("finding")
    left.table(table.rename(lambda finding: finding.replace("_", " ")))
    across = audit["near_duplicates"]["across_splits"]
    left.caption(
        "Images; one may have several findings and is dropped for one of them. Groups of near "
        f"duplicates in several splits: {across}."
    )
    with right:
        _picture(REPORTS / "audit/findings.png", "Findings by split.")
    with st.expander("Examples of the findings"):
        for finding in (finding for finding, images in found.items() if images):
            # Unreadable files cannot be drawn.
            if finding != "unreadable":
                title = finding.replace("_", " ").capitalize()
                _picture(PICTURES / "prepare" / f"{finding}.png", f"{title}.")


def _picture(path: Path, meaning: str) -> None:
    """Show a chart or a sheet of faces, or one line about how to get it."""
    if path.is_file():
        # Faces stay as they are on a dark page, charts do not.
        kind = "faces" if path.is_relative_to(PICTURES) else "chart"
        with st.container(key=f"{kind}-{path.as_posix()}"):
            st.image(str(path), meaning, alt=meaning)
    else:
        st.caption(f"{meaning} `{path}` is missing: run `dvc checkout` or `dvc repro`.")
