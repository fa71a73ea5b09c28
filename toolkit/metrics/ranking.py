"""Which generators a measure puts first: the way "Out-of-class novelty generation" (2017) tries measures.

The study ranks about a thousand generators by each measure, asks how the rankings agree, and has a person label what
the first of each ranking draw. A measure finds novelty if its first ones draw what was never learned.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import combinations, product

from ..drift import rank_correlation


def ranked(scores: Mapping[str, float]) -> list[str]:
    """The generators, highest score first; of equal ones, in the order of their names."""
    return sorted(scores, key=lambda name: (-scores[name], name))


def labels_of_first(scores: Mapping[str, float], labels: Mapping[str, str], count: int) -> dict[str, int]:
    """How many of the first `count` generators have each label: the table of the study, one line of it.

    Raises ValueError for a count that is not there, or a generator without a label.
    """
    if not 1 <= count <= len(scores):
        raise ValueError(f"the first {count} of {len(scores)} generators: give a count from 1 to their number")
    if bare := sorted(set(scores) - set(labels)):
        raise ValueError(f"no label for {', '.join(bare)}: give one for each generator")
    found = Counter(labels[name] for name in ranked(scores)[:count])
    return {label: found[label] for label in dict.fromkeys(labels.values())}


def agreement(table: Mapping[str, Mapping[str, float]]) -> dict[tuple[str, str], float]:
    """How far each two measures rank generators alike: {measure: {generator: score}} -> Spearman's correlation.

    Raises ValueError unless every measure has a score for the same generators, two or more.
    """
    names = [sorted(scores) for scores in table.values()]
    if any(each != names[0] for each in names):
        raise ValueError("the measures are not of the same generators: give each a score for all of them")
    return {
        (a, b): rank_correlation([table[a][name] for name in names[0]], [table[b][name] for name in names[0]])
        for a, b in combinations(table, 2)
    }


def concordance(scores: Mapping[str, float], tiers: Sequence[Collection[str]]) -> float:
    """How well scores keep a known order: 1 if every generator of a later tier has more than any of an earlier one.

    The share of pairs from two tiers whose scores rise with the tier, a tie counting half: 0.5 by chance, 0 if the
    order is turned round. With two tiers, the area under the curve of telling them apart (Hanley & McNeil, 1982).
    Raises ValueError unless two tiers have members, each with a score, and none is in two.
    """
    members = [name for tier in tiers for name in tier]
    if len([tier for tier in tiers if len(tier)]) < 2 or len(set(members)) < len(members):
        raise ValueError("an order takes two tiers with members: give each generator one place")
    if missing := sorted(set(members) - set(scores)):
        raise ValueError(f"no score for {', '.join(missing)}: give one for each generator in the tiers")
    pairs = [pair for low, high in combinations(tiers, 2) for pair in product(low, high)]
    rising = [(scores[b] > scores[a]) + (scores[b] == scores[a]) / 2 for a, b in pairs]
    return sum(rising) / len(pairs)
