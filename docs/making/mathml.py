"""A Markdown extension: `$...$` and `$$...$$` become MathML, which browsers draw without a script.

The same text is drawn by the usual hosts of repositories, so that a page reads well in both.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from latex2mathml.converter import convert
from markdown import Markdown
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor


BLOCK = r"\$\$(?P<block>.+?)\$\$"
INLINE = r"(?<![\\\w$])\$(?P<inline>\S|\S[^$\n]*?\S)\$(?![\w$])"


class Equation(InlineProcessor):
    """One equation, anywhere but in code, which is set aside before."""

    def handleMatch(
        self, m: re.Match[str], data: str
    ) -> tuple[ElementTree.Element | str, int, int]:
        """The equation as a stashed piece of HTML, and where its text began and ended."""
        (kind, text), *_ = ((k, t) for k, t in m.groupdict().items() if t)
        html = convert(text.strip(), display=kind)
        return self.md.htmlStash.store(html), m.start(0), m.end(0)


class MathML(Extension):
    """Registers the two forms ahead of emphasis and links, and behind code."""

    def extendMarkdown(self, md: Markdown) -> None:
        """Add the patterns to a converter."""
        md.inlinePatterns.register(Equation(BLOCK, md), "equation-block", 187)
        md.inlinePatterns.register(Equation(INLINE, md), "equation-inline", 186)
        md.ESCAPED_CHARS.append("$")


def makeExtension(**options: object) -> MathML:
    """What Markdown calls."""
    return MathML(**options)
