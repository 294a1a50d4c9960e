"""Whether a criterion names what an answer does, as a rubric does, or states what it should say, as a claim does."""

import re
from typing import Final

_VERBS: Final = """
    accepts acknowledges addresses adds admits advises agrees allows answers apologises apologizes asks assesses
    assumes assures attributes avoids begins blames brings calls cautions checks cites claims clarifies closes
    compares concludes confirms considers contradicts corrects covers declines defers defines delivers demands
    describes diagnoses directs discourages discusses dismisses displays distinguishes drafts elaborates elicits
    emphasises emphasizes encourages endorses ends ensures errs establishes evaluates explains explores expresses
    fails fills focuses follows frames gives guarantees guides hedges highlights identifies ignores implies includes
    incorporates informs inquires instructs interprets introduces invents invites justifies keeps lacks leaves
    limits lists maintains makes marks mentions minimises minimizes misinterprets misses names notes notifies offers
    omits opens outlines overstates phrases points praises predicts prescribes presents prioritises prioritizes
    promises prompts proposes provides puts quantifies questions quotes reassures recommends redirects refers
    reflects refrains refuses rejects relates relies remains reminds repeats replaces requests respects responds
    restates reveals reviews routes says scolds seeks sends separates sets settles shares shows sounds speaks
    specifies speculates stacks starts states stays steers stresses structures suggests summarises summarizes
    supplies supports tailors takes tells thanks translates treats turns understates urges uses validates verifies
    volunteers warns weighs withholds writes
""".split()  # noqa: SIM905 - words read better than a list of them
# These begin statements too ("Tests ...", "Causes ..."), so they are not among the verbs; what is about the answer is.
_ACT: Final = re.compile(
    r"(?:"
    r"(?:in (?:its|the) (?:answer|response|reply),? )?it (?:\w+ly )?(?:" + "|".join(_VERBS) + r")\b"
    r"|(?:response|answer|reply|assistant) (?:\w+ly )?(?:" + "|".join(_VERBS) + r"|should|must|does|is|has)\b"
    r"|criterion:"
    r"|an? (?:good |ideal )?(?:answer|response|reply)\b"
    r"|(?:clearly |explicitly |correctly |also |never |directly )?(?:" + "|".join(_VERBS) + r")\b"
    r"|(?:does|should|must) (?:not )?\w+"
    r"|to meet this criterion\b"
    r")",
    re.IGNORECASE,
)


# Statements about health never speak of these.
_SPEAKS_OF_IT: Final = re.compile(r"\bthe (?:answer|response|reply|assistant|chatbot|model|user|ai)\b", re.IGNORECASE)


def is_act(criterion: str) -> bool:
    """Whether it names an act: “Advises ...”, “The response should ...”."""
    return _ACT.match(criterion.strip()) is not None or _SPEAKS_OF_IT.search(criterion) is not None
