"""One place where a profile, the databases and the workspace meet."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from elrcn import databases
from elrcn.config import PreprocessConfig, get_profile
from elrcn.corpus import make_corpus
from elrcn.corpus.write import corpus_key
from elrcn.databases import require_usable
from elrcn.databases.folders import resolve_roots
from elrcn.databases.synthetic import corpus_of, is_synthetic, origin_findings
from elrcn.errors import ElrcnError
from elrcn.files import computed_once
from elrcn.manifest import Finding, Manifest
from elrcn.models.train import resolve_device
from elrcn.preprocess.cache import StackArray, build_clips
from elrcn.preprocess.clips import VARIANTS, check_config
from elrcn.preprocess.faces import find_crops
from elrcn.workspace import Workspace, find_workspace


class Session:
    """Data and settings of one run, opened lazily: nothing is read before it is asked for.

    Parameters
    ----------
    profile : str
        ``"smoke"``, ``"demo"`` or ``"paper"``.
    casme2_root, samm_root : str or Path, optional
        Folders of the licensed databases. Empty: ``ELRCN_CASME2`` and ``ELRCN_SAMM``, then the
        user's configuration file, then the synthetic dataset, which is made on first use.
    workers : int
        Clips preprocessed or folds trained at once; 0 takes the profile's choice for this machine.
    seed : int
        Added to the profile's seed.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    tim_length : int
        Frames after temporal interpolation; 0: the profile's.
    progress : bool
        Progress bars on standard error.

    Attributes
    ----------
    given : dict of str to Path
        Databases the user has named; empty if the synthetic dataset stands in for them.
    """

    def __init__(
        self,
        profile: str = "demo",
        casme2_root: str | Path = "",
        samm_root: str | Path = "",
        workers: int = 0,
        seed: int = 0,
        device: str = "auto",
        tim_length: int = 0,
        workspace: Workspace | None = None,
        progress: bool = True,
    ):
        self.profile = get_profile(profile)
        if tim_length:
            preprocess = replace(self.profile.preprocess, tim_length=tim_length)
            check_config(preprocess)
            self.profile = replace(self.profile, preprocess=preprocess)
        self.workspace = workspace or find_workspace()
        self.seed = self.profile.seed + seed
        self.device = str(resolve_device(device))
        self.progress = progress
        self.workers = workers
        self.given = resolve_roots(casme2_root or None, samm_root or None)
        self._prepared: dict[Finding, None] = {}  # in the order they were met

    @property
    def preprocess_workers(self) -> int:
        """Clips preprocessed at once; the result does not depend on it."""
        return self.workers or os.cpu_count() or 1

    @property
    def fold_workers(self) -> int:
        """Folds trained at once; the result does not depend on it."""
        if self.device != "cpu":
            return 1
        return self.workers or max(1, _cores() // self.profile.threads_per_fold)

    @property
    def synthetic(self) -> bool:
        """Whether all data carry the mark of the synthetic dataset, wherever they lie."""
        return all(self.marked.values())

    @property
    def data(self) -> str:
        """Two or three words for what the numbers are computed on."""
        made = [name for name, marked in self.marked.items() if marked]
        if made and not self.synthetic:
            return f"databases given, of which {' and '.join(made)} synthetic"
        return "synthetic dataset" if made else "databases given"

    @cached_property
    def marked(self) -> dict[str, bool]:
        """Whether each database carries the mark of the synthetic dataset."""
        return {name: is_synthetic(root) for name, root in self.roots.items()}

    @cached_property
    def roots(self) -> dict[str, Path]:
        """Database name to its folder; a synthetic dataset is checked, frame by frame, first.

        Raises
        ------
        ElrcnError
            If the user has named a corpus that is damaged, with its clips. The workspace's own is
            mended instead, with a warning.
        """
        if self.given:
            require_usable(self._origin)
            return self.given
        made = make_corpus(self.embedded_folder, self.profile.corpus, progress=self.progress)
        return {"CASME2": Path(made.casme2), "SAMM": Path(made.samm)}

    @cached_property
    def _origin(self) -> list[Finding]:
        return [f for name, root in self.given.items() for f in origin_findings(name, root)]

    @property
    def embedded_folder(self) -> Path:
        """Where the profile's synthetic dataset is, or would be made.

        Another configuration or generator has another folder, so that an update of this package
        never meets the corpus of an older one.
        """
        key = corpus_key(self.profile.corpus)[:8]
        return self.workspace.corpora / f"corpus-{self.profile.name}-{key}"

    @cached_property
    def corpus_root(self) -> Path | None:
        """Folder of the synthetic dataset, whose ``truth/`` only reports may read.

        None for licensed databases, and for a copy that lies in no corpus with its truth, or is
        renamed there: what is not checked against the corpus has no truth.
        """
        folders = {corpus_of(name, root) for name, root in self.roots.items()}
        if not self.synthetic or len(folders) > 1:
            return None
        (folder,) = folders
        if folder is None or not all((folder / "truth" / name).is_dir() for name in self.roots):
            return None
        return folder

    @cached_property
    def _read(self) -> tuple[Manifest, list[Finding]]:
        manifest, findings = databases.read(
            self.roots, workers=self.preprocess_workers, progress=self.progress
        )
        return manifest, [*self._origin, *findings]

    @property
    def manifest(self) -> Manifest:
        """All clips of the databases at hand."""
        return self._read[0]

    @property
    def has_read(self) -> bool:
        """Whether the databases were read already, which a corpus not yet made cannot be."""
        return "_read" in self.__dict__

    @property
    def findings(self) -> list[Finding]:
        """What the readers had to remark on, and preprocessing so far."""
        return self._read[1] + list(self._prepared)

    def with_faces(self, manifest: Manifest) -> list[Finding]:
        """Return `findings` after the faces were found of all clips of `manifest` that need it.

        Preprocessing would find them later; a page says at its top where there were none.
        """
        folder, align = self.workspace.cache / "stacks", self.profile.preprocess.align
        with computed_once(folder):
            found = find_crops(manifest, align, folder, self.preprocess_workers, self.progress)[1]
        self._prepared.update(dict.fromkeys(found))
        return self.findings

    def require(self, *databases: str) -> None:
        """Raise `ElrcnError` unless all `databases` are at hand."""
        missing = [name for name in databases if name not in self.roots]
        if missing:
            raise ElrcnError(
                f"This needs {' and '.join(missing)}, and no folder was given for it.",
                fix="give --casme2 and --samm (or ELRCN_CASME2 and ELRCN_SAMM), or neither "
                "to use the synthetic dataset",
            )

    def clips(
        self, manifest: Manifest, config: PreprocessConfig | None = None, kind: str = "stack"
    ) -> StackArray:
        """Clips as arrays, cached on disk; see `elrcn.preprocess.cache.build_clips`.

        `config` is the profile's unless it is given. The kinds: "stack", network input (clips,
        T - 1, 5, size, size); "grey", grey levels after TIM (clips, T, 1, flow_size, flow_size);
        "augmented", network input that carries its augmented variants along.
        """
        folder = self.workspace.cache / ("grey" if kind == "grey" else "stacks")
        with computed_once(folder), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "No face found")
            array = build_clips(
                manifest,
                config or self.profile.preprocess,
                folder,
                "grey" if kind == "grey" else "stack",
                VARIANTS if kind == "augmented" else (),
                workers=self.preprocess_workers,
                progress=self.progress,
            )
        self._prepared.update(dict.fromkeys(array.findings))
        return array

    def pretrained(self) -> Path:
        """Face-identity weights that ELRCN-TE starts from; trained once, cached."""
        from elrcn.models.pretrain import face_identity_weights

        folder = self.workspace.cache / "pretrained"
        with computed_once(folder):
            return face_identity_weights(self.profile, folder, progress=self.progress)


def _cores() -> int:
    """Cores of this machine, or the share of them that pages executed at once leave to this one."""
    try:
        return int(Path(os.environ["ELRCN_SHARE"]).read_text())
    except (KeyError, OSError, ValueError):
        return os.cpu_count() or 1
