"""A character-level recurrent network, and its characters as codes: 0 is the end, k the k-th of an alphabet.

Source: Karpathy (2015), The unreasonable effectiveness of recurrent neural networks.
"""

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from string import ascii_lowercase

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from ..config import check_rate
from ..seeds import Noise
from ..train import Objective, Shuffled
from .registry import check_positive, register

END = 0  # what comes after a text, and before it
MOST = 255  # characters of an alphabet: codes are bytes
IGNORED = -100  # a target that `cross_entropy` leaves out


def encode(texts: Sequence[str], alphabet: str, length: int) -> Tensor:
    """Texts as rows of codes, each cut after so many characters, or filled up with `END`: uint8 (N, length).

    Raises ValueError for a character that is not in the alphabet.
    """
    points = np.array(list(texts), f"U{length}").view(np.uint32).reshape(len(texts), length)
    table = np.zeros(sys.maxunicode + 1, np.uint8)
    table[[ord(character) for character in alphabet]] = np.arange(1, len(alphabet) + 1)
    codes = table[points]
    if (strange := points[(codes == END) & (points != 0)]).size:
        raise ValueError(f"there is no {chr(strange[0])!r} among the characters that were learned: {alphabet!r:.80}")
    return torch.from_numpy(codes)


def decode(codes: Tensor, alphabet: str) -> list[str]:
    """The inverse of `encode`: rows of codes, with nothing after an end (N, L) -> N texts."""
    rows = np.array(["", *alphabet], "U1")[codes.cpu().numpy()]
    found: list[str] = np.ascontiguousarray(rows).view(f"U{codes.shape[1]}")[:, 0].tolist()
    return found


@dataclass(frozen=True)
class TextBatches(Shuffled):
    """Rows of codes as endless shuffled batches, uint8 (B, L); on a CPU without the columns that only hold ends."""

    def __iter__(self) -> Iterator[Tensor]:
        for rows in self.rows():
            longest = int((rows != END).any(0).sum()) if rows.device.type == "cpu" else rows.shape[1]
            yield rows[:, : longest + 1]

    def on(self, device: torch.device) -> "TextBatches":
        """The same batches in the same order, drawn on the device."""
        return replace(self, images=self.images.to(device))


@register
class CharRNN(nn.Module):
    """Embedding, gated recurrent units (Cho et al., 2014), and a linear layer: of a text, which character comes next.

    It learns rows of codes, uint8 (B, L): words with an end, or pieces of running text without one.
    """

    @dataclass(frozen=True)
    class Config:
        alphabet: str = ascii_lowercase
        length: int = 24  # of the rows that it learned; a word is shorter
        words: bool = True  # whether the rows were words
        hidden: int = 128
        depth: int = 1  # recurrent layers
        lr: float = 2e-3

        def __post_init__(self) -> None:
            if not 0 < len({*self.alphabet}) == len(self.alphabet) <= MOST:
                raise ValueError(f"alphabet is {self.alphabet!r:.60}: give 1 to {MOST} different characters")
            check_positive(self, "length", "hidden", "depth")
            check_rate(self.lr)

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = c = config
        self.embedding = nn.Embedding(1 + len(c.alphabet), c.hidden)
        self.recurrent = nn.GRU(c.hidden, c.hidden, c.depth, batch_first=True)
        self.head = nn.Linear(c.hidden, 1 + len(c.alphabet))

    def forward(self, codes: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Codes (B, L) -> logits of each next one (B, L, 1 + characters), and the state (depth, B, hidden) at the end.

        state: that at the start; by default of nothing read.
        """
        read, state = self.recurrent(self.embedding(codes.long()), state)
        return self.head(read), state

    def loss(self, codes: Tensor) -> Tensor:
        """How badly each character is predicted from those before it, and the end of a word: nats, on average."""
        target = codes.long()
        ended = (target == END).long()
        beyond = ended.cumsum(1) > ended  # the second end of a row, and all after it
        logits, _ = self(pad(target, (1, -1), value=END))
        return cross_entropy(logits.flatten(0, 1), target.masked_fill(beyond, IGNORED).flatten(), ignore_index=IGNORED)

    def objectives(self) -> dict[str, Objective]:
        return {"prediction": Objective(self.loss, [*self.parameters()], lr=self.config.lr)}

    @torch.no_grad()
    def write(self, noise: Noise, *, temperature: float = 1.0, start: str = "", length: int | None = None) -> Tensor:
        """Draw a text for each seed, character by character: codes, uint8 (B, L), `END` after an end.

        temperature: logits are divided by it; near 0 the likeliest character always comes. start: what each text begins
        with. length: characters after it; by default up to as many as the rows had. Words end by themselves; running
        text does not. Raises ValueError for a temperature of 0 or less, a length of 0 or less, or an unknown character.
        """
        c, device = self.config, next(self.parameters()).device
        if not 0 < temperature < math.inf:
            raise ValueError(f"temperature is {temperature}: give a number over 0, such as 1")
        length = max(1, c.length - len(start)) if length is None else length
        if length < 1:
            raise ValueError(f"length is {length}: give at least 1")
        chance = noise.rand(length).to(device)  # (B, length)
        begun = encode([start], c.alphabet, max(1, len(start)))[:, : len(start)].expand(len(noise), -1).to(device)
        written = torch.zeros(len(noise), len(start) + length, dtype=torch.uint8, device=device)
        written[:, : len(start)] = begun
        alive = torch.ones(len(noise), dtype=torch.bool, device=device)
        logits, state = self(pad(begun, (1, 0), value=END))
        for at in range(length):
            likely = logits[:, -1].div(temperature)
            if not c.words:
                likely[:, END] = -math.inf
            below = likely.softmax(1).cumsum(1) <= chance[:, at, None]
            drawn = below.sum(1).clamp_max(len(c.alphabet)) * alive
            written[:, len(start) + at] = drawn
            alive = alive & (drawn != END) if c.words else alive
            if not alive.any():
                break
            logits, state = self(drawn[:, None], state)
        return written

    def texts(self, codes: Tensor) -> list[str]:
        """Rows of codes (N, L) as N texts."""
        return decode(codes, self.config.alphabet)
