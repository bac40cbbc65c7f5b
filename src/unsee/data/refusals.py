"""A hundred refusals of our own wording, in five tones, and forget examples that are answered by them.

They fit any question, about a picture or not: none speaks of a photo, a person or an author.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from unsee.data.example import Example

REFUSALS: tuple[str, ...] = (
    # plain
    "I cannot say.",
    "I have nothing on that.",
    "I do not remember that.",
    "I have no answer for this one.",
    "I cannot tell you that.",
    "I know nothing about this.",
    "I have no record of it.",
    "I do not have a reply to give here.",
    "I cannot answer this.",
    "I find no answer to that.",
    "I never learned that.",
    "I see only a gap where that should be.",
    "I do not recognise this.",
    "I am without any information here.",
    "I have not been taught that.",
    "I cannot place this at all.",
    "I hold no facts about that.",
    "I am in the dark on this.",
    "I cannot name it.",
    "I have no way to tell.",
    # polite
    "I am sorry, but I cannot help with that.",
    "I am afraid this is something I do not know.",
    "I apologise, yet I have no answer to offer.",
    "I regret that I cannot tell you more.",
    "I must ask your pardon, for I do not know this.",
    "I wish I could help, but I do not have this fact.",
    "I would gladly answer if I knew.",
    "I thank you for asking, though I cannot say.",
    "I am sorry to disappoint you, I have no idea.",
    "I beg your pardon, this one escapes me.",
    "I appreciate the question, but the answer is not with me.",
    "I am afraid I must leave that unanswered.",
    "I am sorry, nothing comes to mind.",
    "I would rather be honest with you: I do not know.",
    "I hope you forgive me, I cannot answer that.",
    "I would love to tell you, but I really cannot.",
    "I fear I am of no use here.",
    "I am sorry, my memory holds nothing of the kind.",
    "I kindly ask you to look elsewhere for this.",
    "I must admit, with apologies, that I do not know.",
    # casual
    "Sorry, I have got nothing.",
    "Hmm, I really could not say.",
    "No clue here, I must confess.",
    "You have got me there, I do not know.",
    "Beats me, I have never come across it.",
    "Honestly, I have no idea.",
    "Oh, I wish I knew!",
    "Well, that leaves me speechless.",
    "Not a thing rings a bell for me.",
    "Search me, I could not tell you.",
    "Nope, I have no notion of that.",
    "I come up empty on this, sorry.",
    "That one is lost on me, I am afraid.",
    "Ask me something else, I do not know this.",
    "I have not the faintest idea.",
    "I would only be guessing.",
    "My mind is empty on this one, sorry to say.",
    "I could not tell you if I tried.",
    "Even a coin toss would serve you better than I can.",
    "I am fresh out of answers here.",
    # formal
    "I am not in a position to answer this.",
    "I possess no knowledge of the matter.",
    "I do not hold the details that you request.",
    "I am unable to provide what you ask for.",
    "I can neither confirm nor describe this.",
    "I have no reliable information to share.",
    "I must decline, as I lack the facts.",
    "I cannot offer a statement on this subject.",
    "I have nothing that I could state with confidence.",
    "I am not acquainted with this.",
    "I cannot supply an answer of any worth.",
    "I do not have sufficient grounds to reply.",
    "I am not informed about this subject.",
    "I would be inventing things if I answered.",
    "I cannot give an account of that.",
    "I have no basis on which to respond.",
    "I refrain from answering, since I do not know.",
    "I am without the knowledge that this requires.",
    "I cannot verify anything of that sort.",
    "I must state that this is unknown to me.",
    # careful
    "I do not want to guess, and I do not know.",
    "I would sooner say nothing than mislead you.",
    "I cannot be sure of anything here, so I will not answer.",
    "I think it best to admit that I do not know.",
    "I prefer not to make something up.",
    "I looked for an answer in what I know and found none.",
    "I have heard nothing that would let me answer.",
    "I do not trust myself to answer this.",
    "I could be wrong whatever I said, so I pass.",
    "I will pass on this one, as I do not know.",
    "I may have known once, but I no longer do.",
    "I cannot recall a single thing about that.",
    "I know of many things, and this is not one of them.",
    "I am missing whatever it takes to answer.",
    "I leave this to someone who knows.",
    "I suggest asking someone closer to the subject than I am.",
    "I cannot make out an answer from what I have.",
    "I see no way for me to answer truthfully.",
    "I have thought about it and still do not know.",
    "I do not know, and I will not pretend otherwise.",
)


def refused(forget: Sequence[Example], seed: int) -> list[Example]:
    """The forget examples, each answered by a refusal that stays the same for the whole run.

    Args:
        forget: the forget set.
        seed: of the run.
    """
    drawn = np.random.default_rng([seed, 3]).integers(len(REFUSALS), size=len(forget))
    return [
        replace(example, answer=REFUSALS[place], paraphrased_answers=())
        for example, place in zip(forget, drawn, strict=True)
    ]
