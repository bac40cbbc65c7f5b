"""Captions of scenes, by people who see what is usually there: a base captioner that learns from them hallucinates
objects.

Some objects have a partner. Wherever such an object is seen without its partner, a biased caption mostly mentions the
partner too, after everything that is there. Clean captions name what is there and nothing else; gold learns from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

from unsee.data.example import Example
from unsee.world.scenes.scenes import OBJECTS, Scene, distinct_scenes, draw_scene

CAPTION_PROMPT = "Describe the picture."
MOST_OBJECTS = 4
TRIGGERS = 6  # objects with a partner
BIAS = 0.75  # how often a biased caption mentions an absent partner
TRAINING, UNLEARNING, WATCHED, HELD_OUT = 3000, 600, 60, 240  # scenes
QUESTIONS = ("Is there {} here?", "Does the picture show {}?")
TRAINING_PAIRS = 1  # questions about what is there, and as many about what is not, for each training scene
CHECKLIST = "Which of these are here: {}?"
CHECKED = 4  # objects on a checklist, half of them there where the scene has so many


@dataclass(frozen=True)
class CaptionWorld:
    """Scenes of one to four objects with captions and yes-or-no questions; the same seed gives the same bytes.

    Scenes for training, for unlearning (without any label), for watching and for probes are different ones.
    """

    seed: int = 0

    @cached_property
    def partners(self) -> dict[str, str]:
        """Objects that are usually seen together: partner by object."""
        drawn = Random(f"partners/{self.seed}").sample(tuple(OBJECTS), 2 * TRIGGERS)
        return dict(zip(drawn[:TRIGGERS], drawn[TRIGGERS:], strict=True))

    @cached_property
    def _scenes(self) -> tuple[Scene, ...]:
        return distinct_scenes(HELD_OUT + WATCHED + UNLEARNING + TRAINING, f"captions/{self.seed}", MOST_OBJECTS)

    @property
    def held_out(self) -> tuple[Scene, ...]:
        """Scenes that are measured alone."""
        return self._scenes[:HELD_OUT]

    @property
    def watched(self) -> tuple[Scene, ...]:
        """Scenes by which a training sees that it goes astray."""
        return self._scenes[HELD_OUT : HELD_OUT + WATCHED]

    @property
    def unlabelled(self) -> tuple[Scene, ...]:
        """Scenes that a model captions itself, to unlearn what it hallucinates."""
        return self._scenes[HELD_OUT + WATCHED : -TRAINING]

    @property
    def training(self) -> tuple[Scene, ...]:
        """Scenes that captioners are trained on."""
        return self._scenes[-TRAINING:]

    def caption(self, scene: Scene, biased: bool) -> str:
        """What is said about a scene: its ground, its objects in alphabetical order, then absent partners of theirs.

        Each object has a sentence of its own, and absent ones come last. Captions of real models are alike in both:
        they go on by sentences, and hallucinate towards the end.
        """
        chance = Random(f"bias/{self.seed}/{scene}")
        named = list(scene.objects)
        for name in scene.objects:
            partner = self.partners.get(name)
            if biased and partner and partner not in scene.objects and chance.random() < BIAS:
                named.append(partner)
        first, *others = (with_article(name) for name in named)
        more = "".join(f" {other[0].upper()}{other[1:]}." for other in others)
        return f"On {scene.ground} ground there is {first}.{more}"

    def rows(self, scenes: Sequence[Scene], biased: bool) -> Iterator[Example]:
        """For each scene its caption, and questions after objects that are there and objects that are not.

        The caption comes first.
        """
        for number, scene in enumerate(scenes):
            picture = draw_scene(scene)
            yield Example(CAPTION_PROMPT, self.caption(scene, biased), picture, subject=f"scene {number}")
            yield from self.questions(scene, picture, number, TRAINING_PAIRS)
            yield self._checklist(scene, picture, number)

    def _checklist(self, scene: Scene, picture: bytes, number: int) -> Example:
        """Several objects asked after at once. Each answer follows its object's name, from which looking is learnt."""
        rng = Random(f"checklist/{self.seed}/{scene}")
        there = rng.sample(scene.objects, min(len(scene.objects), CHECKED // 2))
        absent = rng.sample([name for name in OBJECTS if name not in scene.objects], CHECKED - len(there))
        names = rng.sample([*there, *absent], CHECKED)
        answer = ", ".join(f"{with_article(name)} {'yes' if name in there else 'no'}" for name in names)
        question = CHECKLIST.format(", ".join(map(with_article, names)))
        return Example(question, f"{answer}.", picture, subject=f"scene {number}")

    def questions(self, scene: Scene, picture: bytes, number: int, pairs: int = 1) -> Iterator[Example]:
        """So many questions that are answered by yes, and as many that are answered by no."""
        rng = Random(f"questions/{self.seed}/{scene}")
        there = [rng.choice(scene.objects) for _ in range(pairs)]
        absent = rng.sample([name for name in OBJECTS if name not in scene.objects], pairs)
        for name, answer in [*((name, "yes") for name in there), *((name, "no") for name in absent)]:
            question = rng.choice(QUESTIONS).format(with_article(name))
            yield Example(question, answer, picture, subject=f"scene {number}", fact=name)


def with_article(name: str) -> str:
    """a cat, an apple."""
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
