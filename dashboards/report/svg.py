"""Makes a chart's SVG fit for a page: colours become the page's own, what is not needed goes, marks get tooltips.

A chart is drawn in stand-in colours, one for each role (`ROLES`), so that one drawing serves light, dark and print:
here each becomes the CSS variable of its role.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from markupsafe import escape

HUES = 6
"""So many sites have a hue of their own; later ones share them."""
_NAMES = (
    ["ink", "muted", "grid", "paper", "silent", "untold", "fault", "limit", "onwho", "hatch"]
    + ["clock0", "clock1", "clock2"]
    + [f"who{hue}{shade}" for hue in range(HUES) for shade in "ab"]
    + [f"line{number}" for number in range(8)]
)
ROLES: Mapping[str, str] = {name: f"#0a0b{number:02x}" for number, name in enumerate(_NAMES, 1)}
"""The stand-in colour of each role; the CSS variable is called `--` and the role."""
_ROLE_OF = {colour: name for name, colour in ROLES.items()}
_TIP = re.compile(r'<g id="tip-(\d+)">')
_COLOUR = re.compile("#0a0b[0-9a-f]{2}")
_TAG = re.compile(r"<[^>]+>")
_LONG = re.compile(r"-?\d+\.\d{2,}")
_ID = re.compile(r' id="([^"]+)"')
_FONT = re.compile(r"font: ([0-9.]+)px [^;\"]+")


def _short(number: re.Match[str]) -> str:
    """A tenth of a point is finer than any screen."""
    return f"{float(number[0]):.1f}".removesuffix(".0")


def for_page(text: str, name: str, tips: Mapping[int, str], about: str) -> str:
    """Return the `<svg>` element of a chart; `name` keeps its ids apart from others', `about` says what it shows.

    `tips` are the words of marks whose group is called `tip-NUMBER`.
    """
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg [^>]*?)\s(?:width|height)="[^"]*"', r"\1", text)
    text = re.sub(r'(<svg [^>]*?)\s(?:width|height)="[^"]*"', r"\1", text)
    text = re.sub(r' xmlns(?::xlink)?="[^"]*"', "", text).replace("xlink:href", "href")
    text = _TIP.sub(lambda found: f"<g><title>{escape(tips[int(found[1])])}</title>", text)
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', text))
    text = _ID.sub(lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", text)
    text = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", text)
    text = _COLOUR.sub(lambda found: f"var(--{_ROLE_OF[found[0]]})", text)
    text = _TAG.sub(lambda tag: _LONG.sub(_short, tag[0]), text)
    text = _FONT.sub(r"font-size: \1px", text)
    text = re.sub(r"<g>\s*</g>", "", re.sub(r"\n\s*", "\n", text))
    return text.replace("<svg ", f'<svg role="img" aria-label="{escape(about)}" ', 1)
