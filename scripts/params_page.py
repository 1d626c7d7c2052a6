"""Write docs/params.md from the typed params and the values in params.yaml.

`python scripts/params_page.py` writes the page; `--check` only checks whether it is up to date.
"""

import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from annotated_types import Ge, Gt, Le, Lt
from dvc.utils.serialize import load_yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

# The code of this checkout, not the installed package.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from mien.params import Params

PAGE = Path("docs/params.md")
BEGIN = """# Params

This page lists every key of `params.yaml` with its value for the built-in sample. A wrong key or
value ends a stage with one line. `dvc exp run -S KEY=VALUE` changes one for an experiment.
`make docs` generates this page from `src/mien/params.py`.
"""
SIGNS = {Ge: "≥", Gt: ">", Le: "≤", Lt: "<"}


def main() -> None:
    """Write the page, or with `--check` compare it."""
    page = "\n".join(lines(Params, load_yaml("params.yaml")))
    if sys.argv[1:] == ["--check"]:
        if PAGE.read_text(encoding="utf-8") != page:
            sys.exit(f"params_page: {PAGE} does not match params.py; run `make docs`")
    else:
        PAGE.write_text(page, encoding="utf-8")


def lines(params: type[BaseModel], values: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the page, a table for each section."""
    yield BEGIN
    single = {name: field for name, field in params.model_fields.items() if not _section(field)}
    yield from table(single, values, "")
    for name, field in params.model_fields.items():
        if section := _section(field):
            yield f"\n## {name}\n\n{section.__doc__}\n"
            yield from table(dict(_flat(section, "")), values[name], f"{name}.")
    yield ""


def table(fields: dict[str, FieldInfo], values: dict[str, Any], prefix: str) -> Iterator[str]:
    """Yield a Markdown table of the fields; `values` are nested like the dotted names."""
    yield "| key | value | takes | meaning |"
    yield "|---|---|---|---|"
    for name, field in fields.items():
        value: Any = values
        for part in name.split("."):
            value = value[part]
        shown = "" if value in (None, "") else f"`{_text(value)}`"
        meaning = (field.description or "").replace("|", "\\|")
        yield f"| `{prefix}{name}` | {shown} | {_takes(field)} | {meaning} |"


def _flat(section: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    """Yield the dotted names and fields of a section and its subsections."""
    for name, field in section.model_fields.items():
        if inner := _section(field):
            for key, each in _flat(inner, f"{prefix}{name}."):
                # The description of an operation, which its keys lack.
                own = " ".join(filter(None, (field.description, each.description)))
                yield key, FieldInfo.merge_field_infos(each, description=own)
        else:
            yield f"{prefix}{name}", field


def _section(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _takes(field: FieldInfo) -> str:
    """Return the type and the bounds of a field in words."""
    return " ".join([_kind(field.annotation), *_bounds(field.metadata)])


def _bounds(metadata: list[Any]) -> list[str]:
    found = []
    for one in metadata:
        for kind, sign in SIGNS.items():
            if isinstance(one, kind):
                found.append(f"{sign} {getattr(one, kind.__name__.lower()):,}")
        if isinstance(one, FieldInfo):
            found += _bounds(one.metadata)
    return found


def _kind(kind: Any) -> str:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return " ".join([_kind(inner[0]), *_bounds(list(inner[1:]))])
    if origin is typing.Literal:
        return ", ".join(f"`{each}`" for each in inner)
    if kind is type(None):
        return "empty"
    if origin is tuple:
        return f"list of {_kind(inner[0])}" if inner[-1] is ... else "[low, high]"
    if origin is dict:
        return "mapping"
    if inner:
        return " or ".join(map(_kind, inner))
    return {"str": "text", "float": "number", "int": "whole number", "bool": "`true`, `false`"}.get(
        kind.__name__, kind.__name__.lower()
    )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return "see params.yaml" if isinstance(value, dict) and value else str(value)


if __name__ == "__main__":
    main()
