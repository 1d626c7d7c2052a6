"""Which trained weights a model started from, and their terms, reach its card."""

import json
from pathlib import Path

from mien import params
from mien.export.card import card
from mien.report.model_card import model_card

ROOT = Path(__file__).resolve().parents[2]
PARAMS = params.load(ROOT / "params.yaml")
START = {
    "weights": "faces",
    "sha256": "ab" * 32,
    "source": "a net that tells people apart",
    "licence": "research only",
}


def read(name: str) -> dict:
    return json.loads((ROOT / f"metrics/{name}.json").read_text(encoding="utf-8"))


def cards(pretrained: dict) -> tuple[dict, str]:
    """Return the card as JSON and as Markdown of a net with this start, by the sample's numbers."""
    evaluation = read("evaluate")
    champion = evaluation["models"][evaluation["champion"]]
    record = {
        "spec": {"arch": "mobilenet", "classes": champion["classes"], "image_size": 48},
        "params": {},
        "data": {},
        "weights_sha256": "cd" * 32,
        "pretrained": pretrained,
    }
    combination = {"method": "mean", "members": ["train"], "temperature": 1.0}
    validation = read("train")
    made = card(
        {"train": record}, {"train": (1, 2)}, combination, validation=validation, test=champion
    )
    text = model_card(
        made,
        audit=read("audit"),
        evaluation=evaluation,
        robustness=read("robustness"),
        export=read("export"),
        suspects=read("suspects"),
        groups={},
        policy=PARAMS.audit.policy,
        split=PARAMS.data.split,
        resplit=False,
        drawn=True,
        seed=1,
    )
    return made, text


def test_source_hash_and_terms_of_the_start_are_told():
    made, text = cards(START)
    told = made["members"]["train"]["start"]
    assert told == {name: START[name] for name in ("source", "sha256", "licence")}
    joined = " ".join(text.split())
    assert "- `train` started from trained weights: a net that tells people apart" in joined
    assert f"`{START['sha256']}`. Terms: research only." in joined


def test_a_net_from_random_weights_tells_of_no_start():
    made, text = cards({"weights": "none", "sha256": None})
    assert "start" not in made["members"]["train"]
    assert "started from trained weights" not in text
