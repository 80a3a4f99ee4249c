"""`NamedTuple`, as in `typing`, for a sixth of what it costs to define one.

A run defines sixty of them before its first byte. The standard one compiles a constructor from text and checks the
annotations each time, together a tenth of such a run; here classes with as many fields share the code of their
constructors under other names. Type checkers see that of `typing`, and a test compares the two.
"""

import sys
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or sys.implementation.name != "cpython" or sys.version_info >= (3, 14):
    from typing import NamedTuple as NamedTuple
else:
    from _collections import _tuplegetter  # as the standard one does

    _new = tuple.__new__
    _constructors: dict[int, CodeType] = {}  # by the number of fields

    def _constructor(fields: tuple[str, ...]) -> CodeType:
        code = _constructors.get(len(fields))
        if code is None:
            names = ", ".join(f"_{number}" for number in range(len(fields)))
            code = eval(f"lambda _cls, {names}: _new(_cls, ({names},))").__code__
            _constructors[len(fields)] = code
        return code.replace(co_varnames=("_cls", *fields))

    def _repr(self: Any) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
        return f"{type(self).__name__}({shown})"

    def _replace(self: Any, /, **changes: Any) -> Any:
        changed = _new(type(self), map(changes.pop, self._fields, self))
        if changes:
            kind = TypeError if sys.version_info >= (3, 13) else ValueError
            raise kind(f"Got unexpected field names: {list(changes)!r}")
        return changed

    def _asdict(self: Any) -> dict[str, Any]:
        return dict(zip(self._fields, self, strict=True))

    def _make(cls: Any, values: Any) -> Any:
        made = _new(cls, values)
        if len(made) != len(cls._fields):
            raise TypeError(f"Expected {len(cls._fields)} arguments, got {len(made)}")
        return made

    _COMMON = {
        "__slots__": (),
        "__repr__": _repr,
        "__getnewargs__": lambda self: tuple(self),
        "_replace": _replace,
        "_asdict": _asdict,
        "_make": classmethod(_make),
    }

    class _Meta(type):
        def __new__(mcs, name: str, _bases: tuple[type, ...], body: dict[str, Any]) -> type:
            fields = tuple(body.get("__annotations__", ()))
            defaults = {field: body.pop(field) for field in fields if field in body}
            if tuple(defaults) != fields[len(fields) - len(defaults) :]:
                raise TypeError("a field without a default follows one with a default")
            new = FunctionType(_constructor(fields), {"_new": _new}, "__new__", tuple(defaults.values()))
            new.__qualname__ = f"{name}.__new__"
            made = {**_COMMON, "_fields": fields, "_field_defaults": defaults, "__match_args__": fields, "__new__": new}
            for place, field in enumerate(fields):
                made[field] = _tuplegetter(place, "")
            return type(name, (tuple,), made | body)

    NamedTuple = type.__new__(_Meta, "NamedTuple", (), {})
