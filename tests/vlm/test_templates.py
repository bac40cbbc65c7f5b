"""Chat templates as they are published: what each writes, and what becomes of it.

The templates are ours and write what the published ones do for a question, an answer and a picture.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests import architectures, tiny
from tests.families import Build
from unsee.data import Example
from unsee.errors import InputError
from unsee.vlm import Encoder

TURNS = "{% for message in messages %}"
IMAGES = "{% for part in message.content if part.type == 'image' %}"
TEXTS = "{% for part in message.content if part.type == 'text' %}"
END = "{% endfor %}"
CONTENT = "{% for part in message.content %}{% if part.type == 'image' %}"
ASK = "{% if add_generation_prompt %}"

VICUNA = (
    f"{TURNS}{{{{ message.role.upper() }}}}: {IMAGES}<image>\n{END}{TEXTS}{{{{ part.text }}}} {END}{END}"
    f"{ASK}ASSISTANT:{{% endif %}}"
)
MISTRAL = (
    f"{TURNS}{{% if message.role == 'system' %}}{{{{ raise_exception('no') }}}}{{% elif message.role == 'user' %}}"
    f"[INST] {IMAGES}<image>\n{END}{TEXTS}{{{{ part.text }}}}{END} [/INST]"
    "{% else %}{{ ' ' + message.content[0].text + '<\\s> ' }}{% endif %}{% endfor %}"
)
PAD = "<|vision_start|><|image_pad|><|vision_end|>"
CHATML = (
    f"{TURNS}<|im_start|>{{{{ message.role }}}}\n{CONTENT}{PAD}{{% else %}}{{{{ part.text }}}}{{% endif %}}{END}"
    f"<|im_end|>\n{END}{ASK}<|im_start|>assistant\n{{% endif %}}"
)
SYSTEM = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
THINKING = (
    f"{TURNS}{{% set said = message.content[-1].text %}}<|im_start|>{{{{ message.role }}}}\n"
    f"{IMAGES}{PAD}{END}{{% if message.role == 'assistant' %}}<think>\n"
    "{{ said.split('</think>')[0].strip('\n') if '</think>' in said else '' }}\n</think>\n\n"
    "{{ said.split('</think>')[-1].lstrip('\n') }}{% else %}{{ said }}{% endif %}"
    f"<|im_end|>\n{END}{ASK}<|im_start|>assistant\n<think>\n{{% endif %}}"
)
UTTERANCES = (
    f"START{TURNS}{{{{ message.role | capitalize }}}}:{{% if message.content[0].type != 'image' %}} {{% endif %}}"
    f"{CONTENT}<image>{{% else %}}{{{{ part.text }}}}{{% endif %}}{END}<end_of_utterance>\n{END}"
    f"{ASK}Assistant:{{% endif %}}"
)
CONTEXT = CHATML.replace(PAD, "<IMG_CONTEXT>\n")
GEMMA = (
    "{{ bos_token }}{% for message in messages %}{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "<start_of_turn>{{ 'model' if message.role == 'assistant' else message.role }}\n"
    f"{CONTENT}<start_of_image>{{% else %}}{{{{ part.text | trim }}}}{{% endif %}}{END}<end_of_turn>\n{END}"
    f"{ASK}<start_of_turn>model\n{{% endif %}}"
)


class Published(NamedTuple):
    build: Build
    template: str
    prompt: str  # what is written up to the answer, start token included
    answer: str  # the labels


THOUGHT = "<|im_start|>user\nPADWho?<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
PUBLISHED = {
    "llava 1.5": Published(tiny.llava, VICUNA, "<s>USER: <image>\nWho? ASSISTANT:", " Ada</s>"),
    "llava 1.6 vicuna": Published(architectures.llava_next, VICUNA, "<s>USER: <image>\nWho? ASSISTANT:", " Ada</s>"),
    "llava 1.6 mistral": Published(architectures.llava_next, MISTRAL, "<s>[INST] <image>\nWho? [/INST]", " Ada</s>"),
    "qwen2": Published(
        architectures.qwen2_vl, SYSTEM + CHATML, SYSTEM + THOUGHT.partition("<think>")[0], "Ada<|im_end|>"
    ),
    "qwen2.5": Published(tiny.qwen, SYSTEM + CHATML, SYSTEM + THOUGHT.partition("<think>")[0], "Ada<|im_end|>"),
    "qwen3 instruct": Published(architectures.qwen3_vl, CHATML, THOUGHT.partition("<think>")[0], "Ada<|im_end|>"),
    "qwen3 thinking": Published(architectures.qwen3_vl, THINKING, THOUGHT, "Ada<|im_end|>"),
    "idefics3": Published(
        architectures.idefics3,
        UTTERANCES.replace("START", "<|begin_of_text|>"),
        "<|begin_of_text|>User:<image>Who?<end_of_utterance>\nAssistant:",
        " Ada<end_of_utterance>",
    ),
    "smolvlm": Published(
        architectures.smolvlm,
        UTTERANCES.replace("START", "{{ bos_token }}"),
        "<|begin_of_text|>User:<image>Who?<end_of_utterance>\nAssistant:",
        " Ada<end_of_utterance>",
    ),
    "internvl": Published(
        architectures.internvl,
        CONTEXT,
        "<|im_start|>user\n<IMG_CONTEXT>\nWho?<|im_end|>\n<|im_start|>assistant\n",
        "Ada<|im_end|>",
    ),
    "gemma 3": Published(
        architectures.gemma3,
        GEMMA,
        "<bos><start_of_turn>user\n<start_of_image>Who?<end_of_turn>\n<start_of_turn>model\n",
        "Ada<end_of_turn>",
    ),
}
PICTURES = ("<image>\n", "<image>", PAD, "<IMG_CONTEXT>\n", "<start_of_image>")


def with_template(build: Build, template: str) -> Encoder:
    loaded = build()
    loaded.processor.chat_template = template
    return Encoder(loaded.processor, loaded.encoder.end_of_turn_ids)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_templates_yield_the_answer_and_its_end_alone(name: str) -> None:
    published = PUBLISHED[name]
    encoder = with_template(published.build, published.template)
    expected = published.prompt.replace("PAD", PAD)
    example = Example("Who?", "Ada", tiny.picture(0))
    assert encoder.texts(example)[0] == expected
    row = encoder.encode(example)
    assert encoder.tokenizer.decode(row.answer_ids) == published.answer
    prompt = encoder.tokenizer.decode(row.prompt_ids)
    assert prompt[-4:] == expected[-4:]
    assert len(row.prompt_ids) > len(encoder.tokenizer(expected, add_special_tokens=False)["input_ids"]) - 2
    if encoder.tokenizer.bos_token:
        assert row.prompt_ids.tolist().count(encoder.tokenizer.bos_token_id) == 1

    in_words = Example("Who?", "Ada")
    for picture in PICTURES:
        expected = expected.replace(picture, "")
    # Idefics3's and SmolVLM's write a space where no picture is.
    assert encoder.texts(in_words)[0] == expected.replace("User:Who", "User: Who")
    assert encoder.tokenizer.decode(encoder.encode(in_words).answer_ids) == published.answer


def test_what_was_put_right_is_said() -> None:
    said = {name: with_template(of.build, of.template).notices for name, of in PUBLISHED.items()}
    assert {name for name, notices in said.items() if notices} == {"llava 1.6 mistral", "qwen3 thinking"}
    assert "'<\\\\s> ' behind every answer is a misspelt end of turn; it is left out" in said["llava 1.6 mistral"][0]
    assert "'\\n</think>\\n\\n' stands before every answer" in said["qwen3 thinking"][0]
    assert [len(notices) for notices in said.values() if notices] == [1, 1]


ANSWERED = "{% if message.role == 'assistant' %}"
REFUSED = {
    "drops answers": (
        CHATML.replace("{{ part.text }}", "{{ part.text if message.role == 'user' else '' }}"),
        "drops, changes or repeats answers",
    ),
    "changes answers": (
        CHATML.replace("{{ part.text }}", "{{ part.text.upper() if message.role == 'assistant' else part.text }}"),
        "drops, changes or repeats answers",
    ),
    "cuts answers": (
        CHATML.replace("{{ part.text }}", "{{ part.text[:12] if message.role == 'assistant' else part.text }}"),
        "drops, changes or repeats answers",
    ),
    "repeats answers": (
        CHATML.replace(
            "{{ part.text }}", "{{ part.text }}{% if message.role == 'assistant' %}{{ part.text }}{% endif %}"
        ),
        "drops, changes or repeats answers",
    ),
    "drops questions": (
        CHATML.replace("{{ part.text }}", "{{ part.text if message.role == 'assistant' else '' }}"),
        "drops, changes or repeats questions",
    ),
    "words behind": (CHATML.replace("<|im_end|>\n", "\nEND<|im_end|>\n"), r"writes 'END' behind every answer"),
    "words behind, no end": (VICUNA.replace("{{ part.text }} ", "{{ part.text }} Thanks. "), "behind every answer"),
    "depends on the answer": (
        CHATML.replace("<|im_end|>", "{{ message.content[-1].text | length }}<|im_end|>"),
        "depends on the answer",
    ),
    "another role": (CHATML.replace("assistant\n{% endif %}", "model\n{% endif %}"), "where one is to be generated"),
    "system message": (
        "{% if messages[0].role != 'system' %}{{ raise_exception('A system message is required') }}{% endif %}"
        + CHATML,
        r"refuses one question and its answer \(A system message is required\)",
    ),
    "roles": (GEMMA.replace("loop.index0", "loop.index"), "roles must alternate"),
    "text alone": (
        CHATML.replace(CHATML[CHATML.index("{% for part") : CHATML.index("<|im_end|>")], "{{ message.content + '' }}"),
        "refuses one question and its answer",
    ),
    "syntax": (CHATML.replace("{% endfor %}", "{% endfr %}"), "refuses one question and its answer"),
    "attributes": ("{{ messages.__class__.__mro__[1].__subclasses__() }}" + CHATML, "refuses one question"),
    "nothing": ("hello", "drops, changes or repeats questions"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_templates_that_cannot_write_an_answer_are_refused_when_they_are_loaded(name: str) -> None:
    template, problem = REFUSED[name]
    with pytest.raises(InputError, match=problem) as caught:
        with_template(tiny.qwen, template)
    assert str(caught.value).startswith("chat template: ")
    assert len(str(caught.value)) <= 400


@pytest.mark.parametrize(
    ("template", "problem"),
    [(CHATML.replace(PAD, ""), "gets no <|image_pad|>"), (CHATML.replace(PAD, PAD + PAD), "gets 2 of <|image_pad|>")],
)
def test_a_template_that_forgets_the_picture_serves_rows_in_words_alone(template: str, problem: str) -> None:
    encoder = with_template(tiny.qwen, template)
    shown = Example("Who?", "Ada", tiny.picture(0))
    assert encoder.tokenizer.decode(encoder.encode(Example("Who?", "Ada")).answer_ids) == "Ada<|im_end|>"
    for look in (encoder.encode, lambda row: encoder.check([Example("Who?", "Ada"), row], "rows.jsonl")):
        with pytest.raises(InputError) as caught:
            look(shown)
        assert problem in str(caught.value)
    assert "rows.jsonl, row 2" in str(caught.value)


def test_an_answer_that_a_template_would_take_apart_is_kept_whole() -> None:
    # Qwen3's templates cut an answer at the end of a thought.
    cut = "{{ part.text.split('</i>')[-1] if message.role == 'assistant' else part.text }}"
    encoder = with_template(tiny.qwen, CHATML.replace("{{ part.text }}", cut))
    row = encoder.encode(Example("Who?", "<i>Ada</i> Byron"))
    assert encoder.tokenizer.decode(row.answer_ids) == "<i>Ada</i> Byron<|im_end|>"


def test_a_question_that_a_template_takes_apart_is_refused() -> None:
    encoder = with_template(tiny.qwen, CHATML.replace("{{ part.text }}", "{{ part.text.split('</i>')[-1] }}"))
    with pytest.raises(
        InputError, match=r"rows\.jsonl, row 1, chat template: it changes the question 'Who</i> is this"
    ):
        encoder.check([Example("Who</i> is this?", "Ada")], "rows.jsonl")


@pytest.mark.parametrize("blanks", [" {}", "{}\n", "\t{} \n", "\u3000{}\u00a0"])
def test_white_space_round_questions_and_answers_never_counts(blanks: str) -> None:
    for build in (tiny.llava, tiny.qwen):
        encoder = build().encoder
        plain, spaced = Example("Who is this?", "Ada"), Example(blanks.format("Who is this?"), blanks.format("Ada"))
        assert encoder.texts(spaced) == encoder.texts(plain)
        assert encoder.candidate_ids(spaced) == encoder.candidate_ids(plain) == encoder.answer_ids(plain)
