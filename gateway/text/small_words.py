"""English words so common that two texts that share them tell nothing by it. Pure."""

from __future__ import annotations

_WORDS = """
a about after all also an and any are as at be because been before being but by can could d did do
does doesn dont even for from get good had has have he her here him his how i if im in into is isn
it its just know like ll m make many may me might more much must my need no not now of on one only
or other our out over please re s same see she should so some still such t than thanks that the
their them then there these they think this those to too up use using ve very want was way we well
were what when where which who why will with would you your
"""

SMALL_WORDS = frozenset(_WORDS.split())
