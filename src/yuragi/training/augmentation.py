"""Random crops and mirror images, for all images of a mini-batch at once, where the images are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch


@dataclass(frozen=True)
class Augmentation:
    """For each image of a data set the window that is cut out and whether it is mirrored: what one epoch draws.

    top, left
        rows and columns of the padded image before the window, in 0 … 2 × padding, int64, (image,)
    mirrored
        bool, (image,)
    padding
        black pixels around the image
    """

    top: torch.Tensor
    left: torch.Tensor
    mirrored: torch.Tensor
    padding: int

    @classmethod
    def drawn(cls, count: int, generator: torch.Generator, *, padding: int, flip: bool) -> Augmentation:
        """Independent uniform draws for ``count`` images: (2 × padding + 1)² windows, mirrored with probability 1/2 where ``flip`` is true.

        >>> drawn = Augmentation.drawn(3, torch.Generator().manual_seed(0), padding=1, flip=False)
        >>> drawn.of(torch.ones(3, 1, 4, 4), torch.arange(3)).shape
        torch.Size([3, 1, 4, 4])
        """
        top, left = torch.randint(2 * padding + 1, (2, count), generator=generator, device=generator.device)
        tossed = torch.randint(2, (count,), generator=generator, device=generator.device, dtype=torch.bool)
        return cls(top, left, tossed if flip else torch.zeros_like(tossed), padding)

    def placed(self, device: torch.device) -> Augmentation:
        """The same, on the device where the data set is: to look up a mini-batch then waits for nothing."""
        return replace(self, top=self.top.to(device), left=self.left.to(device), mirrored=self.mirrored.to(device))

    def of(self, images: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
        """New images as they were drawn, of the same shape.

        images
            (image, channel, height, width)
        which
            the number of each of them in the data set, (image,)
        """
        device, (count, channels, height, width) = images.device, images.shape
        top, left, mirrored = (drawn[which.to(drawn.device)].to(device) for drawn in (self.top, self.left, self.mirrored))
        rows = top[:, None] + torch.arange(height, device=device)
        columns = torch.arange(width, device=device).expand(count, -1)
        columns = left[:, None] + torch.where(mirrored[:, None], columns.flip(1), columns)
        padded = torch.nn.functional.pad(images, (self.padding,) * 4)
        image, channel = torch.arange(count, device=device)[:, None, None, None], torch.arange(channels, device=device)[None, :, None, None]
        return padded[image, channel, rows[:, None, :, None], columns[:, None, None, :]]
