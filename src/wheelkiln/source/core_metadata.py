"""Changes of a PKG-INFO file (core metadata) that leave every other field, and their order, as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

__all__ = ["CoreMetadata", "parse_core_metadata"]

_BODY_SINCE = (2, 1)
"""The metadata version whose description may be the body (https://packaging.python.org/specifications/core-metadata/)."""


@dataclass(frozen=True, slots=True)
class _Field:
    """A header with its folded lines, as written, without the last line's end."""

    key: str
    text: str

    @property
    def value(self) -> str:
        return self.text.partition(":")[2].strip()


@dataclass(slots=True)
class CoreMetadata:
    """A PKG-INFO's fields in their order, and its body."""

    fields: list[_Field]
    body: str
    newline: str

    def get(self, key: str) -> str:
        return next((field.value for field in self.fields if field.key == key.lower()), "")

    def get_all(self, key: str) -> tuple[str, ...]:
        return tuple(field.value for field in self.fields if field.key == key.lower())

    def set(self, key: str, value: str) -> None:
        """Replace a field's value where it stands; a new field comes after the version."""
        made = _Field(key.lower(), f"{key}: {value}")
        for at, field in enumerate(self.fields):
            if field.key == made.key:
                self.fields[at] = made
                return
        self.fields.insert(self._after(("metadata-version", "name", "version")), made)

    def add(self, key: str, values: Iterable[str]) -> None:
        """Add values of a field that may be there several times, after those that are there."""
        at = self._after(("metadata-version", "name", "version", "summary", key.lower()))
        self.fields[at:at] = [_Field(key.lower(), f"{key}: {value}") for value in values]

    def change(self, key: str, change: Callable[[str], str]) -> None:
        """Replace each value of a field by what change makes of it; values that stay keep their writing."""
        for at, field in enumerate(self.fields):
            if field.key == key.lower() and change(field.value) != field.value:
                self.fields[at] = _Field(field.key, f"{key}: {change(field.value)}")

    def describe(self, text: str, content_type: str) -> None:
        """Replace the long description, wherever it stands: in the body, or in a folded field of old metadata."""
        self.fields = [field for field in self.fields if field.key != "description"]
        if _version_of(self.get("Metadata-Version")) < _BODY_SINCE:
            self.set("Metadata-Version", ".".join(map(str, _BODY_SINCE)))
        self.set("Description-Content-Type", content_type)
        self.body = text

    def render(self) -> str:
        head = "".join(field.text + self.newline for field in self.fields)
        return f"{head}{self.newline}{self.body}" if self.body else head

    def _after(self, keys: tuple[str, ...]) -> int:
        return max((at + 1 for at, field in enumerate(self.fields) if field.key in keys), default=0)


def parse_core_metadata(text: str) -> CoreMetadata:
    """Split a PKG-INFO at its first empty line; a line that is no field belongs to the one before it."""
    newline = "\r\n" if text.partition("\n")[0].endswith("\r") else "\n"
    head, _, body = text.partition(newline * 2)
    fields: list[_Field] = []
    for line in head.removesuffix(newline).split(newline):
        if fields and (line.startswith((" ", "\t")) or ":" not in line):
            fields[-1] = _Field(fields[-1].key, f"{fields[-1].text}{newline}{line}")
        else:
            fields.append(_Field(line.partition(":")[0].strip().lower(), line))
    return CoreMetadata(fields, body, newline)


def _version_of(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())
