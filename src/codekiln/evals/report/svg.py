"""Draws a matplotlib figure as an SVG element that stands in a page's own colours.

Lines and texts take the page's text colour, so that a picture is right on light and on dark
paper. The element holds no address, comment or name of anything outside it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from codekiln.core.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_Shown = TypeVar("_Shown")
WIDTH_IN = 8.0
# Stand-ins that become CSS: the page's text colour, its rules and its paper.
INK, RULE, PAPER = "#010203", "#a1a2a3", "#fdfcfb"
_CSS = {INK: "currentColor", RULE: "var(--rule)", PAPER: "var(--paper)"}
_OWN_COLOURS = (
    "svg{color:#24292f;--rule:#d0d7de;--paper:#fff;background:var(--paper)}"
    "@media(prefers-color-scheme:dark){svg{color:#c9d1d9;--rule:#30363d;--paper:#0d1117}}"
)
# matplotlib's own types of these keys differ from version to version.
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    # Names of runs are text, never formulas; equal pictures are equal files.
    "text.parse_math": False,
    "svg.hashsalt": "codekiln",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG element with its caption and what it shows in words for those who cannot see it."""

    name: str
    title: str
    caption: str
    svg: str

    def standalone(self) -> str:
        """A file of its own, with its colours inside, for light and for dark surroundings."""
        return self.svg.replace(">", f"><style>{_OWN_COLOURS}</style>", 1) + "\n"


def picture(
    name: str,
    title: str,
    caption: str,
    draw: Callable[[_Shown], Figure],
    shown: _Shown,
) -> Picture:
    """What `draw` makes of what is to be shown. Raises MissingExtraError without matplotlib."""
    try:
        import matplotlib
    except ImportError as error:
        raise MissingExtraError("drawing pictures", "eval") from error
    buffer = io.StringIO()
    with matplotlib.rc_context(_STYLE):
        figure = draw(shown)
        figure.savefig(
            buffer,
            format="svg",
            bbox_inches="tight",
            pad_inches=0.08,
            metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")),
        )
    return Picture(name, title, caption, _inline(buffer.getvalue(), name))


def _inline(svg: str, name: str) -> str:
    """Only the element, with ids of its own, the page's colours and no fixed size."""
    svg = svg[svg.index("<svg") :]
    # matplotlib writes every label into a comment, and metadata that names a foreign address.
    svg = re.sub(r"<!--.*?-->\n?|<metadata>.*?</metadata>\n?", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r'\s(?:width|height)="[\d.]+pt"', "", svg, count=2)
    for colour, css in _CSS.items():
        svg = svg.replace(colour, css)
    return svg.strip()
