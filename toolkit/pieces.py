"""A data set in pieces that share memory: what was heard and what is said now are one set, and nothing is copied."""

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Pieces:
    """Images uint8 (N, C, H, W), laid end to end. A set that grows by 60,000 images costs those 60,000 and no more."""

    parts: tuple[Tensor, ...]

    @staticmethod
    def of(images: "Images") -> "Pieces":
        """A tensor as one piece; pieces as they are."""
        return images if isinstance(images, Pieces) else Pieces((images,))

    def __add__(self, more: "Images") -> "Pieces":
        return Pieces(self.parts + Pieces.of(more).parts)

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __getitem__(self, rows: Tensor) -> Tensor:
        """Copies of these images, in this order: rows (n,), each from 0 to N - 1 -> (n, C, H, W). Raises IndexError."""
        wanted, order = rows.sort()
        for row in wanted[[0, -1]].tolist() if len(rows) else []:
            if not 0 <= row < len(self):
                raise IndexError(f"image {row} was asked for, and there are {len(self)}: count from 0")
        found = self.parts[0].new_empty(len(rows), *self.parts[0].shape[1:])
        cuts = [0, *torch.searchsorted(wanted, self._ends).tolist()]
        for part, end, (a, b) in zip(self.parts, self._ends.tolist(), pairwise(cuts), strict=True):
            if a < b:
                found[order[a:b]] = part[wanted[a:b] - (end - len(part))]
        return found

    def to(self, device: torch.device) -> "Images":
        """The set on a device of its own memory, as one tensor there; as it is on the CPU."""
        if device.type == "cpu":
            return self
        whole = torch.empty(len(self), *self.parts[0].shape[1:], dtype=self.parts[0].dtype, device=device)
        for part, end in zip(self.parts, self._ends.tolist(), strict=True):
            whole[end - len(part) : end] = part  # piece by piece: no second copy on the CPU
        return whole

    @cached_property
    def _ends(self) -> Tensor:
        return torch.tensor(list(accumulate(map(len, self.parts))))


Images = Tensor | Pieces
