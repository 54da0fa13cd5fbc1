"""pydantic's findings in sentences of our own, which never quote a value."""

from pydantic import SecretStr
from pydantic_core import ErrorDetails

from harvester.config.settings import keys_of
from harvester.config.tree import Tree, at, nearest

_WANTED = {
    "model_type": "takes a table",
    "dict_type": "takes a table",
    "list_type": "takes a list",
    "tuple_type": "takes a list",
    "string_type": "takes a text in quotes",
    "path_type": "takes a path in quotes",
}


def sentence(tree: Tree, found: ErrorDetails) -> str | None:
    """What is wrong and what to do; None for a mere consequence of another finding."""
    kind, location = found["type"], found["loc"]
    if kind == "default_factory_not_called":
        return None
    if kind == "extra_forbidden":
        return f"unknown key; {nearest(str(location[-1]), keys_of(tree, location[:-1]))}"
    if kind == "missing":
        return "is missing; add a [[tenant]]" if location == ("tenant",) else "is missing"
    if kind == "value_error":
        return str(found["ctx"]["error"])
    if isinstance(at(tree, location), SecretStr):
        return "takes a plain value, not a reference to a secret"
    if isinstance(at(tree, location), dict) and kind == "tuple_type":
        name = ".".join(part for part in location if isinstance(part, str))
        return f"takes a list of tables: write [[{name}]] instead of [{name}]"
    return _WANTED.get(kind) or found["msg"][0].lower() + found["msg"][1:]
