"""Tests that level colours are distinguishable in grey and with colour vision deficiency."""

from __future__ import annotations

import itertools
import math

import pytest

from tests.helpers.chart_specs import luminance
from tpanalytics.charts._core.theme import LEVEL_COLOURS

#: Colours of the levels, with the grey of small marks for not assessed.
COLOURS = {**{level: LEVEL_COLOURS[level] for level in ("H1", "H2", "H3")}, "not assessed": "#ADADAD"}
#: In linear RGB, at full severity: Machado, Oliveira and Fernandes (2009), A physiologically-based model for simulation
#: of color vision deficiency, IEEE Transactions on Visualization and Computer Graphics 15(6), table 1. "grey" is
#: relative luminance (sRGB).
VISION = {
    "usual": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
    "grey": ((0.2126, 0.7152, 0.0722),) * 3,
}
#: Minimum CIEDE2000 distance of two level colours. About 10 is distinguishable at a glance.
MIN_DISTANCE = {"usual": 18.0, "protan": 18.0, "deutan": 18.0, "tritan": 18.0, "grey": 13.0}
Lab = tuple[float, float, float]


def seen(colour: str, matrix: tuple[tuple[float, ...], ...]) -> Lab:
    """Return a colour as seen through a vision matrix, in CIELAB (D65)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    red, green, blue = (min(1.0, max(0.0, sum(a * b for a, b in zip(row, linear, strict=True)))) for row in matrix)
    xyz = (
        (0.4124564 * red + 0.3575761 * green + 0.1804375 * blue) / 0.95047,
        0.2126729 * red + 0.7151522 * green + 0.0721750 * blue,
        (0.0193339 * red + 0.1191920 * green + 0.9503041 * blue) / 1.08883,
    )
    x, y, z = (t ** (1 / 3) if t > (6 / 29) ** 3 else t / (3 * (6 / 29) ** 2) + 4 / 29 for t in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def distance(first: Lab, second: Lab) -> float:
    """Return CIEDE2000 as in Sharma, Wu and Dalal (2005), Color Research and Application 30(1)."""
    (l1, a1, b1), (l2, a2, b2) = first, second
    mean = (math.hypot(a1, b1) + math.hypot(a2, b2)) / 2
    g = (1 - math.sqrt(mean**7 / (mean**7 + 25**7))) / 2
    a1, a2 = (1 + g) * a1, (1 + g) * a2
    c1, c2 = math.hypot(a1, b1), math.hypot(a2, b2)
    h1, h2 = (math.degrees(math.atan2(b, a)) % 360 if a or b else 0.0 for a, b in ((a1, b1), (a2, b2)))
    turn = 0.0 if c1 * c2 == 0 else (h2 - h1 + 180) % 360 - 180
    dl, dc, dh = l2 - l1, c2 - c1, 2 * math.sqrt(c1 * c2) * math.sin(math.radians(turn / 2))
    light, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    if c1 * c2 == 0:
        hue = h1 + h2
    elif abs(h1 - h2) <= 180:
        hue = (h1 + h2) / 2
    else:
        hue = (h1 + h2 + (360 if h1 + h2 < 360 else -360)) / 2
    t = (
        1
        - 0.17 * math.cos(math.radians(hue - 30))
        + 0.24 * math.cos(math.radians(2 * hue))
        + 0.32 * math.cos(math.radians(3 * hue + 6))
        - 0.20 * math.cos(math.radians(4 * hue - 63))
    )
    sl = 1 + 0.015 * (light - 50) ** 2 / math.sqrt(20 + (light - 50) ** 2)
    sc, sh = 1 + 0.045 * chroma, 1 + 0.015 * chroma * t
    twist = 30 * math.exp(-(((hue - 275) / 25) ** 2))
    rt = -2 * math.sqrt(chroma**7 / (chroma**7 + 25**7)) * math.sin(math.radians(2 * twist))
    return math.sqrt((dl / sl) ** 2 + (dc / sc) ** 2 + (dh / sh) ** 2 + rt * dc / sc * dh / sh)


@pytest.mark.parametrize(
    ("first", "second", "published"),
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, -1.0, 2.0), (50.0, 0.0, 0.0), 2.3669),
        ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0009), 7.1792),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((50.0, 2.5, 0.0), (58.0, 24.0, 15.0), 19.4535),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_distance_matches_published_values(first: Lab, second: Lab, published: float) -> None:
    assert distance(first, second) == pytest.approx(published, abs=1e-4)
    assert distance(second, first) == pytest.approx(published, abs=1e-4)


def test_vision_matrices_keep_white_and_reduce_red_green_contrast() -> None:
    for matrix in VISION.values():
        white = seen("#FFFFFF", matrix)
        assert white[0] == pytest.approx(100, abs=0.01)
        assert math.hypot(*white[1:]) < 0.1
    red, green = "#C00000", "#4F7A00"
    assert distance(seen(red, VISION["deutan"]), seen(green, VISION["deutan"])) < 25
    assert distance(seen(red, VISION["usual"]), seen(green, VISION["usual"])) > 50


@pytest.mark.parametrize("vision", VISION)
def test_level_colours_are_distinguishable(vision: str) -> None:
    lab = {level: seen(colour, VISION[vision]) for level, colour in COLOURS.items()}
    distances = {pair: distance(lab[pair[0]], lab[pair[1]]) for pair in itertools.combinations(lab, 2)}
    assert min(distances.values()) >= MIN_DISTANCE[vision], distances
    assert lab["H1"][0] < lab["H2"][0] < lab["not assessed"][0] < lab["H3"][0]


def test_levels_get_lighter_in_order_with_readable_figures() -> None:
    lightness = [luminance(LEVEL_COLOURS[level]) for level in ("H1", "H2", "H3", "H4", "H5")]
    assert lightness == sorted(lightness)
    contrast = [
        (max(light, text) + 0.05) / (min(light, text) + 0.05)
        for light, text in zip(lightness, [1, 1, 0.01, 0.01, 0.01], strict=True)
    ]
    assert min(contrast) > 4.5
