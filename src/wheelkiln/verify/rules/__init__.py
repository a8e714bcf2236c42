"""All rules by their codes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from wheelkiln.verify.rules.archive import ARCHIVE_RULES
from wheelkiln.verify.rules.emulate import EMULATE_RULES
from wheelkiln.verify.rules.isa import ISA_RULES
from wheelkiln.verify.rules.metadata import METADATA_RULES
from wheelkiln.verify.rules.model import Rule
from wheelkiln.verify.rules.tags import TAG_RULES

__all__ = ["RULES"]

RULES: Mapping[str, Rule] = MappingProxyType(
    {rule.code: rule for rule in (*ARCHIVE_RULES, *TAG_RULES, *METADATA_RULES, *ISA_RULES, *EMULATE_RULES)}
)
