"""The language that phrases are written in, and the automaton that finds all of them in one pass over the words.

A phrase is words in a row: `chest pain`. A word may be a stem (`bleed*`), alternatives (`arm|leg`), a named list
(`$severe`), a number in a range (`38..42`), optional (`my?`), or a gap of up to four words (`...`, or `...7`).
Each step is bounded, so the time grows with the text alone, whatever the phrases are.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from service.pipeline.screen.text import Words, words_in

type_Hits = Mapping[int, Sequence[tuple[int, int]]]
