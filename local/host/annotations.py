"""The annotations of a function's parameters, judged as Microsoft's worker judges them."""

from __future__ import annotations

import typing
from typing import Any

import azure.functions as func


def annotation_name(annotation: Any) -> str:
    if annotation is type(None):
        return "None"
    return annotation.__qualname__ if isinstance(annotation, type) else str(annotation)


def converter_accepts(kind: str, annotation: Any, *, out: bool) -> bool:
    """Whether `azure.functions`' own converter accepts the annotation."""
    registry: Any = func.get_binding_registry
    converter = registry().get(kind)
    if converter is None or not (isinstance(annotation, type) or typing.get_origin(annotation)):
        return False
    check = converter.check_output_type_annotation if out else converter.check_input_type_annotation
    try:
        return bool(check(annotation))
    except TypeError:
        return False
