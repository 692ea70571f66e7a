"""From the configuration to the workflow: the files of a run and the specification of every job."""

from __future__ import annotations

import shlex
from functools import cached_property
from pathlib import Path
from typing import Any

from yuragi.config.arm_descriptions import described_arms
from yuragi.config.checks import offered
from yuragi.config.model import Config
from yuragi.config.sampling_specifications import SamplingFiles
from yuragi.config.specifications import measured_layers, specification
from yuragi.datasets.fetching import manifest
from yuragi.figures.base import Figure, figures
from yuragi.files import canonical_json
from yuragi.jobs import base


class Plan:
    """What the rules of the workflow ask: which files there are, and with which specification a job makes each.

    config
        the checked configuration
    rules
        the folder of the rules' files, beside which the captions lie
    """

    def __init__(self, config: Config, rules: Path = Path("workflow/rules")) -> None:
        self.config = config
        self.rules = rules
        self.results = f"results/{config.name}"
        self.sampling = SamplingFiles(config, self.results)

    # --- which files there are

    @cached_property
    def datasets(self) -> dict[str, Any]:
        """Every data set of the run by the name of its file: recordings under their own name, image sets under their experiment's."""
        return self.config.datasets()

    def markers(self, name: str | None = None) -> list[str]:
        """The files that say that a data set was fetched; none for those that are embedded or simulated."""
        chosen = self.datasets if name is None else {name: self.datasets[name]}
        return [f"{self.config.data.cache}/.fetched/{self.config.name}/{key}.json" for key, dataset in chosen.items() if dataset.needs_fetching()]

    def local_files(self, name: str) -> list[str]:
        """The files of the user's own that a data set is read from."""
        return [str(path) for path in self.datasets[name].local_files()]

    def lost(self, name: str) -> list[str]:
        """Files of a data set that were fetched once and have gone from the cache since: they make its fetching run again."""
        if not all(Path(marker).exists() for marker in self.markers(name)):
            return []
        dataset, cache = self.datasets[name], self.config.data.cache
        there = manifest(dataset, cache)
        gone = [str(path) for path in there if not path.exists()]
        # What is not in a manifest cannot be told file by file.
        return gone if there or not dataset.needs_fetching() else [f"{cache}/{dataset.kind}"]

    def networks(self, experiment: str | None = None) -> list[str]:
        """The names of all networks, ``<experiment>/<arm>-seed<seed>``."""
        chosen = self.config.experiments if experiment is None else [experiment]
        return [f"{name}/{arm}-seed{seed}" for name in chosen for arm in self.config.arms_of(name) for seed in self.config.experiments[name].seeds]

    def target_inputs(self) -> dict[str, list[str] | str]:
        """What the brain target is made from: spectra and a model of spontaneous activity, or a file that somebody wrote."""
        wanted = self.config.target
        if wanted is None or wanted.reference is not None:
            return {}
        if wanted.file is not None:
            return {"written": wanted.file}
        return {"spectra": self._spectra_files(), "model": self._model_file(), "responses": self._similarity_file()}

    def _spectra_files(self) -> list[str]:
        wanted = self.config.target
        assert wanted is not None
        names = set(wanted.stages.values()) | ({wanted.variance_ratio} if isinstance(wanted.variance_ratio, str) else set())
        return [f"{self.results}/spectra/{name}.nc" for name in sorted(names)]

    def _model_file(self) -> list[str]:
        wanted = self.config.target
        assert wanted is not None
        return [] if wanted.spontaneous is None else [f"{self.results}/spontaneous/{wanted.spontaneous}.nc"]

    def _similarity_file(self) -> list[str]:
        wanted = self.config.target
        assert wanted is not None
        return [] if wanted.similarity is None else [f"{self.results}/recordings/{wanted.similarity}.nc"]

    def choice_file(self, experiment: str) -> list[str]:
        """The table of validation accuracies that an experiment takes its learning rate from."""
        chosen = self.config.experiments[experiment].choice
        return [] if chosen is None else [f"{self.results}/choices/{chosen}.csv"]

    def memorised(self, experiment: str) -> list[str]:
        """The tables of training on random labels of an experiment."""
        wanted = self.config.experiments[experiment]
        if wanted.memorisation is None:
            return []
        arms = wanted.memorisation.arms or self.config.arms_of(experiment)
        return [f"{self.results}/memorisation/{experiment}/{arm}-seed{seed}.csv" for arm in arms for seed in wanted.seeds]

    def study_files(self, study: str, ending: str, experiment: str | None = None) -> list[str]:
        """What a study of attacked networks writes for each network that it looks at, of one experiment or of all."""
        found = []
        for name in self.config.experiments if experiment is None else [experiment]:
            arms = self.config.studied_arms(name, study)
            found += [f"{self.results}/{study}/{name}/{arm}-seed{seed}.{ending}" for arm in arms for seed in self.config.experiments[name].seeds]
        return found

    def _studied(self, study: str) -> list[str]:
        """The experiments that a study is made in."""
        return [name for name in self.config.experiments if self.config.studied_arms(name, study)]

    def _is_adversarial(self, network: str) -> bool:
        """Whether a network, by the name that `networks` gives it, is trained adversarially."""
        return self.config.arms[network.partition("/")[2].rpartition("-seed")[0]].adversarial is not None

    def transfer_images(self, name: str) -> str:
        """The images that are carried between networks: those of the first experiment, and of all."""
        return f"{self.results}/images/{self.config.transfers[name].experiments[0]}.nc"

    def transfer_networks(self, name: str) -> list[str]:
        """The networks that attacked images are carried between."""
        wanted = self.config.transfers[name]
        return [
            f"{self.results}/networks/{experiment}/{arm}-seed{seed}.safetensors"
            for experiment in wanted.experiments
            for arm in wanted.arms
            if arm in self.config.arms_of(experiment)
            for seed in self.config.experiments[experiment].seeds
        ]

    def spontaneous_target(self) -> list[str]:
        """The brain target, where it holds spontaneous activity that a network may be defended by."""
        target = self.config.target
        return [f"{self.results}/target.nc"] if target is not None and offered(target).spontaneous else []

    def target_file(self, arm: str) -> list[str]:
        """The brain target where the arm needs it; a plain network must not be trained anew when the target changes."""
        return [f"{self.results}/target.nc"] if self.config.arms[arm].needs_target else []

    def _planted(self) -> list[str]:
        """The planted exponents, each of which is a job."""
        return [f"{alpha:g}" for alpha in self.config.calibration.alphas] if self.config.calibration else []

    def stage_files(self, name: str) -> list[str]:
        """The responses of a hierarchy's stages: recordings, or layers of a network."""
        hierarchy = self.config.hierarchies[name]
        folder = "recordings" if hierarchy.network is None else f"layers/{hierarchy.network}"
        return [f"{self.results}/{folder}/{source}.nc" for source in dict.fromkeys(hierarchy.stages.values())]

    def plain_network(self, experiment: str) -> str:
        """The plain network of an experiment's first seed, whose layers a hierarchy shows."""
        return f"{self.results}/networks/{experiment}/plain-seed{self.config.experiments[experiment].seeds[0]}.safetensors"

    def null_files(self, ending: str, group: str | None = None) -> list[str]:
        """What the comparison with null models writes for each of its recordings, or for those of one group."""
        names = self.config.compared_recordings() if group is None else self._groups()[group]
        return [f"{self.results}/nulls/{name}.{ending}" for name in names]

    def validated(self) -> list[str]:
        """The recording whose simulations show how often the comparison rejects a null model."""
        wanted = self.config.null_comparison
        return [] if wanted is None or wanted.validation is None else [f"{self.results}/recordings/{wanted.validation.recording}.nc"]

    def _processes(self) -> dict[str, Any]:
        wanted = self.config.null_comparison
        return {} if wanted is None or wanted.validation is None else wanted.validation.sources

    def _groups(self) -> dict[str, tuple[str, ...]]:
        return self.config.null_comparison.groups if self.config.null_comparison else {}

    def _predicts(self) -> bool:
        return self.config.null_comparison is not None and self.config.null_comparison.prediction is not None

    def by_kind(self) -> dict[str, list[str]]:
        """The results that figures are made from, by kind."""
        experiments = list(self.config.experiments)
        found = {
            "spectra": [f"{self.results}/spectra/{name}.nc" for name in self.config.measured_responses()],
            "models": [f"{self.results}/spontaneous/{name}.nc" for name in self.config.spontaneous_recordings()],
            "comparisons": [f"{self.results}/spontaneous/{name}.comparison.csv" for name in self.config.spontaneous_recordings()],
            "estimates": [f"{self.results}/calibration/alpha_{alpha}.csv" for alpha in self._planted()],
            "pure_noise": [f"{self.results}/calibration/alpha_{alpha}.pure_noise.csv" for alpha in self._planted()],
            "stages": [f"{self.results}/hierarchies/{name}.stages.csv" for name in self.config.hierarchies],
            "pairs": [f"{self.results}/hierarchies/{name}.pairs.csv" for name in self.config.hierarchies],
            "null_comparisons": self.null_files("comparison.csv"),
            "similarities": self.null_files("similarity.csv"),
            "null_groups": [f"{self.results}/nulls/groups/{name}.csv" for name in self._groups()],
            "predictions": self.null_files("prediction.csv") if self._predicts() else [],
            "rankings": [f"{self.results}/nulls/groups/{name}.ranking.csv" for name in self._groups() if self._predicts()],
            "rejection": [f"{self.results}/nulls/rejection/{name}.csv" for name in self._processes()],
            "target": [f"{self.results}/target.nc"] if self.config.target else [],
            "activity": [f"{self.results}/activity/{name}.nc" for name in experiments if measured_layers(self.config, name)],
            "properties": [f"{self.results}/properties/{name}.csv" for name in experiments],
            "memorisation": [file for name in experiments for file in self.memorised(name)],
            "choices": [f"{self.results}/choices/{name}.csv" for name in self.config.choices],
            "histories": [f"{self.results}/networks/{name}.history.csv" for name in self.networks()],
            "robustness": [f"{self.results}/robustness/{name}.csv" for name in experiments],
            "differences": [f"{self.results}/robustness/{name}.differences.csv" for name in experiments],
            "robustness_l2": [f"{self.results}/robustness_l2/{name}.csv" for name in experiments if self.config.experiments[name].l2_epsilons],
            "differences_l2": [
                f"{self.results}/robustness_l2/{name}.differences.csv" for name in experiments if self.config.experiments[name].l2_epsilons
            ],
            "masking": self.study_files("masking", "csv"),
            "draws": self.study_files("masking", "draws.csv"),
            "surface": self.study_files("masking", "surface.csv"),
            "feature_space": self.study_files("feature_space", "csv"),
            "feature_space_examples": self.study_files("feature_space", "examples.nc"),
            "adaptivity": [f"{self.results}/adaptivity/{name}.csv" for name in self._studied("adaptivity")],
            "adaptivity_claims": [f"{self.results}/adaptivity/{name}.claims.csv" for name in self._studied("adaptivity")],
            "certificates": self.study_files("certificates", "csv"),
            "corruptions": [f"{self.results}/corruptions/{name}.csv" for name in self._studied("corruptions")],
            "corruption_differences": [f"{self.results}/corruptions/{name}.differences.csv" for name in self._studied("corruptions")],
            "single_attacks": [f"{self.results}/single_attacks/{name}.csv" for name in self._studied("single_attacks")],
            "adversarial_gains": [f"{self.results}/single_attacks/{name}.gains.csv" for name in self._studied("single_attacks")],
            "capacity": [f"{self.results}/single_attacks/{name}.capacity.csv" for name in self._studied("single_attacks")],
            "adversarial_histories": [f"{self.results}/networks/{name}.history.csv" for name in self.networks() if self._is_adversarial(name)],
            "transfers": [f"{self.results}/transfers/{name}.csv" for name in self.config.transfers],
            "transfer_claims": [f"{self.results}/transfers/{name}.claims.csv" for name in self.config.transfers],
            **self.sampling.by_kind(),
        }
        return {kind: files for kind, files in found.items() if files}

    def figures(self) -> list[str]:
        """The figures whose results this run makes."""
        there = self.by_kind()
        return [name for name, chosen in figures().items() if all(kind in there for kind in chosen.needs) and self._applies(chosen)]

    def _applies(self, chosen: type[Figure]) -> bool:
        if chosen.needs_truth and not any(dataset.planted for dataset in self.config.recordings.values()):
            return False
        if chosen.varies is None:
            return True
        by_experiment = [described_arms(self.config, name).values() for name in self._studied("single_attacks")]
        return any(len({getattr(arm, chosen.varies) for arm in arms}) > 1 for arms in by_experiment)

    def figure_inputs(self, name: str) -> dict[str, list[str]]:
        """The files that a figure is made from, by kind."""
        there, chosen = self.by_kind(), figures()[name]
        return {kind: there[kind] for kind in (*chosen.needs, *chosen.uses) if kind in there}

    def figure_arguments(self, name: str) -> str:
        """The same files as options of the command line."""
        return " ".join(f"--{kind.replace('_', '-')} {shlex.join(files)}" for kind, files in self.figure_inputs(name).items())

    def figure_title(self, name: str) -> str:
        """What a figure shows, in one line."""
        return figures()[name].title()

    def caption(self, name: str) -> str:
        """The caption of a figure in the report, relative to the rules: its own, or one that tells its title."""
        own = f"../report/{name}.rst"
        return own if (self.rules / own).exists() else "../report/figure.rst"

    @staticmethod
    def options(files: Any, *names: str) -> str:
        """Those of a rule's optional files that there are, as options of the command line."""
        return " ".join(f"--{name} {files[name]}" for name in names if files.get(name))

    @property
    def fetch_options(self) -> str:
        """Where to fetch to and from, as options of the command line."""
        data = self.config.data
        return f"--cache {shlex.quote(data.cache)}" + (f" --mirror {shlex.quote(data.mirror)}" if data.mirror else "")

    # --- with which specification a job makes them

    def spec(self, job: str, name: str = "") -> str:
        """The resolved specification of one job as canonical JSON."""
        return canonical_json(specification(self.config, job, name).canonical())

    def code(self, job: str, name: str = "") -> str:
        """The digest of the code that the job runs for its specification."""
        return base.job(job.removesuffix("_l2")).digest(specification(self.config, job, name))
