"""Checkpoints as JSON: frozen dataclasses, enums, times, tuples, mappings, and unions of dataclasses that a literal `kind` distinguishes.

A field that equals its default is left out, and a field that a checkpoint lacks gets its default. So a checkpoint of an older version
reads, as long as every newer field has a default. Unknown fields are ignored.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, TypeVar, Union, cast, get_args, get_origin, get_type_hints

R = TypeVar("R")
Decoder = Callable[[Any], Any]
KIND: Final = "kind"
_PLAIN: Final = (str, int, float, bool, NoneType)


def encode(value: Any) -> Any:
    """The value as JSON data.

    Raises:
        TypeError: a type that checkpoints do not have.
    """
    if isinstance(value, _PLAIN):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple | list):
        return [encode(element) for element in value]
    if isinstance(value, Mapping):
        return {str(key): encode(element) for key, element in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return _encode_dataclass(value)
    raise TypeError(f"a checkpoint has no {type(value).__name__}")


def _encode_dataclass(value: Any) -> dict[str, Any]:
    of: Any = type(value)
    defaults, kind = _defaults(of), getattr(value, KIND, None)
    encoded = {KIND: kind} if isinstance(kind, str) and KIND not in defaults else {}
    for name, default in defaults.items():
        field_value = getattr(value, name)
        if field_value != default:
            encoded[name] = encode(field_value)
    return encoded


@cache
def _defaults(of: Any) -> dict[str, Any]:
    """The fields of a dataclass with their defaults; `MISSING` where a field has none."""
    return {field.name: _default(field) for field in fields(of)}


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def decode(of: type[R], data: Any) -> R:
    """The value of this type that was encoded as this JSON data.

    Raises:
        KeyError: a union has no member of this kind.
        TypeError: a field without a default is missing, or checkpoints do not have this type.
        ValueError: the data is not of this type.
    """
    decoder: Callable[[Any], R] = _decoder(cast("Any", of))
    return decoder(data)


@cache
def _decoder(of: Any) -> Decoder:
    origin = get_origin(of)
    if of is Any or of in _PLAIN:
        return _as_it_is
    if origin in (Union, UnionType):
        return _union_decoder(get_args(of))
    if origin is tuple:
        return _tuple_decoder(get_args(of))
    if origin is not None and issubclass(origin, Mapping):
        decode_value = _decoder(get_args(of)[1])
        return lambda data: {key: decode_value(value) for key, value in data.items()}
    if is_dataclass(of):
        return _dataclass_decoder(cast("type", of))
    if isinstance(of, type) and issubclass(of, Enum):
        return of
    if of is datetime:
        return datetime.fromisoformat
    raise TypeError(f"a checkpoint has no {of}")


def _as_it_is(data: Any) -> Any:
    return data


def _tuple_decoder(elements: tuple[Any, ...]) -> Decoder:
    decoders = [_decoder(element) for element in elements if element is not Ellipsis]
    if Ellipsis in elements:
        return lambda data: tuple(map(decoders[0], data))
    return lambda data: tuple(decoder(element) for decoder, element in zip(decoders, data, strict=True))


def _union_decoder(members: tuple[Any, ...]) -> Decoder:
    """Decodes None, one other type, or one of several dataclasses by their `kind`."""
    others = [member for member in members if member is not NoneType]
    if len(others) > 1 and all(is_dataclass(member) for member in others):
        by_kind = {getattr(member, KIND): _decoder(member) for member in others}
        return lambda data: None if data is None else by_kind[data[KIND]](data)
    if len(others) > 1:
        if any(_decoder(member) is not _as_it_is for member in others):
            raise TypeError(f"a checkpoint cannot distinguish {members}")
        return _as_it_is
    decoder = _decoder(others[0])
    return lambda data: None if data is None else decoder(data)


def _dataclass_decoder(of: type) -> Decoder:
    hints = get_type_hints(of)
    decoders = {name: _decoder(hints[name]) for name in _defaults(of)}
    return lambda data: of(**{name: decoder(data[name]) for name, decoder in decoders.items() if name in data})
