"""The page: hostile text stays text, nothing is loaded, and what is missing is left out."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.report.samples import Page, full, judged, picture
from unsee.report import Answer, CurvePoint, ModelResult, ProbeInfo, Report, Score, photo_data_uri, render
from unsee.report.contents import Density

HOSTILE = [
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "</style></title></script><b>",
    "javascript:alert(1)",
    "<!-- --> <![CDATA[ ]]> &lt;b&gt; &#60;",
    "{{ 7 * 7 }} {% raw %} {# #}",
    "\u202eevil\u2066\u200f",
    "😀👩\u200d👩\u200d👧 مرحبا \x00\x1b\x7f",
    "a" * 10_000,
    "<" * 10_000,
]
OURS = Page(render(full("long " * 200)))  # uses every part of the template


def assert_harmless(html: str) -> Page:
    page = Page(html)
    assert {tag for tag, _ in page.tags} <= {tag for tag, _ in OURS.tags}
    assert not page.open
    assert len(page.scripts) == len(page.all("script")) == 1
    assert page.scripts == OURS.scripts
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        assert (attributes.get("src", "data:image/png;base64,") or "").startswith("data:image/"), tag
        assert (attributes.get("href") or "#").startswith("#")
        assert re.fullmatch(r"((width|left):\d+\.\d%)?", attributes.get("style") or "")
        assert not {"action", "formaction", "srcset", "data", "poster", "background", "ping"} & set(attributes)
    html.encode()
    return page


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_every_field_stays_text(text: str) -> None:
    page = assert_harmless(render(full(text)))
    if len(text) < 30 and text.isprintable():
        fields = "title lead today Ada city Oslo Base paper beta value key label about question expected said vision"
        fields += " words truth hallucinated"
        for field in [*fields.split(), "train", "slow", "torch", "2.9", "note", "demo"]:
            assert field + text in page.text, field


@settings(max_examples=12, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_in_every_field_stays_text(text: str) -> None:
    assert_harmless(render(full(text)))


def test_the_structure_of_the_page_does_not_depend_on_its_texts() -> None:
    def structure(text: str) -> list[tuple[str, tuple[str, ...]]]:
        tags = Page(render(full(text))).tags
        return [(tag, tuple(sorted(attributes))) for tag, attributes in tags if tag != "path"]  # leaders come and go

    text = "\"'><img/src=x/onerror=alert(1)>"
    assert structure(text) == structure("x" * len(text))


def test_text_of_a_stranger_is_isolated_so_that_it_cannot_turn_its_surroundings() -> None:
    html = render(full("\u202e"))
    for place in re.finditer("\u202e", html):
        before = html[: place.start()]
        inside_bdi = before.rfind("<bdi>") > before.rfind("</bdi>")
        inside_block = re.search(r"<code>[^<]*$", before) is not None
        assert inside_bdi or inside_block, html[place.start() - 80 : place.start() + 20]


def test_long_text_is_cut_in_view_and_whole_in_details() -> None:
    answer = "b" * 10_000
    report = full()
    first = report.answers[0].model_copy(update={"said": {**report.answers[0].said, "one": answer}})
    page = Page(render(report.model_copy(update={"answers": [first]})))
    assert answer in page.text
    assert "all 10,000 characters" in page.words


def test_the_policy_allows_our_script_and_nothing_else() -> None:
    html = render(full())
    policy = next(a["content"] for a in Page(html).all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    script = re.search(r"<script>(.*?)</script>", html, re.S)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert policy == (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def test_the_page_refers_to_nothing_outside() -> None:
    html = render(full())
    without_photos = re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "", html)
    assert "http:" not in without_photos
    assert "https:" not in without_photos
    assert "url(" not in without_photos
    assert "@import" not in without_photos
    assert not re.search(r"=\s*[\"']?//", without_photos)


def test_a_page_for_a_reader_who_hears_it() -> None:
    page = Page(render(full()))
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == 1
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(attributes.get("scope") for attributes in page.all("th"))
    assert all(attributes.get("alt") for attributes in page.all("img"))
    assert all(a.get("role") == "img" or a.get("aria-hidden") == "true" for a in page.all("svg"))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = [name for _, a in page.tags for name in (a.get("aria-labelledby") or "").split()]
    assert set(named) <= set(ids)
    assert {(a.get("href") or "#")[1:] for a in page.all("a")} <= set(ids)


def test_without_script_everything_can_be_read_and_the_filter_is_not_shown() -> None:
    page = Page(render(full()))
    assert [attributes["id"] for _, attributes in page.tags if "hidden" in attributes] == ["filter"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(scheme: str) -> None:
    css = re.search(r"<style>(.*?)</style>", render(full()), re.S)
    assert css is not None
    blocks = re.findall(r":root\{(.*?)\}", css[1], re.S)
    colours = dict(re.findall(r"--(\w+):(#\w+)", blocks[0] if scheme == "light" else blocks[1]))
    for name in ("ink", "muted", "good", "warn", "bad", "base", "gold", *(f"c{i}" for i in range(8))):
        for ground in ("bg", "card"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
    for name in ("good", "warn", "bad"):
        assert contrast(colours[name], colours[name + "bg"]) >= 4.5, name


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast ratio."""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_two_models_and_the_users_own_probe_names() -> None:
    report = Report(
        title="A run",
        models={
            "before": ModelResult(
                label="before", role="base", scores={"mine": Score(score=0.9), "rest": Score(score=0.8)}
            ),
            "npo": ModelResult(
                label="npo", role="method", scores={"mine": Score(score=0.1), "rest": Score(score=0.79)}
            ),
        },
        probes=[ProbeInfo(name="mine", forget=True), ProbeInfo(name="rest", forget=False)],
    )
    page = assert_harmless(render(report))
    explained = "No gold model given: a model trained without what is to be forgotten"
    assert page.words.lower().index("gold") == page.words.index(explained) + len("No ")  # before anything speaks of it
    assert "npo: Right answers on mine fell from 90 % to 10 %. Kept the rest" in page.words.replace("\xa0", " ")
    assert "Blind guessing" not in page.words
    assert "Training curves" not in page.words
    assert "answer by answer" not in page.words
    assert len([a for a in page.all("svg") if a.get("role") == "img"]) == 2  # the plot, for wide and narrow pages


@pytest.mark.parametrize("probes", [[], [ProbeInfo(name="only", forget=True)], [ProbeInfo(name="only", forget=False)]])
def test_a_report_with_hardly_anything_is_still_a_page(probes: list[ProbeInfo]) -> None:
    scores = {probe.name: Score(score=0.5) for probe in probes}
    assert_harmless(render(Report(title="t", models={}, probes=probes)))
    assert_harmless(
        render(Report(title="t", models={"m": ModelResult(label="m", role="method", scores=scores)}, probes=probes))
    )


def test_scores_that_are_not_numbers_are_shown_as_not_measured() -> None:
    report = judged([math.nan, 0.9])
    report.models["m"].scores["forget_vqa"] = Score(score=math.nan, low=math.nan, high=math.inf, n=0)
    page = assert_harmless(render(report))
    assert "not measured" in page.words
    assert "nan" not in page.words.lower()


def test_curves_that_explode_do_not_break_the_page() -> None:
    values = [1.0, -1e308, math.nan, math.inf, -math.inf, 2.0]
    report = judged([0.0, 0.1]).model_copy(
        update={"curves": {"m": [CurvePoint(step=i, values={"forget": value}) for i, value in enumerate(values)]}}
    )
    page = assert_harmless(render(report))
    assert "no longer a number from here on" in page.words
    assert not re.search(r"\b(nan|inf)\b", " ".join(str(a.get("d")) for a in page.all("path")))


def test_a_run_of_thousands_of_answers_shows_some_from_every_subject() -> None:
    answers = [
        Answer(
            probe="forget_vqa",
            subject=f"s{i // 1000}",
            question="q",
            expected="e",
            said={"m": "x"},
            correct={"m": True},
        )
        for i in range(3000)
    ]
    page = Page(render(judged([0.1, 0.9]).model_copy(update={"answers": answers})))
    assert sum("data-p" in attributes for _, attributes in page.tags) == 60
    assert "2,940 further answers not shown here" in page.words
    assert all(f"s{k} to be forgotten" in page.words for k in range(3))


def test_answers_are_judged_by_what_the_request_hopes() -> None:
    said = {"base": "x", "gold": "x", "m": "x"}
    right = dict.fromkeys(said, True)

    def classes(probe: str, correct: dict[str, bool]) -> list[str]:
        answer = Answer(probe=probe, subject="s", question="q", expected="e", said=said, correct=correct)
        page = Page(render(judged([0.1, 0.9]).model_copy(update={"answers": [answer]})))
        replies = [a["class"] for a in page.all("li") if (a.get("class") or "").startswith("reply")]
        return [str(name).removeprefix("reply ") for name in replies[-3:]]

    assert classes("forget_vqa", right) == ["plain", "plain", "bad"]
    assert classes("forget_vqa", {**right, "m": False}) == ["plain", "plain", "good"]
    assert classes("retain_vqa", right) == ["plain", "plain", "good"]
    assert classes("retain_vqa", {**right, "m": False}) == ["plain", "plain", "bad"]
    assert classes("retain_vqa", {**right, "base": False, "m": False}) == ["plain", "plain", "plain"]


def test_on_paper_stand_a_dozen_answers_and_nothing_is_unfolded() -> None:
    html = render(full())
    printed = html[html.index("@media print") : html.index("@media (prefers-reduced-motion")]
    assert re.search(r"\.screen[^{}]*\{display:none\}", printed)
    browser = html[html.index('<section class="screen"') :]
    assert "data-p=" not in html.replace(browser, "")
    assert "beforeprint" not in html


def test_every_question_tells_the_filter_how_it_went_wrong() -> None:
    said = {"base": "x", "m": "y"}
    answers = [
        Answer(probe=probe, subject="s", question="q", expected="e", said=said, correct={"base": True, "m": right})
        for probe in ("forget_vqa", "retain_vqa")
        for right in (True, False)
    ]
    page = Page(render(judged([0.1, 0.9]).model_copy(update={"answers": answers})))
    assert [a["data-k"] for _, a in page.tags if "data-k" in a] == ["still said", "", "", "lost"]
    assert {a["data-show"] for a in page.all("a") if "data-show" in a} == {"still said", "lost"}
    assert {"still said", "lost", "wrong"} <= {a["value"] for a in page.all("option")}


def test_photos_are_in_the_page() -> None:
    uri = photo_data_uri(picture())
    assert {attributes["src"] for attributes in Page(render(full())).all("img")} == {uri}


def test_the_density_of_every_mask_stands_beside_its_model_and_part() -> None:
    idle, busy = Density(passing=math.nan, reached=0.0), Density(passing=0.125, reached=0.75)
    densities = {"m": {"vision": busy, "language": idle}}
    page = render(judged([0.1, 0.9]).model_copy(update={"saliency": densities}))
    table = page[page.index("Density of the saliency masks") :]
    cells = re.findall(r">([^<>\s][^<>]*)<", table[: table.index("</table>")])
    headers, rows = cells[:4], cells[4:]
    assert headers == ["Model", "Part", "Reached", "Let through, of these"]
    assert rows == ["M", "vision", "75.0\xa0%", "12.5\xa0%", "M", "language", "0.0\xa0%", "\N{EN DASH}"]
