"""Untrusted text on its way into a page: characters that do not show, and JavaScript literals.

Belongs here: what keeps a report from disguising itself or from ending a script.  Does not belong here: escaping HTML,
which the templates do by themselves (Jinja's autoescape).
"""

import json
import re
from typing import Any, Final

HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # C0 and C1 controls other than tab and line breaks
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks, embeddings, overrides and isolates of direction
    "\u2028\u2029\ufeff\ufff9-\ufffb"  # separators, byte order mark, interlinear annotation
    "\U000e0000-\U000e007f]"  # tags
)
"""Characters that do not show and can make text look like another (UTS #55, Unicode Source Code Handling).

Joiners and soft hyphens, which ordinary text needs, are left alone.
"""


def name(character: str) -> str:
    """A hidden character as people name it: ``U+202E``."""
    return f"U+{ord(character):04X}"


def spelled(text: str) -> str:
    """``text`` with its hidden characters spelled out: ``"a⟨U+202E⟩b"``."""
    if text.isprintable():  # no character of HIDDEN is; much faster to ask
        return text
    return HIDDEN.sub(lambda found: f"⟨{name(found[0])}⟩", text)


def script_literal(value: Any) -> str:
    """``value`` as a JavaScript literal in ASCII that can neither end a script nor open a comment or a tag."""
    literal = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return literal.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
