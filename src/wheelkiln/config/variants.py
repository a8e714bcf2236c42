"""Variants: what a project is built as besides what it is, and the settings that hold for one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import StringConstraints, field_validator

from wheelkiln.config.fields import RELATIVE_PATH, Architecture, IndexUrl, IsaEntry, Packages, Section

if TYPE_CHECKING:
    from wheelkiln.config.model import Config

__all__ = ["DEFAULT_VARIANT", "PatchConfig", "VariantConfig", "VariantImageConfig", "effective_config"]

DEFAULT_VARIANT = "default"
ProjectName = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$")]
VersionSuffix = Annotated[str, StringConstraints(pattern=r"^(\+[a-z0-9]+([._-][a-z0-9]+)*|\.post[0-9]+|\.dev[0-9]+)?$")]
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Line = Annotated[str, StringConstraints(pattern=r"^[^\r\n]*$")]
VariantLabel = Annotated[str, StringConstraints(pattern=r"^[0-9a-z_.]*$")]
PropertyName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")]
PropertyValue = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.]+$")]


class VariantImageConfig(Section):
    """What a variant's image has besides."""

    packages: Packages = Packages()
    """Further distribution packages."""
    requires: tuple[str, ...] = ()
    """Further CPU features that the compiler must accept, besides those of `isa`."""


class PatchConfig(Section):
    """A patch of the source."""

    file: str
    """A unified diff, relative to the project (or to the directory that wheelkiln is started in, for sources from
    elsewhere)."""
    versions: str = ""
    """Versions of the project that it is for (`>=1.2,<1.4`); by default all."""

    @field_validator("file")
    @classmethod
    def _check_file(cls, value: str) -> str:
        if not RELATIVE_PATH.match(value):
            raise ValueError(f"'{value}' is not a path below the project")
        return value

    @field_validator("versions")
    @classmethod
    def _check_versions(cls, value: str) -> str:
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        try:
            SpecifierSet(value)
        except InvalidSpecifier:
            raise ValueError(f"'{value}' is not a version specifier such as '>=1.2,<1.4'") from None
        return value


class VariantConfig(Section):
    """A named set of flags and a machine-code level, and the project that its wheels are published as."""

    arch: tuple[Architecture, ...] = ()
    """Architectures that it is for; by default those that `isa` speaks of, else all."""
    isa: tuple[IsaEntry, ...] = ()
    """The machine code that its wheels may need: a level (`x86-64-v4`), features beyond it (`avx512bf16`), an arm
    architecture with extensions (`armv8.2-a+dotprod`). The image's compiler must accept them. It sets no flags:
    `environment` and `config-settings` do."""
    environment: dict[VariableName, Line] = {}
    """Environment of the build, laid over that of [tool.cibuildwheel]. `$NAME` stands for the value until then:
    `CXXFLAGS = "$CXXFLAGS -march=x86-64-v4"`."""
    config_settings: dict[str, str | bool | tuple[str, ...]] = {}
    """Settings for the build backend, besides those of [tool.cibuildwheel]."""
    requires: tuple[Line, ...] = ()
    """Further build requirements."""
    index: tuple[IndexUrl, ...] = ()
    """Further package indexes, asked before all others."""
    find_links: tuple[str, ...] = ()
    """Further directories or pages with wheels that build requirements may come from."""
    image: VariantImageConfig = VariantImageConfig()
    """What its image has besides."""
    patches: tuple[PatchConfig, ...] = ()
    """Patches of its source, applied in this order and strictly: one that does not fit ends the build."""
    project_name: ProjectName = ""
    """Name that its wheels are published under. What is imported keeps its name."""
    description: Line = ""
    """Summary of that project."""
    readme: str = ""
    """Its readme, a file of the project."""
    version_suffix: VersionSuffix = ""
    """Appended to the version: a local version label (`+cpu.avx512`), `.postN` or `.devN`."""
    classifiers: tuple[Line, ...] = ()
    """Further classifiers."""
    label: VariantLabel = ""
    """Variant label of its wheels (PEP 825, a draft): they keep the project's name and get the label behind their tags,
    with a `variant.json` that explains it. Needs `experimental = ["wheel-variants"]`: no index and no released
    installer takes such wheels yet."""
    properties: dict[PropertyName, dict[PropertyName, tuple[PropertyValue, ...]]] = {}
    """What the label stands for, by namespace and feature: `properties.x86_64.level = ["v4"]`. By default what `isa`
    says of x86_64."""

    @field_validator("isa", mode="before")
    @classmethod
    def _split_isa(cls, value: object) -> object:
        """One entry can be written without the list."""
        return (value,) if isinstance(value, str) else value

    @field_validator("label")
    @classmethod
    def _check_label(cls, value: str) -> str:
        if value == "null":
            raise ValueError("the label 'null' is reserved for wheels that need nothing")
        return value

    @field_validator("requires")
    @classmethod
    def _check_requires(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        from packaging.requirements import InvalidRequirement, Requirement

        for text in value:
            try:
                Requirement(text)
            except InvalidRequirement:
                raise ValueError(f"'{text}' is not a requirement such as 'numpy>=2'") from None
        return value

    @field_validator("readme")
    @classmethod
    def _check_readme(cls, value: str) -> str:
        if value and not RELATIVE_PATH.match(value):
            raise ValueError(f"'{value}' is not a path below the project")
        return value


def effective_config(config: Config, variant: VariantConfig) -> Config:
    """Return the configuration of one variant: its own indexes and image options come to the project's."""
    image, packages = config.image, config.image.packages
    merged = {
        name: tuple(dict.fromkeys((*getattr(packages, name), *getattr(variant.image.packages, name))))
        for name in ("deb", "rpm", "apk")
    }
    requires = tuple(dict.fromkeys((*image.requires, *variant.image.requires)))
    return config.model_copy(
        update={
            "index": tuple(dict.fromkeys((*variant.index, *config.index))),
            "find_links": tuple(dict.fromkeys((*variant.find_links, *config.find_links))),
            "image": image.model_copy(update={"packages": packages.model_copy(update=merged), "requires": requires}),
        }
    )
