"""The model card: what a reader has to know before using the champion, as Markdown.

The headings follow Mitchell et al., Model Cards for Model Reporting, FAT* 2019 (arXiv:1810.03993).
"""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

from jinja2 import Environment, StrictUndefined
from scipy.stats import binomtest

from mien.evaluation.corruptions import CORRUPTIONS
from mien.params import Policy, Split

# Confusions that are named.
NAMED = 3
KINDS = {
    **dict.fromkeys(("angry", "contempt", "disgust", "fear", "sad"), "distress"),
    "happy": "reaction",
    "surprise": "reaction",
    "neutral": "rest",
}
# By the kind that is shown and the kind that is answered.
COSTS = {
    "distress": {
        "distress": "the need is seen but taken for another, and help goes the wrong way",
        "reaction": "distress or displeasure is overlooked, and the person shown goes without help",
        "rest": "distress or displeasure is overlooked, and the person shown goes without help",
    },
    "reaction": {
        "distress": "distress or displeasure is imputed, and the person shown bears suspicion",
        "reaction": "one reaction is taken for another, which misleads whoever counts them",
        "rest": "a reaction is missed, and whoever counts them counts too few",
    },
    "rest": {
        "distress": "distress or displeasure is imputed, and the person shown bears suspicion",
        "reaction": "a face at rest passes for a reaction, and whoever counts them counts too many",
    },
}
UNKNOWN = "who bears it depends on the use"

# Lines are joined and wrapped anew: see `_filled`.
TEMPLATE = """\
# Model card: {{ title }}

Written by the stage `card` from the pipeline's numbers; change those, not this file. In brackets:
95 % intervals.

{% if drawn %}
**The faces were drawn by a program. The figures show that the pipeline works; they say nothing
about pictures of people.**
{% endif %}

## Model details

{{ kind }}{{ ", a student of the ensemble" if evaluation.champion.startswith("distill_") }},
calibrated on validation: {{ "{:,}".format(card.parameters) }} parameters and
{{ "%.1f"|format(card.multiply_adds / 1e6) }} million multiply-adds a face. Reads a grey face,
{{ card.image_size }} by {{ card.image_size }} pixels, and returns the probabilities of
{{ card.classes|length }} expressions: {{ card.classes|join(", ") }}.

| net | architecture | parameters | SHA-256 of the weights |
|---|---|---|---|
{% for name, net in card.members.items() %}
| `{{ name }}` | `{{ net.arch }}` | {{ "{:,}".format(net.parameters) }} | {#
#}`{{ net.weights_sha256 }}` |
{% endfor %}

{% for name, net in card.members.items() if net.start is defined %}
- `{{ name }}` started from trained weights: {{ net.start.source }}, SHA-256
`{{ net.start.sha256 }}`{{ ". Terms: " if net.start.licence }}{{ net.start.licence }}. What they
were learnt from bears on what this model may be used for.
{% endfor %}

{% if export.error is defined %}
There is no ONNX file ({{ export.error }}).
{% else %}
In `models/export/`, with the share of validation faces that get the same class as from
`model.onnx`, which answers as Keras does to within {{ "%g"|format(export.difference) }}:
{% for name, version in export.versions.items() if version.kept %}
`{{ name }}.onnx` ({{ "%.1f"|format(version.bytes / 1e6) }} MB,
{{ "%.1f"|format(100 * version.agreement) }} %){{ "." if loop.last else "," }}
{% endfor %}
{% endif %}

## Intended use

For research and teaching, and for counting expressions in pictures of adults who agreed to it,
where a wrong answer costs little and nothing is decided about the person shown. The answer is the
expression that people would name, not what is felt: faces are weak evidence of feelings (Barrett et
al. 2019, doi:10.1177/1529100619832930).

Not for judging or sorting people (hiring, marking, insurance, policing, borders, diagnosis, lie
detection), not for watching those who do not know or cannot refuse, not for children. One of the
classes above is named for any picture, even one of another expression or without a face.

## Data

{{ "{:,}".format(audit.images) }} images were found, {{ "{:,}".format(audit.dropped) }} dropped and
{{ "{:,}".format(audit.kept) }} kept.
{% if audit.other_classes %}
Not asked for, and so unknown to the model, were the images of
{% for name, count in audit.other_classes.items() %}
{{ name }} ({{ count }}){{ "." if loop.last else "," }}
{% endfor %}
{% endif %}

{% if faults %}
| fault | images | dropped for it | policy |
|---|---|---|---|
{% for name, count in faults.items() %}
| {{ name|replace("_", " ") }} | {{ count }} | {{ audit.dropped_by[name] }} | {#
#}{{ policy.get(name, "always drop") }} |
{% endfor %}
{% endif %}

{% for kind in ("exact_duplicates", "near_duplicates") if audit[kind].across_splits %}
- {{ audit[kind].across_splits }} groups of {{ kind|replace("_", " ") }} lay in more than one split
(train and test: {{ audit[kind].across.train_test }}, validation and test:
{{ audit[kind].across.validation_test }}).
{% if policy[kind] == "drop" %}
One copy of each was kept, in test before validation before train.
{% else %}
**They were kept: the test split holds faces that the model was trained or chosen on, and its scores
are too good.**
{% endif %}
{% else %}
No duplicates were found in more than one split.
{% endfor %}

| kept | {{ card.classes|join(" | ") }} | all |
|---|{{ "---|" * card.classes|length }}---|
{% for split in ("train", "validation", "test") %}
| {{ split }} |{% for name in card.classes %} {{ audit.splits[split][name] }} |{% endfor %}{#
#} {{ audit.splits[split].values()|sum }} |
{% endfor %}

{% if drawn %}
Each face was drawn for its label, so labels are right but for those that the sample spoils on
purpose.
{% else %}
Labels are what annotators saw, and they err: of FER2013, from which many sets are cut, people read
65 ± 5 % as labelled (Goodfellow et al. 2013, arXiv:1307.0414). Who is shown, who agreed to it and
under which licence is not known to the pipeline; find out before you use the model or pass it on.
{% endif %}
{% if suspects.action != "none" %}
Nets that had not learnt from them doubted the labels of {{ suspects.suspects }} of the
{{ suspects.images }} train images (Northcutt et al. 2021, arXiv:1911.00068), which were
{{ {"list": "kept", "drop": "left out", "soften": "softened"}[suspects.action] }}.
{% endif %}
{% if audit.votes is defined %}
Training aims at the votes of FER+ (Barsoum et al. 2016, arXiv:1608.01041), most of which agree with
the label for {{ audit.votes.agree }} of {{ audit.votes.images }} images; scores go by the label.
{% endif %}

## Evaluation

{% if resplit %}
**Protocol.** The source's splits were ignored and new ones made
{% else %}
**Protocol.** The source's splits were kept and missing ones made
{% endif %}
({{ split.train }} train, {{ split.validation }} validation, {{ split.test }} test; stratified,
duplicates together). Nets learn from train. Whatever was chosen was chosen on validation: trials,
the combination, the temperature and, among {{ evaluation.models|length }} models, this champion.
Test was read once, by `evaluate`, when all that was settled; to pick among experiments by test
figures undoes this.
{% if evaluation.tta != "none" %}
On test the probabilities are means over varied images (`evaluate.tta: {{ evaluation.tta }}`); the
exported file reads each face once.
{% endif %}

| measure | validation (n = {{ card.metrics.validation.n }}) | test (n = {{ test.n }}) |
|---|---|---|
{% for name, text in measures.items() %}
| {{ text }} | {{ interval(card.metrics.validation, name) }} | {{ interval(test, name) }} |
{% endfor %}

{% if test.unseen is defined %}
On the {{ test.unseen.n }} test images without duplicates in train or validation: macro-F1
{{ interval(test.unseen, "macro_f1") }}, accuracy {{ interval(test.unseen, "accuracy") }}.
{% endif %}

Intervals are from 1,000 bootstrap resamples of the images; by class, below, they are Wilson's, for
F1 by way of the Jaccard index (Lam et al. 2023, arXiv:2309.14621). Validation flatters a little, as
choices were made on it.

| class, on test | images | F1 | recall | precision | ROC-AUC |
|---|---|---|---|---|---|
{% for row in classes %}
| {{ row|join(" | ") }} |
{% endfor %}

**Why macro-F1 decides.** In train the classes have from {{ rarest[1] }} ({{ rarest[0] }}) to
{{ commonest[1] }} ({{ commonest[0] }}) images. In accuracy the common ones weigh more; the plain
mean of the classes' F1 weighs all alike, and falls with what is missed as with what is imputed.

{% if confusions %}
**What mistakes cost**, were the answers acted upon. The most frequent on test:

{% for one in confusions %}
- {{ one.true }} taken for {{ one.taken }}: {{ one.count }} of {{ one.of }}
({{ "%.0f"|format(100 * one.count / one.of) }} %); {{ one.cost }}.
{% endfor %}
{% else %}
**What mistakes cost.** No test face was taken for another class.
{% endif %}

**Calibration.** The temperature is {{ number(card.temperature) }}.

| split | expected calibration error | Brier score | log-loss |
|---|---|---|---|
| validation, calibrated out of fold | {{ calibration(card.metrics.validation) }} |
| test{{ ", before the temperature" if not calibrated }} | {{ calibration(test) }} |

**Robustness.** Macro-F1 on test images corrupted after Hendrycks and Dietterich 2019
(arXiv:1903.12261), at three levels: {{ number(robustness.mean_macro_f1) }} on average, against
{{ interval(clean, "macro_f1") }} without corruption.

| corruption | mild | middle | severe |
|---|---|---|---|
{% for name, rows in corrupted.items() %}
| {{ name }}: {{ about[name].about }} |{% for row in rows %} {{ "%g"|format(row.level) }}: {#
#}{{ interval(row, "macro_f1") }} |{% endfor %}

{% endfor %}

Charts: [all models](evaluate/leaderboard.png), and of the champion
[confusion](evaluate/{{ evaluation.champion }}/confusion.png),
[reliability](evaluate/{{ evaluation.champion }}/reliability.png) and
[robustness](evaluate/robustness.png).

## Limits

- Other cameras, crops, ages, cultures and years than those of the data were not tested. The worst
corruption above, {{ worst.corruption }} at {{ "%g"|format(worst.level) }}, leaves a macro-F1 of
{{ number(worst.macro_f1) }}.
- {{ test.n }} test images tell models apart only as far as the intervals do.
- Expressions in pictures are often posed, and a single picture has no context.

## Fairness

The data has no labels of age, sex, skin colour or origin. Whether the model serves these groups
alike has not been measured, and nothing here says that it does; where others measured it,
expression readers differed (Xu et al. 2020, arXiv:2007.10075). Before any use on people, test on a
labelled set of those concerned, by group, with intervals.

## Law: the EU's AI Act, Regulation (EU) 2024/1689

- Art. 5(1)(f) prohibits placing on the market, putting into service for this purpose, and using AI
that infers the emotions of people at work or in education, save for medical or safety reasons.
- Elsewhere AI meant for emotion recognition (Art. 3(39)) counts as high-risk: Art. 6(2) and
Annex III, point 1(c).
- Art. 50(3): who deploys it informs the people exposed to it, and keeps to the GDPR.

A reminder, not advice: articles apply from different dates, and other law applies beside them.

## Reproduce

`dvc repro` at the commit that holds this file, on the same source, ends in the same bytes on one
machine. How long the training took differs from run to run and is in MLflow (`make ui`).

- seed: {{ seed }}
{% for path, md5 in card.data.items() %}
- md5 of `{{ path }}`: `{{ md5 }}`
{% endfor %}
- SHA-256 of the nets' params: `{{ card.params_sha256 }}`
"""


def model_card(
    card: Mapping[str, Any],
    *,
    audit: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    robustness: Mapping[str, Any],
    export: Mapping[str, Any],
    suspects: Mapping[str, Any],
    policy: Policy,
    split: Split,
    resplit: bool,
    drawn: bool,
    seed: int,
) -> str:
    """Return the card as Markdown, the same text for the same numbers.

    Args:
        card: content of models/export/card.json.
        audit: of metrics/audit.json; the others likewise.
        evaluation: of metrics/evaluate.json.
        robustness: of metrics/robustness.json.
        export: of metrics/export.json.
        suspects: of metrics/suspects.json.
        policy: what happened to each fault of the data.
        split: the fractions of splits that were made.
        resplit: whether the source's splits were ignored.
        drawn: whether the faces are no pictures of people.
        seed: of the pipeline.
    """
    test = evaluation["models"][evaluation["champion"]]
    alone = len(card["members"]) == 1
    nets = "one net" if alone else f"{len(card['members'])} nets, combined by `{card['method']}`"
    counts = sorted(audit["splits"]["train"].items(), key=lambda item: item[1])
    faults = {name: _images(audit[name]) for name in audit["dropped_by"]}
    clean, *spoilt = robustness["images"]
    # Markdown, whose names are those of the project's own models and classes.
    jinja = Environment(trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)  # noqa: S701
    text = jinja.from_string(TEMPLATE).render(
        title=card["arch"] if alone else nets.replace("`", ""),
        kind=nets.capitalize(),
        card=card,
        audit=audit,
        evaluation=evaluation,
        robustness=robustness,
        export=export,
        suspects=suspects,
        policy=policy.model_dump(),
        split=split,
        resplit=resplit,
        drawn=drawn,
        seed=seed,
        # Of a net alone `evaluate` scores what it says before it is calibrated.
        calibrated=evaluation["champion"] == "ensemble",
        test=test,
        faults={name: count for name, count in faults.items() if count},
        rarest=counts[0],
        commonest=counts[-1],
        measures={"macro_f1": "macro-F1", "accuracy": "accuracy", "roc_auc": "ROC-AUC"},
        classes=_class_rows(test),
        confusions=_confusions(test),
        clean=clean,
        corrupted={
            name: [row for row in spoilt if row["corruption"] == name] for name in CORRUPTIONS
        },
        about=CORRUPTIONS,
        worst=min(spoilt, key=lambda row: row["macro_f1"]),
        calibration=_calibration,
        interval=_interval,
        number=_number,
    )
    return _filled(text)


def _filled(text: str) -> str:
    """Return the Markdown with its paragraphs and list items wrapped, one empty line between."""
    units: list[str] = [""]
    for line in text.splitlines():
        if units[-1] and line and not line.startswith(("|", "- ")) and units[-1][0] not in "|#":
            units[-1] += f" {line}"
        elif line or units[-1]:
            units.append(line)
    wrapped = [
        unit
        if unit.startswith(("|", "#"))
        else fill(
            unit,
            100,
            subsequent_indent="  " * unit.startswith("- "),
            break_long_words=False,
            break_on_hyphens=False,
        )
        for unit in units[1:]
    ]
    return "\n".join(wrapped) + "\n"


def _calibration(score: Mapping[str, Any]) -> str:
    return " | ".join(_number(score[name]) for name in ("ece", "brier", "log_loss"))


def _number(value: float | None) -> str:
    """Return the number with three digits, or that there is none."""
    return "n/a" if value is None else f"{value:.3f}"


def _interval(score: Mapping[str, Any], name: str) -> str:
    """Return a figure and the ends of its interval."""
    low, high = (_number(score[f"{name}_{end}"]) for end in ("low", "high"))
    return f"{_number(score[name])} ({low} to {high})"


def _images(finding: int | Mapping[str, int]) -> int:
    return finding if isinstance(finding, int) else finding["images"]


def _class_rows(score: Mapping[str, Any]) -> list[list[str]]:
    """Return for each class its name, images, F1, recall and precision, and its ROC-AUC."""
    rows = []
    for code, name in enumerate(score["classes"]):
        confusion, about = score["confusion"], score["per_class"][name]
        hits, true = confusion[code][code], sum(confusion[code])
        taken = sum(row[code] for row in confusion)
        # F1 rises with TP / (TP + FP + FN), a share of images whose ends become its own.
        f1 = [2 * end / (1 + end) for end in _wilson(hits, true + taken - hits)]
        shares = {"f1": f1, "recall": _wilson(hits, true), "precision": _wilson(hits, taken)}
        cells = [
            _interval({key: about[key], f"{key}_low": ends[0], f"{key}_high": ends[1]}, key)
            for key, ends in shares.items()
        ]
        rows.append([name, str(true), *cells, _number(about["roc_auc"])])
    return rows


def _wilson(hits: int, count: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share; of none, all that is possible."""
    if not count:
        return 0.0, 1.0
    ends = binomtest(hits, count).proportion_ci(method="wilson")
    return float(ends.low), float(ends.high)


def _confusions(score: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the most frequent confusions, with whom they cost what."""
    classes: Sequence[str] = score["classes"]
    found = [
        {
            "true": true,
            "taken": taken,
            "count": count,
            "of": sum(row),
            "cost": COSTS.get(KINDS.get(true, ""), {}).get(KINDS.get(taken, ""), UNKNOWN),
        }
        for true, row in zip(classes, score["confusion"], strict=True)
        for taken, count in zip(classes, row, strict=True)
        if true != taken and count
    ]
    return sorted(found, key=lambda one: -one["count"])[:NAMED]
