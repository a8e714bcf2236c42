"""Planning for builds that run in place: what stands for the image, and what such a build cannot do."""

from __future__ import annotations

from collections.abc import Iterator

from wheelkiln.config.model import Config, ImageConfig
from wheelkiln.plan.model import Base, ImageSpec, Job, Notice, Skipped, SkipReason
from wheelkiln.system.in_place_facts import PlaceFacts

__all__ = ["config_in_place", "make_place_image", "notices_of_place", "reasons_of_place"]

_NAME = "in-place"
_DOCS = "docs/how-to/in-place.md says what differs."


def make_place_image(place: PlaceFacts, config: Config) -> ImageSpec:
    """Return what stands for every job's image."""
    base = Base(place.arch, reference="in place", digest=place.digest, interpreters=place.interpreters)
    return ImageSpec(
        name=_NAME,
        family=place.family,
        bases=(base,),
        policy=place.policy,
        toolchain=config.image.toolchain,
        linker=config.image.linker,
        sccache=config.image.sccache,
    )


def config_in_place(config: Config, uid: int) -> Config:
    """Return the settings of a build by a user: what root writes belongs to root, and lies in caches of its own."""
    user = "root" if uid == 0 else "builder"
    return config.model_copy(update={"container": config.container.model_copy(update={"user": user})})


def reasons_of_place(place: PlaceFacts, job: Job) -> Iterator[Skipped]:
    """Yield why a job cannot run in this place."""
    where = "this image" if place.is_image else "this machine"

    def skip(reason: SkipReason, detail: str) -> Skipped:
        return Skipped(job.id, job.identifier, reason, detail)

    if job.arch != place.arch:
        yield skip(SkipReason.NO_EMULATOR, f"builds in place are for {place.arch}, which {where} is")
    libc = job.platform.partition("_")[0]
    if libc != place.libc:
        yield skip(SkipReason.BASE_LIBC, f"builds in place are for {place.libc}, by the C library of {where}")
    if job.python not in {found.tag for found in place.interpreters}:
        add = "" if place.is_image else f": 'uv python install {job.python_version}' adds one"
        yield skip(SkipReason.NO_INTERPRETER, f"no CPython {job.python_version} with its headers in {where}{add}")


def notices_of_place(place: PlaceFacts, config: Config) -> Iterator[Notice]:
    """Yield what the user should know: how good the place is, and which settings have no effect in it."""
    if place.is_image:
        yield Notice(
            "in-place-image",
            f"no container is started: builds run in place, inside of wheelkiln's image {place.digest[:12]} "
            f"({place.compiler}, {_libc_name(place)}), and are equal to those of a container of it",
        )
    else:
        yield Notice(
            "in-place-machine",
            f"no container is started: builds run in place, with this machine's own compiler and interpreters. Its C "
            f"library is {_libc_name(place)}: a wheel gets the best tag that its symbols allow, which may be as new "
            "as that, and its bytes may differ from those of a container build",
            f"Build with docker, podman or inside of wheelkiln's image for wheels that run elsewhere; {_DOCS}",
        )
        if place.ccache is None:
            yield Notice(
                "in-place-no-ccache",
                "there is no compile cache: this machine has no ccache of 4.7 or later",
                "Install ccache.",
            )
        if not place.toolchain:
            yield Notice(
                "in-place-no-compiler",
                "this machine has no C compiler: only projects without C code can be built in place",
                "Install gcc and g++, or clang.",
            )
    if not place.private:
        yield Notice(
            "in-place-shared",
            "jobs run one after another, and see all that this user may see: they cannot be kept apart here "
            f"({place.why_not})",
            _DOCS,
        )
    for setting, why in _without_effect(place, config):
        yield Notice("in-place-setting", f"{setting} has no effect in place: {why}", _DOCS)


def _without_effect(place: PlaceFacts, config: Config) -> Iterator[tuple[str, str]]:
    what = "the image" if place.is_image else "this machine"
    default = ImageConfig()
    if config.image.packages != default.packages:
        yield "image.packages", f"packages of {what} are used as they are"
    for name in ("base", "linker", "requires", "toolchain"):
        value = getattr(config.image, name)
        if value != getattr(default, name) and not (name == "base" and place.is_image) and value != place.compiler:
            yield f"image.{name}", f"{what} is used as it is"
    asked = config.policy if place.policy or config.policy != Config().policy else ""
    if asked and asked != place.policy:
        held = place.policy or "what the symbols of each allow"
        yield f'policy = "{asked}"', f"wheels are held to {held}"
    if config.container.network == "none" and not place.private:
        yield 'container.network = "none"', "builds have the network of the process that runs wheelkiln"
    if config.cache.mode == "read-only" and not place.private:
        yield 'cache.mode = "read-only"', "the tools add nothing, but nothing keeps a build from writing to the caches"
    if config.container.user != "builder":
        yield "container.user", "builds run as the user that runs wheelkiln"
    if config.hosts:
        yield "hosts", "builds in place run on this machine alone"


def _libc_name(place: PlaceFacts) -> str:
    return f"{'musl' if place.libc == 'musllinux' else 'glibc'} {place.libc_version}".strip()
