"""The device as a picture, drawn from the patch: its rectangles, classes and labels, with example values.

It shows what lies where and whether it fits, in colours near to those of Live's dark theme. The font is not Live's
(Ableton Sans is not ours to pass on) but DejaVu Sans, which comes with matplotlib, made as narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loopgen.errors import InputError, OutputUnwritable
from max4live.theme import COLORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.font_manager import FontProperties

EXAMPLE: Mapping[str, Any] = {
    "prompt": "dub techno, rolling bass, dusty chords, tape hiss, deep kick",
    "preset": "No preset",
    "engine": "musicgen",
    "target": "Highlighted slot",
    "bars": "4",
    "variations": "2",
    "guidance": "3.5",
    "temperature": "1.00",
    "seed": "3481207",
    "lock": False,
    "melody": True,
    "scale": True,
    "port": "11200",
    "link": "connected",
    "facts": "127.9 BPM, 4/4, Am, clip Bass",
    "status": "loop 2 of 2: playing",
    "detail": "seam clean, beat 1 certain, -14.0 LUFS, seed 3481207",
    "licence": "musicgen: CC-BY-NC-4.0",
    "progress": 72,
    "generate": False,
    "again": False,
    "retempo": False,
}
"""What the picture shows, by scripting name: a text, a switch on or off, a button off, the per cent of the bar."""

_SCALE = 3
"""Pixels of the picture to one of Live's."""
_TITLE_BAR, _MARGIN = 18, 4
_SIZE = 9.5
"""Points: the size of text where a box does not say."""
_NARROW = 0.86
"""DejaVu Sans to the width of Ableton Sans."""


class _Drawing:
    """A figure in the device's pixels, from the top left corner."""

    def __init__(self, axes: Axes) -> None:
        self.axes = axes

    def fill(self, rectangle: tuple[float, float, float, float], color: str, frame: str = "") -> None:
        """A rectangle in one of the theme's colours, perhaps with a frame of one pixel."""
        from matplotlib.patches import Rectangle

        x, y, width, height = rectangle
        inset = 0.5 if frame else 0
        self.axes.add_patch(
            Rectangle(
                (x + inset, y + inset),
                width - 2 * inset,
                height - 2 * inset,
                facecolor=COLORS[color],
                edgecolor=COLORS[frame] if frame else "none",
                linewidth=0.72 if frame else 0,  # points: a pixel at 72 a _SCALE-th
            )
        )

    def line(
        self, text: str, at: tuple[float, float], size: float, color: str, align: float = 0, room: float = 0
    ) -> None:
        """A line of text, its middle at y; align 0 begins at x, 0.5 is centred there, 1 ends there."""
        from matplotlib.patches import PathPatch
        from matplotlib.textpath import TextPath
        from matplotlib.transforms import Affine2D

        if room:
            text = fitting(text, size, room)
        if not text.strip():
            return
        x, y = at
        path = TextPath((0, 0), text, size=size, prop=_font())
        place = Affine2D().scale(_NARROW, -1).translate(x - align * text_width(text, size), y + 0.36 * size)
        patch = PathPatch(path, facecolor=COLORS[color], linewidth=0)
        patch.set_transform(place + self.axes.transData)
        self.axes.add_patch(patch)


@cache
def _font() -> FontProperties:
    import matplotlib
    from matplotlib.font_manager import FontProperties

    return FontProperties(fname=str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"))


def text_width(text: str, size: float = _SIZE) -> float:
    """Pixels that a line of text takes in the device, about: the font is not Live's own.

    >>> 40 < text_width("Variations") < 50
    True
    """
    from matplotlib.textpath import TextToPath

    width, _, _ = TextToPath().get_text_width_height_descent(text, _font().copy(), False)
    return float(width) * _NARROW * size / _font().get_size_in_points()


def fitting(text: str, size: float, room: float) -> str:
    """As much of a text as the room in pixels holds, with an ellipsis where it is cut."""
    if text_width(text, size) <= room:
        return text
    while text and text_width(text + "…", size) > room:
        text = text[:-1]
    return text.rstrip() + "…"


def wrapped(text: str, size: float, room: float) -> list[str]:
    """The lines of a text between words, none wider than the room in pixels if its words are not."""
    lines: list[str] = []
    for word in text.split():
        if lines and text_width(f"{lines[-1]} {word}", size) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def draw(patch: Mapping[str, Any], path: Path, shown: Mapping[str, Any] = EXAMPLE) -> None:
    """A PNG of a patch's presentation, as it sits in Live.

    ``shown`` is what the boxes show, by scripting name; a name that it lacks shows what the patch begins with. Raises
    ``InputError`` for a class that it cannot draw, ``OutputUnwritable`` where the picture cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    patcher = patch["patcher"]
    width, height = patcher["devicewidth"], patcher["openrect"][3]
    whole = width + 2 * _MARGIN, height + _TITLE_BAR + 2 * _MARGIN
    figure = Figure(figsize=(whole[0] / 72, whole[1] / 72), dpi=72 * _SCALE)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(-_MARGIN, width + _MARGIN)
    axes.set_ylim(height + _MARGIN, -_TITLE_BAR - _MARGIN)
    drawing = _Drawing(axes)
    figure.set_facecolor(COLORS["live_surface_frame"])
    drawing.fill((0, -_TITLE_BAR, width, _TITLE_BAR), "live_macro_title")
    drawing.fill((0, 0, width, height), "live_surface_bg")
    _switch(drawing)
    drawing.line(patcher["digest"], (20, -_TITLE_BAR / 2), 10, "live_control_fg")
    boxes = [entry["box"] for entry in patcher["boxes"] if entry["box"].get("presentation")]
    for box in sorted(boxes, key=lambda box: -box.get("background", 0)):
        if box["maxclass"] not in _DRAWN:
            raise InputError(f"{box.get('varname', box['id'])}: a {box['maxclass']} cannot be drawn")
        _DRAWN[box["maxclass"]](drawing, box, shown.get(box.get("varname", "")))
    try:
        figure.savefig(path, format="png", metadata={"Software": "loopgen"})
    except OSError as error:
        raise OutputUnwritable(f"{path} cannot be written: {error.strerror or error}") from None


def _switch(drawing: _Drawing) -> None:
    """The device's switch, as in Live's title bars."""
    from matplotlib.patches import Circle

    drawing.axes.add_patch(Circle((10, -_TITLE_BAR / 2), 4, facecolor=COLORS["live_lcd_control_fg"]))


def _color(box: Mapping[str, Any], attribute: str, otherwise: str) -> str:
    """The name of the theme's colour that a box is given."""
    saved = box.get("saved_attribute_attributes", {})
    name = str(saved.get(attribute, {}).get("expression", "")).removeprefix("themecolor.") or otherwise
    return name if name in COLORS else otherwise


def _panel(drawing: _Drawing, box: Mapping[str, Any], shown: object) -> None:
    drawing.fill(box["presentation_rect"], _color(box, "bgfillcolor", "live_lcd_bg"))


def _comment(drawing: _Drawing, box: Mapping[str, Any], shown: object) -> None:
    x, y, width, height = box["presentation_rect"]
    size = box.get("fontsize", _SIZE)
    color = _color(box, "textcolor", "live_control_fg")
    text = box["text"] if shown is None else str(shown)
    lines = wrapped(text, size, width - 4) if box.get("linecount", 1) > 1 else [text]
    pitch = size * 1.3
    for number, line in enumerate(lines[: box.get("linecount", 1)]):
        drawing.line(line, (x + 2, y + min(height, 17) / 2 + number * pitch), size, color, room=width - 4)


def _textedit(drawing: _Drawing, box: Mapping[str, Any], shown: object) -> None:
    x, y, width, height = box["presentation_rect"]
    size = box["fontsize"]
    drawing.fill((x, y, width, height), _color(box, "bgcolor", "live_lcd_bg"))
    pitch = size * 1.3
    lines = wrapped(box["text"] if shown is None else str(shown), size, width - 8)
    for number, line in enumerate(lines[: int((height - 4) // pitch)]):
        drawing.line(line, (x + 4, y + 9 + number * pitch), size, _color(box, "textcolor", "live_lcd_title"))


def _menu(drawing: _Drawing, box: Mapping[str, Any], shown: object) -> None:
    from matplotlib.patches import Polygon

    x, y, width, height = box["presentation_rect"]
    color = _color(box, "textcolor", "live_lcd_control_fg")
    drawing.fill((x, y, width, height), "live_lcd_bg")
    first = box["items"][0] if box["maxclass"] == "umenu" else _initial(box)
    text = first if shown is None else str(shown)
    drawing.line(text, (x + 4, y + height / 2), box.get("fontsize", _SIZE), color, room=width - 16)
    middle, right = y + height / 2, x + width - 4
    arrow = [(right - 6, middle - 1.5), (right, middle - 1.5), (right - 3, middle + 2)]
    drawing.axes.add_patch(Polygon(arrow, facecolor=COLORS[color], linewidth=0))


def _numbox(drawing: _Drawing, box: Mapping[str, Any], shown: object) -> None:
    x, y, width, height = box["presentation_rect"]
    text = _initial(box) if shown is None else str(shown)
    if box["appearance"] == 2:
        part = float(text) / 100
        drawing.fill((x, y, width, height), "live_control_bg", "live_contrast_frame")
        drawing.fill((x + 1, y + 1, (width - 2) * part, height - 2), "live_value_bar")
        color = "live_contrast_frame" if part > 0.55 else "live_control_fg"
        drawing.line(f"{text} %", (x + width / 2, y + height / 2), _SIZE, color, 0.5)
        return
    drawing.fill((x, y, width, height), "live_lcd_bg")
    drawing.line(text, (x + width / 2, y + height / 2), _SIZE, "live_lcd_control_fg", 0.5)


def _text(drawing: _Drawing, box: Mapping[str, Any], shown: object) -> None:
    """A switch is inverted when it is on; a button that cannot be pressed (shown is False) is grey."""
    x, y, width, height = box["presentation_rect"]
    if box.get("appearance") == 2:
        on = _initial(box) == "On" if shown is None else bool(shown)
        back, front = ("live_lcd_control_fg", "live_lcd_bg") if on else ("live_lcd_bg", "live_lcd_control_fg")
        drawing.fill((x, y, width, height), back)
    else:
        front = "live_control_fg_zombie" if shown is False else "live_control_fg"
        drawing.fill((x, y, width, height), "live_control_bg", "live_contrast_frame")
    drawing.line(box["text"], (x + width / 2, y + height / 2), _SIZE, front, 0.5)


def _initial(box: Mapping[str, Any]) -> str:
    """What a parameter shows in a new device."""
    saved = box["saved_attribute_attributes"]["valueof"]
    value = saved.get("parameter_initial", [saved.get("parameter_mmin", 0)])[0]
    if "parameter_enum" in saved:
        return str(saved["parameter_enum"][value])
    return str(saved.get("parameter_units", "%.0f") % value)


_DRAWN: Mapping[str, Callable[[_Drawing, Mapping[str, Any], object], None]] = {
    "comment": _comment,
    "live.comment": _comment,
    "live.menu": _menu,
    "live.numbox": _numbox,
    "live.text": _text,
    "panel": _panel,
    "textedit": _textedit,
    "umenu": _menu,
}
