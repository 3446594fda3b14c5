"""From Pydantic's account of what is wrong to one line that tells the user what to do."""

from typing import get_args

from pydantic import BaseModel, ValidationError

from .errors import described, nearest, plain

_FOLLOWS_FROM_ANOTHER = {"default_factory_not_called"}
_RANK = {
    "extra_forbidden": 0,
    "missing": 2,
}  # a misspelt key is unknown and missing: tell the first


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """``path.to.key: what is wrong, what is allowed`` for the first thing wrong."""
    errors = error.errors(include_url=False)
    errors = [each for each in errors if each["type"] not in _FOLLOWS_FROM_ANOTHER] or errors
    first = min(errors, key=lambda each: _RANK.get(each["type"], 1))
    path, table = _follow(first["loc"], model)
    message = _message(first, path, table)
    if within := first.get("ctx", {}).get("path"):
        path = [*path, within]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return ": ".join(filter(None, [".".join(map(plain, path)), message])) + more


def _message(error: dict, path: list[str], table: type[BaseModel] | None) -> str:
    value, context = error["input"], error.get("ctx", {})
    match error["type"]:
        case "wrong":
            return context["message"]
        case "extra_forbidden":
            keys = list(table.model_fields) if table else []
            return f"unknown key; allowed are {', '.join(keys)}{nearest(path[-1], keys)}"
        case "missing":
            return "is missing"
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"must be a table, not {described(value)}"
    return plain(error["msg"])


def _follow(loc: tuple, model: type[BaseModel]) -> tuple[list[str], type[BaseModel] | None]:
    """The keys of a location, and the innermost table on the way to it.

    In a location, the tag of a union stands between the key of the table and the keys in it.
    """
    keys, table, variants = [], model, {}
    for part in loc:
        if part in variants:
            table, variants = variants[part], {}
            continue
        keys.append(str(part))
        field = table.model_fields.get(part)
        variants = _variants(field.annotation) if field else {}
        if None in variants:
            table, variants = variants[None], {}
    return keys, table


def _variants(annotation: object) -> dict[str | None, type[BaseModel]]:
    """The tables that a field may hold, by the tag that chooses; one alone has the tag ``None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {None: annotation}
    return {
        get_args(each.model_fields["kind"].annotation)[0]: each
        for each in get_args(annotation)
        if isinstance(each, type) and issubclass(each, BaseModel)
    }
