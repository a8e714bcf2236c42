"""What machine code may need: what a variant and the project's rules declare."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from wheelkiln.config.verify import IsaConfig
from wheelkiln.plan.isa import X86_FEATURES, X86_LEVELS, Isa, parse_isa
from wheelkiln.verify.machine_code.levels import BASELINES, allowed_by
from wheelkiln.verify.machine_code.model import Caller, FileCode, FunctionCode, isa_text
from wheelkiln.verify.machine_code.names import identifiers_of

__all__ = ["Declaration"]

_CLONE = re.compile(
    r"\.(arch_\w+|" + "|".join(re.escape(name) for name in (*X86_LEVELS, *X86_FEATURES)) + r")(\.\d+)?(\.\w+)*"
)
"""What compilers append to the names of a function's clones (gcc's target_clones): an ifunc chooses among them."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """What is declared: for all of a wheel, for files by pattern, and for functions that run only where they can."""

    isas: tuple[Isa, ...] = ()
    files: Mapping[str, tuple[Isa, ...]] = field(default_factory=dict)
    dispatch: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: IsaConfig, variant: Iterable[str] = ()) -> Declaration:
        """Return what a configuration and a variant declare; raise ConfigError for what is no level and no feature."""
        own = tuple(variant)
        where = "verify.isa.baseline" if not own else "isa"
        isas = parse_isa(own or config.baseline, where=where)
        files = {
            pattern: parse_isa(entries, where=f'verify.isa.files."{pattern}"')
            for pattern, entries in config.files.items()
        }
        return cls(isas, files, config.dispatch)

    def declares(self, arch: str) -> bool:
        """Tell whether anything is declared for an architecture."""
        return any(isa.arch == arch for isa in self.isas)

    def allows(self, file: FileCode) -> frozenset[str]:
        """Return the features that all of a file may need."""
        found = allowed_by(Isa(file.arch, BASELINES[file.arch], ()))
        for isa in self._of_file(file):
            found |= allowed_by(isa)
        return found

    def text_for(self, file: FileCode) -> str:
        """Write what is declared for a file, or what every CPU has."""
        return " or ".join(dict.fromkeys(isa_text(isa) for isa in self._of_file(file))) or BASELINES[file.arch]

    def exceeding(self, file: FileCode) -> tuple[FunctionCode, ...]:
        """Return the functions that need more, without those that are chosen at run time.

        A function to which only such functions refer is one of them: helpers of dispatched kernels have names that say
        nothing.
        """
        allowed = self.allows(file)
        rest = {one.address: one for one in file.functions if one.names - allowed}
        dispatched = {one.address for one in rest.values() if self._is_dispatched(one.name)}
        if len(dispatched) < len(rest) and (self.dispatch or dispatched):
            dispatched |= {address for address, one in file.callers.items() if self._is_dispatched(one.name)}
            _add_private(dispatched, {one.address: one.referrers for one in file.functions}, file.callers)
        return tuple(one for address, one in rest.items() if address not in dispatched)

    def _is_dispatched(self, name: str) -> bool:
        if not name:
            return False
        names = (name, identifiers_of(name))
        return bool(_CLONE.search(name)) or any(fnmatchcase(it, pattern) for pattern in self.dispatch for it in names)

    def _of_file(self, file: FileCode) -> tuple[Isa, ...]:
        named = (isa for pattern, isas in self.files.items() if fnmatchcase(file.name, pattern) for isa in isas)
        return tuple(isa for isa in (*self.isas, *named) if isa.arch == file.arch)


def _add_private(dispatched: set[int], functions: Mapping[int, tuple[int, ...]], callers: Mapping[int, Caller]) -> None:
    """Add what only dispatched functions refer to."""
    waiting = {**functions, **{address: one.referrers for address, one in callers.items()}}
    while private := [
        address
        for address, referrers in waiting.items()
        if referrers and address not in dispatched and dispatched.issuperset(referrers)
    ]:
        dispatched.update(private)
