"""Live's theme colours that the device uses, by the names that Max gives them.

They are near those of Live 12's default dark theme. Max reads the colours from Live's own theme while the device runs:
these are for the picture, and for the moment before the theme is known.
"""

from __future__ import annotations

from collections.abc import Mapping

COLORS: Mapping[str, str] = {
    "live_surface_bg": "#363636",  # what a device lies on
    "live_surface_frame": "#2a2a2a",  # what devices lie on
    "live_control_bg": "#1e1e1e",  # a button
    "live_control_fg": "#b5b5b5",  # its text, and labels on the surface
    "live_control_fg_zombie": "#757575",  # the same when it is off
    "live_value_bar": "#ffad56",  # how far a bar is filled
    "live_contrast_frame": "#111111",
    "live_macro_title": "#4a4a4a",  # a device's title bar
    "live_lcd_bg": "#181818",  # a display, dark in every theme
    "live_lcd_control_fg": "#ffad56",  # values in it
    "live_lcd_control_fg_zombie": "#757575",  # what is off or less important in it
    "live_lcd_title": "#d0d0d0",  # text in it
    "live_lcd_frame": "#3e3e3e",
}


def rgba(color: str) -> list[float]:
    """A colour as Max writes it: red, green, blue and opacity from 0 to 1.

    >>> rgba("#ff8000")
    [1.0, 0.501961, 0.0, 1.0]
    """
    return [round(int(color[place : place + 2], 16) / 255, 6) for place in (1, 3, 5)] + [1.0]
