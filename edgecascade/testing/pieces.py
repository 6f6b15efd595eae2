"""How a scripted text is streamed: in words, or in so many pieces."""

import re
from itertools import pairwise


def pieces_of(text: str, count: int | None = None) -> list[str]:
    """Return the words of a text with the spaces before them, or ``count`` pieces of about one length.

    >>> pieces_of("It is Paris."), pieces_of("Paris", 2)
    (['It', ' is', ' Paris.'], ['Pa', 'ris'])
    """
    if count is None:
        return re.findall(r"\s*\S+|\s+\Z", text)
    cuts = [number * len(text) // count for number in range(count + 1)]
    return [text[start:end] for start, end in pairwise(cuts) if start < end]
