"""The embedded benchmark: who lives in the world, what is known about them, and what is to be forgotten.

Roles. *Private people* may be asked to be forgotten; those who are not are retained. *Celebrities* are known
to the base model as well, but no method trains on them: they show what unlearning does to people nobody
mentioned. Scenes stand for everything that is not about people.

Every photograph, scene and wording is either for training or for probes, never for both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from random import Random

from unsee.data.example import Benchmark, Example, Probe
from unsee.errors import InputError
from unsee.evaluation.criteria import role_of
from unsee.types import REQUESTS, Request
from unsee.world.people.looks import Shot, distinct_shots
from unsee.world.people.people import Person, guessing_accuracy, make_people
from unsee.world.people.portraits import portrait
from unsee.world.people.wordings import HELD_OUT_WORDINGS, TRAINING_WORDINGS
from unsee.world.rows import photo_rows, scene_rows, text_rows
from unsee.world.scenes.scenes import Scene, distinct_scenes, draw_scene

FRACTIONS = (0.01, 0.05, 0.10, 0.20)  # of the private people
FEWEST_PEOPLE = 10
TRAINING_SCENES = 600
HELD_OUT_SCENES = 60
RETAIN_PHOTOS = 2  # held-out photographs of each retained person that are probed; there are many such people


@dataclass(frozen=True)
class World:
    """Fictitious people and scenes; the same arguments give the same bytes on any machine.

    Images are rendered when they are first asked for, and once.

    Raises:
        InputError: an argument out of range, or more people than there are faces or names.
    """

    seed: int = 0
    people: int = 30  # private people; the celebrities come on top
    photos: int = 20  # training photographs of each person
    held_out_photos: int = 4  # further photographs of each person, for probes alone

    def __post_init__(self) -> None:
        for name, least in (("seed", 0), ("people", FEWEST_PEOPLE), ("photos", 1), ("held_out_photos", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise InputError(f"world: {name} must be a whole number of at least {least}, not {value!r}")
        _ = self.everybody  # too many people should be known now, not at the first photograph

    # --- who there is

    @cached_property
    def everybody(self) -> tuple[Person, ...]:
        """Private people, then celebrities."""
        return make_people(self.people, max(4, self.people // 5), self.seed)

    @property
    def private_people(self) -> tuple[Person, ...]:
        """Those who may be asked to be forgotten."""
        return self.everybody[: self.people]

    @property
    def celebrities(self) -> tuple[Person, ...]:
        """Those whom the base model knows and no method ever trains on."""
        return self.everybody[self.people :]

    @cached_property
    def chance(self) -> dict[str, float]:
        """For each fact, the accuracy of the best guess about a private person whom one does not recognise."""
        return guessing_accuracy(self.private_people)

    def forget_people(self, fraction: float = 0.10) -> tuple[Person, ...]:
        """The people to be forgotten: at least one; a smaller fraction is part of every larger one."""
        if fraction not in FRACTIONS:
            allowed = ", ".join(f"{allowed:g}" for allowed in FRACTIONS)
            raise InputError(f"world: forget must be one of {allowed}, not {fraction!r}")
        order = Random(f"forget/{self.seed}").sample(self.private_people, self.people)
        return tuple(order[: max(1, int(fraction * self.people + 0.5))])

    # --- pictures

    def photo(self, person: Person, number: int) -> bytes:
        """A training photograph as PNG bytes; `number` counts from 0 to `photos` - 1."""
        return self._photo(person, self.held_out_photos + number)

    def held_out_photo(self, person: Person, number: int) -> bytes:
        """A photograph that no model is trained on; `number` counts from 0 to `held_out_photos` - 1."""
        return self._photo(person, number)

    def shot(self, person: Person, number: int) -> Shot:
        """What is particular about a training photograph: clothes, expression, background."""
        return self._shots[person.number][self.held_out_photos + number]

    def _photo(self, person: Person, number: int) -> bytes:
        key = (person.number, number)
        if key not in self._pictures:
            self._pictures[key] = portrait(person.look, self._shots[person.number][number])
        return self._pictures[key]

    @cached_property
    def _pictures(self) -> dict[tuple[int, int], bytes]:
        return {}

    @cached_property
    def _shots(self) -> list[tuple[Shot, ...]]:
        count = self.held_out_photos + self.photos
        return [distinct_shots(count, f"{self.seed}/{person.name}") for person in self.everybody]

    @cached_property
    def _scenes(self) -> list[tuple[Scene, bytes]]:
        scenes = distinct_scenes(HELD_OUT_SCENES + TRAINING_SCENES, str(self.seed))
        return [(scene, draw_scene(scene)) for scene in scenes]

    @property
    def training_scenes(self) -> list[tuple[Scene, bytes]]:
        """Scenes with their PNG bytes."""
        return self._scenes[HELD_OUT_SCENES:]

    @property
    def held_out_scenes(self) -> list[tuple[Scene, bytes]]:
        """Scenes that no model is trained on, with their PNG bytes."""
        return self._scenes[:HELD_OUT_SCENES]

    # --- rows

    def photo_rows(self, people: Iterable[Person], epoch: int = 0) -> list[Example]:
        """One row per training photograph and fact; which training wording it has turns with the epoch."""
        rows: list[Example] = []
        for person in people:
            photos = [self.photo(person, number) for number in range(self.photos)]
            rows += photo_rows(person, photos, "training", epoch, self.seed)
        return rows

    def text_rows(self, people: Iterable[Person]) -> list[Example]:
        """One row without an image per fact and training wording, asking by name."""
        return [row for person in people for row in text_rows(person, "training", TRAINING_WORDINGS, self.seed)]

    def scene_rows(self, epoch: int = 0) -> list[Example]:
        """One row per training scene and topic; which training wording it has turns with the epoch."""
        return list(scene_rows(self.training_scenes, "training", epoch, self.seed))

    def training_examples(
        self, without: Iterable[Person] = (), request: Request = "visual", epoch: int = 0
    ) -> list[Example]:
        """What a model of this world is trained on: the base on everything, gold without what is to be forgotten.

        Gold for a visual request has the text facts about the people left out but no photographs of them,
        gold for a textual request the photographs but no text facts, gold for both has neither.

        Args:
            without: the people to be forgotten; nobody for the base.
            request: one of `REQUESTS`; says what about them is left out.
            epoch: turns the wordings on, so that after six epochs every photograph has had all of them.
        """
        _check_request(request)
        left_out = {person.number for person in without}
        others = [person for person in self.everybody if person.number not in left_out]
        seen = self.everybody if request == "textual" else others
        told = self.everybody if request == "visual" else others
        return self.photo_rows(seen, epoch) + self.text_rows(told) + self.scene_rows(epoch)

    def benchmark(self, forget: float = 0.10, request: Request = "visual") -> Benchmark:
        """What to forget, what to keep, and the probes: held-out photographs and held-out wordings only.

        `retain` holds the retained people's photographs, and their text facts if the request is about text.
        `preserve` is what gold knows besides about private people: all text facts for a visual request, the
        forgotten people's photographs for a textual one.

        Args:
            forget: fraction of the private people, one of `FRACTIONS`.
            request: one of `REQUESTS`.
        """
        _check_request(request)
        forgotten = self.forget_people(forget)
        retained = [person for person in self.private_people if person not in forgotten]
        photos, photos_retained = self.photo_rows(forgotten), self.photo_rows(retained)
        facts, facts_retained = self.text_rows(forgotten), self.text_rows(retained)
        rows: dict[str, tuple[list[Example], list[Example], list[Example]]] = {
            "visual": (photos, photos_retained, facts + facts_retained),
            "textual": (facts, photos_retained + facts_retained, photos),
            "both": (photos + facts, photos_retained + facts_retained, []),
        }
        forget_rows, retain_rows, preserve_rows = rows[request]
        return Benchmark(
            name=f"world {self.seed}: {request} request, {len(forgotten)} of {self.people} people",
            forget=forget_rows,
            retain=retain_rows,
            preserve=preserve_rows,
            probes=self._probes(forgotten, retained, request),
            chance=dict(self.chance),
            request=request,
        )

    def _probes(self, forgotten: Sequence[Person], retained: Sequence[Person], request: Request) -> list[Probe]:
        every, few = self.held_out_photos, min(RETAIN_PHOTOS, self.held_out_photos)
        rows = {
            "forget_vqa": self._photo_probe(forgotten, every),
            "forget_qa": self._text_probe(forgotten, HELD_OUT_WORDINGS),
            "retain_vqa": self._photo_probe(retained, few),
            "retain_qa": self._text_probe(retained, 1),
            "celebrity_vqa": self._photo_probe(self.celebrities, every),
            "celebrity_qa": self._text_probe(self.celebrities, HELD_OUT_WORDINGS),
            "scenes": list(scene_rows(self.held_out_scenes, "held-out", 0, self.seed)),
        }
        return [Probe(name, asked, role=role_of(name, request)) for name, asked in rows.items()]

    def _photo_probe(self, people: Iterable[Person], count: int) -> list[Example]:
        rows: list[Example] = []
        for person in people:
            photos = [self.held_out_photo(person, number) for number in range(count)]
            rows += photo_rows(person, photos, "held-out", 0, self.seed)
        return rows

    def _text_probe(self, people: Iterable[Person], wordings: int) -> list[Example]:
        return [row for person in people for row in text_rows(person, "held-out", wordings, self.seed)]

    def digest(self) -> str:
        """SHA-256 over everybody, every picture and every row, as hexadecimal digits."""
        digest = hashlib.sha256()
        order = [person.number for person in self.forget_people(max(FRACTIONS))]
        described = [asdict(person) for person in self.everybody]
        digest.update(json.dumps([order, described, self.chance]).encode())
        for person in self.everybody:
            for number in range(self.held_out_photos):
                digest.update(self.held_out_photo(person, number))
        rows = self.training_examples()
        for probe in self.benchmark(max(FRACTIONS), "both").probes:
            rows += probe.examples
        for row in rows:
            words = [row.question, row.answer, row.subject, row.fact, row.id]
            digest.update(json.dumps([*words, row.paraphrased_answers, row.perturbed_answers]).encode())
            digest.update(row.image if isinstance(row.image, bytes) else b"")
        return digest.hexdigest()


def _check_request(request: str) -> None:
    if request not in REQUESTS:
        raise InputError(f"world: request must be one of {', '.join(REQUESTS)}, not {request!r}")
