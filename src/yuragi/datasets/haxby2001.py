"""Human fMRI while images of eight categories are seen: subject 1 of Haxby et al. in the reduced form that PyMVPA distributes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import lazy_loader as lazy
from pydantic import Field, model_validator

from yuragi.datasets import labelled
from yuragi.datasets._blocks import block_means, read_events, shown
from yuragi.datasets._image_dataset import ImageDataset
from yuragi.datasets.base import RemoteFile, remote_files
from yuragi.datasets.imaging import UNITS, voxel_series

np = lazy.load("numpy")
xr = lazy.load("xarray")

_ADDRESS = "https://raw.githubusercontent.com/PyMVPA/PyMVPA/20f0335f98bbb59a0e11bc0b7a469edf8681a9a1/mvpa2/data"

_FILES = remote_files(
    _ADDRESS,
    """
    haxby2001/sub001/BOLD/task001_run001/bold_1slice.nii.gz 106768 d15c9164814eaa25b7fb3b62f976524e55051e1973ff2b90b4e966b6c3259248
    haxby2001/sub001/BOLD/task001_run001/bold_25mm.nii.gz 98816 fb8da73b747bd3f8f0c7cacf38c7173f3ec8ba1eb3a776003fa14880c31846e7
    haxby2001/sub001/BOLD/task001_run001/bold_events.tsv 166 f2cbdad57ece6d3f0ba9746fc03eb8f0d279be520f7ee55f17623565d138364e
    haxby2001/sub001/BOLD/task001_run001/bold_moest.txt 8943 543cc831ad65e5121094eee85f358888c6ee2ba15c4d4bfaff61a0a8beea234f
    haxby2001/sub001/BOLD/task001_run002/bold_1slice.nii.gz 106990 bf879fb923c81fdff11b1170b1724fa68beb0e9fa042bc053260d9d0e4d68c42
    haxby2001/sub001/BOLD/task001_run002/bold_25mm.nii.gz 99055 c349c15e761f580d7d0de365d05c6a7c269496e75a3ad58ca05a34ed15f91d5d
    haxby2001/sub001/BOLD/task001_run002/bold_events.tsv 166 6ed581e40ba4850b4c4d9854aa0db4c979ef01794972911eb4869db6342fb3ad
    haxby2001/sub001/BOLD/task001_run002/bold_moest.txt 8996 693e945318eeef0deae27fe4155bd15589cbf602ebce632c811af2801f520a9e
    haxby2001/sub001/BOLD/task001_run003/bold_1slice.nii.gz 107004 ae04aadb1ed6dc365dc117f522a3584aba0a8ac99fae008078147c94289ced49
    haxby2001/sub001/BOLD/task001_run003/bold_25mm.nii.gz 98691 a2e72670e8380a337870ada7a8896211b849f1987107d6fd99171cc48a8bdc60
    haxby2001/sub001/BOLD/task001_run003/bold_events.tsv 166 465ecdb410acc0753f733906c4d56258e0d753b73c25ca08e85a10215fcce308
    haxby2001/sub001/BOLD/task001_run003/bold_moest.txt 8837 a98e22c606d4ec90199da415065155aaaef4bcb36fd7c42299c84596b7e38408
    haxby2001/sub001/BOLD/task001_run004/bold_1slice.nii.gz 107309 60ed27e90dff5417cfe7118f87b59a1cae73367ab6578bdd873b57db22a00cdb
    haxby2001/sub001/BOLD/task001_run004/bold_25mm.nii.gz 98831 96780e718abc001d2c1c4996a9187e85b427e9fa2500e56716ff8873fded63ca
    haxby2001/sub001/BOLD/task001_run004/bold_events.tsv 166 9d8eef194e0e72b1ded0caa3be16e95778fc16f218e521c10802d9a1d1bc2820
    haxby2001/sub001/BOLD/task001_run004/bold_moest.txt 8743 4fb904347edef30f6bf43880c7f315337aa807c4c3cd5ba711671c02782079b2
    haxby2001/sub001/BOLD/task001_run005/bold_1slice.nii.gz 107287 af9dd7c655aa1cb09f8d7444f124ff14b40cab14c92b4c4fe9c0efde97d8da38
    haxby2001/sub001/BOLD/task001_run005/bold_25mm.nii.gz 98658 53eebe6b2c6edb7a82a0e84e5c72687ebe2a2d1cbd43f005ff83c88e1b06b49a
    haxby2001/sub001/BOLD/task001_run005/bold_events.tsv 166 4404718524d21cc2650a8fe9860c94b6e83592c46594ab11fb22272150e5c6fe
    haxby2001/sub001/BOLD/task001_run005/bold_moest.txt 8892 2d422e02af40510248c8ea1132a396229f46a4ae3763ec3c32bd11ad1b606591
    haxby2001/sub001/BOLD/task001_run006/bold_1slice.nii.gz 107391 c753fdc068123ff6b407572bd39af6e1fecd1aace8a64dbace25b19d875128ee
    haxby2001/sub001/BOLD/task001_run006/bold_25mm.nii.gz 99501 a079fa51847925d12edb52b03b0f19cd14c5a02db156a247736f6152017780f3
    haxby2001/sub001/BOLD/task001_run006/bold_events.tsv 166 0ab33f912cca0076c65b2a034973b71c3b9d00011ad6adeeef356d5f9f71c4e5
    haxby2001/sub001/BOLD/task001_run006/bold_moest.txt 9035 0817155fb68e1584bdd0f3c174be858b204653e02a8dc619daf2e8b9b65e4898
    haxby2001/sub001/BOLD/task001_run007/bold_1slice.nii.gz 107479 26bd002f5e33470179d39c4870d24d42a5cfa4e150782b8bf84885368a6016a3
    haxby2001/sub001/BOLD/task001_run007/bold_25mm.nii.gz 99739 26c8fca45ee3fed85b925ea5411698fe234c9b9b0eee184a772fbf873003eb4f
    haxby2001/sub001/BOLD/task001_run007/bold_events.tsv 166 0075f78df0b08d44c687581cbe33aa93db833ff574684d9bc24734649a3a6564
    haxby2001/sub001/BOLD/task001_run007/bold_moest.txt 8857 c2ce63fa788ce5a789184b55653e48a03d8e64236d89651412c83ae21e3d3639
    haxby2001/sub001/BOLD/task001_run008/bold_1slice.nii.gz 107702 eb13ff766f629410b4bccfa3f39f1a7439133648d0637ffac6cc22f4397b8881
    haxby2001/sub001/BOLD/task001_run008/bold_25mm.nii.gz 99655 366248d75f6f15b86ee8fb0777cfd1861e4950b81fde87f92a74f0a39cd75109
    haxby2001/sub001/BOLD/task001_run008/bold_events.tsv 166 ed40c886032a5db2b6416488b8ac36b7902242c9b5bdea23d8894eeba11aa539
    haxby2001/sub001/BOLD/task001_run008/bold_moest.txt 8872 08a7797579667389d09b388c76cc1d3c99f76d8be9cec8369821c6d6a7bb227a
    haxby2001/sub001/BOLD/task001_run009/bold_1slice.nii.gz 107443 0356e45b5922586f40cc84890ebaecac2d85510004978d2fa214d652bfb4b35e
    haxby2001/sub001/BOLD/task001_run009/bold_25mm.nii.gz 99361 4f9a07a44fc3ca0402b0d69eb91132f1a03e32b96ed1fb744d3f558d4d774d97
    haxby2001/sub001/BOLD/task001_run009/bold_events.tsv 166 d94f85d8378c72c45f95a8db2aa85576eb4e050827ab338b075315e7bc80a013
    haxby2001/sub001/BOLD/task001_run009/bold_moest.txt 8836 ab68587505ac977751d0f04228323b59ad35106c56ca685964bbe01272b26da5
    haxby2001/sub001/BOLD/task001_run010/bold_1slice.nii.gz 107187 a4a2a0e12d2a53df4efab50b9abf250f351def069fa0a3153a1b6e46809e490c
    haxby2001/sub001/BOLD/task001_run010/bold_25mm.nii.gz 99279 796c21c4ef9d89f723b78c3b76853cd0aca58c93d0409b0967a45841bebe5432
    haxby2001/sub001/BOLD/task001_run010/bold_events.tsv 166 cb9d60adb7971d00b4f199a8729dd9de6f4f27b37f680197c7ba2d96e7be7ab2
    haxby2001/sub001/BOLD/task001_run010/bold_moest.txt 8675 a0d4efeb4e884dc54e12622be8627917ee9579c4bc87d1b14bd7a6a4f81c20ac
    haxby2001/sub001/BOLD/task001_run011/bold_1slice.nii.gz 106831 4c2bcf74db2cb0d77ecb6d60c0df8eec69715f579f6b628823319e67c80511cb
    haxby2001/sub001/BOLD/task001_run011/bold_25mm.nii.gz 99228 d7e04d78df0aa81d7a8de8ac6c1c0044ff1a6583e92abe8ebafac8851010523b
    haxby2001/sub001/BOLD/task001_run011/bold_events.tsv 166 377788e2ef133ffcc40da369b060009397ef8ab12732c5386945e6c608293418
    haxby2001/sub001/BOLD/task001_run011/bold_moest.txt 8734 28cea26a563df9acd966ef99f227c71971beea491d941d6ae31bfe5ab09569f4
    haxby2001/sub001/BOLD/task001_run012/bold_1slice.nii.gz 107152 8713435c5894ef06bd2a72e786ebf93b74ec3d7e46d7411f229fd6ffa5d62e9a
    haxby2001/sub001/BOLD/task001_run012/bold_25mm.nii.gz 98961 7bda1f0ee3483f2755e61afa0e96ce825cd2c28b0e03a91a2a96b018c10e8a40
    haxby2001/sub001/BOLD/task001_run012/bold_events.tsv 166 50cfed990226325726f91da555f1a412fc6a932cb754825462e03b30317579bb
    haxby2001/sub001/BOLD/task001_run012/bold_moest.txt 8816 70b8e0fdad3debc416e63db5a7365d30a2242a73ce06089493c898b82f3dc82d
    haxby2001/sub001/masks/25mm/brain.nii.gz 858 06baff59204b30dfdae31845f2b9b3fac2bb3363d558b8955000536c4567a151
    haxby2001/sub001/masks/25mm/gray.nii.gz 865 84ea63ac81d75119f8d82aaf8da40cbb403b215bf872f8aaae4b060b6814ca18
    haxby2001/sub001/masks/25mm/hoc.nii.gz 879 9785889c78ae9cbbe9ac8fcc551afde66600187940c1106dc71bd6f85ea98f73
    haxby2001/sub001/masks/25mm/vt.nii.gz 817 7d018dc136203856a30445b44b00cccca9f8f4da73716e3b01b47e8da1b15dce
    haxby2001/sub001/masks/25mm/white.nii.gz 863 d3799c20fdbeece63e352e146fd385ffd7352ad9d5fe952c9ba5f57bbd07a56d
    """,
)
_SLICE_MASK = RemoteFile(
    "single_slice/mask.nii.gz", f"{_ADDRESS}/mask.nii.gz", "8d879d35aaeee3afddfb69a7e1b8dd2b3be446671452d7e841dc6588845f2877", 197
)

View = Literal["25mm", "1slice"]
Region = Literal["brain", "gray", "vt", "hoc", "white"]
CONDITIONS = ("bottle", "cat", "chair", "face", "house", "scissors", "scrambledpix", "shoe")
RUNS = tuple(range(1, 13))
VOLUMES = 121
VOXELS = {"brain": 129, "gray": 28, "vt": 1, "hoc": 45, "white": 34, "1slice": 530}
"""Voxels inside each mask; the slice has one mask only."""


class _Haxby2001(ImageDataset):
    """What the responses and the time courses share."""

    view: View = Field("25mm", description="25mm: the whole brain in voxels of 25 mm; 1slice: one slice of 3.1 x 3.75 mm")
    region: Region = Field(
        "brain", description="mask: brain, gray, vt (ventral temporal), hoc (occipital, Harvard-Oxford), white; a slice has brain only"
    )
    motion: bool = Field(False, description="regress out the six motion estimates")

    SOURCES: ClassVar = (*_FILES, _SLICE_MASK)
    licence: ClassVar = "CC BY-SA 3.0"
    citation: ClassVar = (
        "Haxby, Gobbini, Furey, Ishai, Schouten, Pietrini (2001) Distributed and overlapping representations of faces and objects in ventral "
        "temporal cortex, Science 293:2425-2430; reduced by the PyMVPA developers"
    )
    home: ClassVar = "https://github.com/PyMVPA/PyMVPA/tree/master/mvpa2/data/haxby2001"
    folder: ClassVar = "haxby2001"

    @model_validator(mode="after")
    def _slice_has_one_mask(self) -> _Haxby2001:
        if self.view == "1slice" and self.region != "brain":
            raise ValueError(f"region = '{self.region}' has no mask in the view '1slice'; use region 'brain', or view '25mm'")
        return self

    def _names(self, run: int) -> dict[str, str]:
        """The files of a run, by what they hold."""
        folder = f"haxby2001/sub001/BOLD/task001_run{run:03d}"
        mask = "single_slice/mask.nii.gz" if self.view == "1slice" else f"haxby2001/sub001/masks/25mm/{self.region}.nii.gz"
        files = {"image": f"{folder}/bold_{self.view}.nii.gz", "events": f"{folder}/bold_events.tsv", "mask": mask}
        return files | ({"motion": f"{folder}/bold_moest.txt"} if self.motion else {})

    def _of_runs(self, *runs: int) -> tuple[RemoteFile, ...]:
        return self.source_files(*dict.fromkeys(name for run in runs for name in self._names(run).values()))

    def _units(self) -> int:
        return VOXELS["1slice" if self.view == "1slice" else self.region]

    def _series(self, paths: Mapping[str, Path], run: int) -> xr.Dataset:
        names = self._names(run)
        confounds = paths[names["motion"]] if self.motion else None
        return voxel_series(paths[names["image"]], paths[names["mask"]], self.processing(), confounds=confounds)


class Haxby2001(_Haxby2001):
    """Human fMRI, one subject, 8 categories x 12 runs, 129 voxels of 25 mm (whole brain) or 530 of one slice, TR 2.5 s.

    The repeats are the runs: in each, every category was shown once, for 22.5 s. A response is the mean over the nine volumes of its block, ``delay``
    seconds later, of the time courses that were detrended and standardised within their run.
    """

    kind: Literal["haxby2001"] = "haxby2001"
    delay: float = Field(5.0, ge=0, description="seconds by which the haemodynamic response lags the images")
    runs: tuple[Annotated[int, Field(ge=1, le=12)], ...] = Field(RUNS, min_length=1, description="which of the runs 1 to 12; each is a repeat")

    contents: ClassVar = "responses"

    def files(self) -> tuple[RemoteFile, ...]:
        return self._of_runs(*self.runs)

    def sizes(self) -> dict[str, int]:
        return {"repeats": len(self.runs), "stimuli": len(CONDITIONS), "units": self._units()}

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        repeats = []
        for run in self.runs:
            series = self._series(paths, run)["recording"]
            events = paths[self._names(run)["events"]]
            interval = series.attrs["sampling_interval"]
            repeats.append(
                block_means(series.values, read_events(events), CONDITIONS, sampling_interval=interval, delay=self.delay, where=str(events))
            )
        return labelled.responses(
            np.stack(repeats),
            units=UNITS[self.standardise],
            attributes=self.provenance() | {"subject": "sub001", "view": self.view, "region": self.region, "delay": self.delay},
            coordinates={"repeat": list(self.runs), "stimulus": list(CONDITIONS)}
            | {axis: ("unit", series[axis].values, series[axis].attrs) for axis in "ijkxyz"},
        )


class Haxby2001Series(_Haxby2001):
    """Human fMRI, the time courses of one run of haxby2001, 121 volumes at 2.5 s; not rest: images are shown in eight blocks.

    The coordinate ``condition`` names what is shown at each volume, ``rest`` between the blocks, without a delay.
    """

    kind: Literal["haxby2001_series"] = "haxby2001_series"
    run: int = Field(1, ge=1, le=12, description="number of the run")

    contents: ClassVar = "recording"

    def files(self) -> tuple[RemoteFile, ...]:
        return self._of_runs(self.run)

    def sizes(self) -> dict[str, int]:
        return {"frames": VOLUMES, "units": self._units()}

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        found = self._series(paths, self.run)
        blocks = read_events(paths[self._names(self.run)["events"]])
        condition = np.full(found.sizes["time"], "rest", dtype="<U16")
        for block, volumes in zip(blocks, shown(condition.size, blocks, found.attrs["sampling_interval"], 0.0), strict=True):
            condition[volumes] = block.condition
        notes = self.provenance() | {"subject": "sub001", "run": self.run, "view": self.view, "region": self.region}
        found["recording"].attrs.update(notes)
        return found.assign_attrs(notes).assign_coords(condition=("time", condition))
