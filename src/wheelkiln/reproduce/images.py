"""The image that a record names: the one that is there, that a registry has, or one made of the same recipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wheelkiln.errors import EnvironmentProblem, VerificationError
from wheelkiln.image.content import ImageContent, explain_difference, read_content
from wheelkiln.image.provide import ImageProvider
from wheelkiln.image.recipe import LOCAL_REPOSITORY, render_recipe
from wheelkiln.image.registry import Answer, Registry
from wheelkiln.plan.model import ImageSpec
from wheelkiln.system.image_store import ImageStore
from wheelkiln.verify.record import Record, RecordedImage

__all__ = ["FoundImage", "find_image", "recorded_reference"]

_TAG_LENGTH = 16


@dataclass(frozen=True, slots=True)
class FoundImage:
    """The image of a rebuild; differences say what it holds that the recorded one did not, and the other way about."""

    reference: str
    id: str
    differences: tuple[str, ...]


def recorded_reference(image: RecordedImage, arch: str) -> str:
    """Return the local name of the recorded image for an architecture."""
    return f"{LOCAL_REPOSITORY}/{image.name}_{arch}:{image.recipe[:_TAG_LENGTH]}"


def find_image(
    record: Record, arch: str, provider: ImageProvider, make_spec: Callable[[], ImageSpec], given: str = ""
) -> FoundImage:
    """Return an image to build in: given where one is named, else the recorded one, else one of the same inputs.

    make_spec says what one is made of, and is asked only where one has to be made.
    Raise EnvironmentProblem when there is none and none can be made.
    """
    if not record.image.recipe:
        raise EnvironmentProblem(
            "the wheel was built in place, on a machine that is not one of wheelkiln's images, and nobody else has "
            "that machine",
            hint="Its record says what that had: compare it with yours, and build there with --engine none.",
        )
    reference = given or recorded_reference(record.image, arch)
    found = _present(reference, arch, record, provider)
    if not found and given:
        raise EnvironmentProblem(f"{provider.engine.name} has no image {given}", hint="Pull it first.")
    if not found:
        reference = _make(make_spec(), reference, arch, provider)
    image = ImageStore(provider.engine).find(reference)
    if image is None:
        raise EnvironmentProblem(f"{provider.engine.name} does not have the image {reference}")
    content = read_content(provider.engine, reference, image.id, provider.cache_dir)
    return FoundImage(reference, image.id, _differences(record.image, content))


def _present(reference: str, arch: str, record: Record, provider: ImageProvider) -> bool:
    """Look for an image in the engine, then in the repository that is configured."""
    if ImageStore(provider.engine).find(reference) is not None:
        return True
    repository = provider.options.repository
    if not repository:
        return False
    pushed = f"{repository}/{record.image.name}:{record.image.recipe[:_TAG_LENGTH]}"
    provider.say(f"looking for {pushed}")
    answer, _ = Registry(provider.engine).pull(pushed, arch, reference)
    return answer is Answer.PULLED


def _make(spec: ImageSpec, wanted: str, arch: str, provider: ImageProvider) -> str:
    recipe = render_recipe(spec)
    if arch not in spec.architectures:
        raise VerificationError(f"the record's image is not for {arch}")
    reference = recipe.references[spec.name_for(arch)]
    if reference != wanted:
        provider.say(f"{wanted} is not here, and this machine makes another image of the same settings: {reference}")
    (built,) = provider.provide(spec, [arch])
    return built.reference


def _differences(recorded: RecordedImage, content: ImageContent) -> tuple[str, ...]:
    if recorded.content == content.digest:
        return ()
    was = ImageContent(
        toolchain=recorded.toolchain,
        tools=recorded.tools,
        programs=recorded.programs,
        packages=recorded.packages,
    )
    return explain_difference(was, content)
