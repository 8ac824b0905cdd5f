"""Every color of a picture is readable on its background."""

import re
from pathlib import Path

import pytest

from tests.unit.docs.pages import ROOT

PICTURES = sorted((ROOT / "docs" / "pictures").glob("*.svg"))
LEAST_CONTRAST = 4.5
"""For text of normal size. Source: https://www.w3.org/TR/WCAG22/#contrast-minimum"""


def luminance(color: str) -> float:
    """Source: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Source: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio"""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_black_on_white_has_the_highest_contrast_and_a_gray_too_little() -> None:
    assert round(contrast("#000000", "#ffffff"), 1) == 21.0
    assert contrast("#868887", "#292929") < LEAST_CONTRAST


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.name)
def test_every_text_of_a_picture_is_readable(picture: Path) -> None:
    text = picture.read_text(encoding="utf-8")
    background = re.findall(r'<rect fill="(#[0-9a-f]{6})"', text)[0]
    colors = re.findall(r"-r\d+ { fill: (#[0-9a-f]{6})", text)
    assert colors
    assert {color: round(contrast(color, background), 1) for color in colors if contrast(color, background) < LEAST_CONTRAST} == {}
