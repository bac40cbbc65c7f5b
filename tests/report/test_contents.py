"""What a report accepts, and how pictures get into it."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from pydantic import ValidationError

from tests.report.samples import judged, picture
from unsee.errors import InputError
from unsee.report import CurvePoint, ModelResult, ProbeInfo, Report, Subject, photo_data_uri


@pytest.mark.parametrize(
    "uri",
    [
        "https://example.org/a.png",
        "//example.org/a.png",
        "javascript:alert(1)",
        "data:text/html;base64,PGI+",
        "data:image/svg+xml;base64,PHN2Zz4=",
        'data:image/png;base64,AAAA" onerror="x',
        "data:image/png;base64,AAAA\n",
        "data:image/png,AAAA",
        "",
    ],
)
def test_a_photo_is_an_embedded_picture_and_nothing_else(uri: str) -> None:
    with pytest.raises(ValidationError, match="a photo must be a base64"):
        Subject(name="Ada", photo=uri)


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_embedded_pictures_are_taken(kind: str) -> None:
    assert Subject(name="Ada", photo=f"data:image/{kind};base64,AAAA").photo


def test_names_that_nothing_describes_are_errors() -> None:
    report = judged([0.1, 0.9])
    with pytest.raises(ValidationError, match="unknown probe 'forget_vqa'"):
        Report(title="t", models=report.models, probes=[])
    with pytest.raises(ValidationError, match="unknown model 'npo'"):
        Report(title="t", models={}, probes=[], curves={"npo": [CurvePoint(step=0, values={})]})
    with pytest.raises(ValidationError, match="the same name"):
        Report(title="t", models={}, probes=[ProbeInfo(name="a", forget=True), ProbeInfo(name="a", forget=False)])
    with pytest.raises(ValidationError, match="role 'gold'"):
        Report(title="t", models={n: ModelResult(label=n, role="gold") for n in "ab"}, probes=[])


def test_the_plot_pairs_the_forget_probe_with_its_retain_probe() -> None:
    flags = {"forget_qa": False, "forget_vqa": True, "celebrity_vqa": False, "retain_vqa": False}
    probes = [ProbeInfo(name=name, forget=forget) for name, forget in flags.items()]
    report = Report(title="t", models={}, probes=probes)
    assert [probe.name for probe in report.axes if probe] == ["forget_vqa", "retain_vqa"]
    chosen = Report(title="t", models={}, probes=probes, pair=("forget_vqa", "celebrity_vqa"))
    assert [probe.name for probe in chosen.axes if probe] == ["forget_vqa", "celebrity_vqa"]


def opened(uri: str) -> Image.Image:
    import base64

    return Image.open(BytesIO(base64.b64decode(uri.partition(",")[2])))


def test_tiny_pictures_keep_their_pixels_and_large_ones_shrink(tmp_path: Path) -> None:
    tiny = photo_data_uri(picture(64, 48))
    assert tiny.startswith("data:image/png")
    assert opened(tiny).size == (64, 48)
    file = tmp_path / "large.png"
    file.write_bytes(picture(800, 400))
    large = photo_data_uri(file)
    assert large.startswith("data:image/jpeg")
    assert opened(large).size == (160, 80)
    assert Subject(name="Ada", photo=large).photo


def test_metadata_stays_behind_and_rotation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "taken at home"  # orientation: turn by 90 degrees; description
    file = BytesIO()
    Image.new("RGB", (300, 100), "red").save(file, "jpeg", exif=exif, icc_profile=b"profile")
    found = opened(photo_data_uri(file.getvalue()))
    assert found.size == (53, 160)
    assert not found.getexif()
    assert "icc_profile" not in found.info


def test_transparency_becomes_white() -> None:
    file = BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(file, "png")
    assert opened(photo_data_uri(file.getvalue())).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("data", [b"", b"not a picture", picture()[:60]])
def test_a_broken_picture_is_named(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read a picture from the given bytes"):
        photo_data_uri(data)
    file = tmp_path / "broken.png"
    file.write_bytes(data)
    with pytest.raises(InputError, match=r"broken\.png"):
        photo_data_uri(file)
