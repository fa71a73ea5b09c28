"""Whose data the models learned, whose methods they are: what a model card owes to others."""

from collections.abc import Iterable
from typing import NamedTuple


class Source(NamedTuple):
    """A data set: its title, who made it, under which terms, and its id on the Hub if it is known there."""

    title: str
    makers: str
    terms: str
    hub: str | None = None


DATA = {  # by the name that `datasets.load` knows it by
    "mnist": Source(
        "MNIST", "Yann LeCun, Corinna Cortes and Christopher Burges, from NIST's handwriting of US census clerks and "
        "students", "CC BY-SA 3.0", "ylecun/mnist",
    ),
    "fashion": Source("Fashion-MNIST", "Zalando Research", "MIT", "zalando-datasets/fashion_mnist"),
    "kmnist": Source("Kuzushiji-MNIST", "the ROIS-DS Center for Open Data in the Humanities, from the Kuzushiji data "
                     "set of NIJL and others, doi:10.20676/00000341", "CC BY-SA 4.0"),
    "omniglot": Source("Omniglot", "Brenden Lake, Ruslan Salakhutdinov and Joshua Tenenbaum", "MIT"),
    "emnist-letters": Source("EMNIST letters", "Gregory Cohen, Saeed Afshar, Jonathan Tapson and André van Schaik, "
                             "from NIST Special Database 19", "no licence stated"),
    "celeba": Source("CelebA", "Ziwei Liu, Ping Luo, Xiaogang Wang and Xiaoou Tang", "non-commercial research only"),
    "letters": Source("letters of typefaces", "the makers of the fonts, each named in its package",
                      "the fonts' own licences; no font is in a model"),
    "folder": Source("pictures of a folder", "whoever published these models, who can say", "theirs to say"),
    "points": Source("a few points on a line or in a plane", "this toolkit", "none needed"),
}  # fmt: skip

AKIN = "Ak\u0131n Kazak\u00e7\u0131"  # a letter that is easily mistaken for another
PAPERS = {  # by the kind of an experiment
    "iterations": (
        "Yusong Wu, Kyle Kastner, Tim Cooijmans, Cheng-Zhi Anna Huang, Aaron Courville. Datasets That Are Not: "
        "Evolving Novelty Through Sparsity and Iterated Learning. Workshop on Machine Learning for Creativity and "
        "Design, NeurIPS 2022. <https://nips.cc/virtual/2022/63196>",
        f"{AKIN}, Mehdi Cherti, Balázs Kégl. Digits that are not: Generating new types through deep neural nets. "
        "2016. <https://arxiv.org/abs/1606.04345>",
        "Alireza Makhzani, Brendan Frey. Winner-Take-All Autoencoders. NIPS 2015. <https://arxiv.org/abs/1409.2752>",
    ),
    "decoder": (
        "Payel Das, Brian Quanz, Pin-Yu Chen, Jae-wook Ahn, Dhruv Shah. Toward a neuro-inspired creative decoder. "
        "IJCAI 2020. <https://arxiv.org/abs/1902.02399>",
    ),
    "kaleidoscope": (
        "Harsh Shrivastava. Generative Kaleidoscopic Networks. 2024. <https://arxiv.org/abs/2402.11793>",
    ),
    "divergence": (
        "Terence Broad, Sebastian Berns, Simon Colton, Mick Grierson. Active Divergence with Generative Deep Learning: "
        "A Survey and Taxonomy. ICCC 2021. <https://arxiv.org/abs/2107.05599>",
        "Ahmed Elgammal, Bingchen Liu, Mohamed Elhoseiny, Marian Mazzone. CAN: Creative Adversarial Networks. "
        "ICCC 2017. <https://arxiv.org/abs/1706.07068>",
        "Terence Broad, Frederic Fol Leymarie, Mick Grierson. Amplifying the Uncanny. xCoAx 2020. "
        "<https://arxiv.org/abs/2002.06890>",
    ),
    "judge": (f"Mehdi Cherti, Balázs Kégl, {AKIN}. Out-of-class novelty generation. 2017.",),
}  # fmt: skip


def sources(names: Iterable[str]) -> list[Source]:
    """The data sets behind names such as "mnist+letters:fonts", "sample:mnist" or "tinted:folder:PATH", each once.

    A name that nobody listed is itself, made by those who published the models.
    """
    parts = {_plain(part) for name in names for part in name.split("+")}
    ordered = [name for name in DATA if name in parts] + sorted(parts - {*DATA})
    return [DATA.get(name, Source(name, *DATA["folder"][1:3])) for name in ordered]


def _plain(name: str) -> str:
    before, colon, after = name.partition(":")
    return _plain(after) if colon and before in ("sample", "tinted") else before
