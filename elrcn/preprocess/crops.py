"""Where the face is in each clip of a manifest: found once, cached, and listed where it is not."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path

from elrcn.config import config_hash
from elrcn.errors import ElrcnError
from elrcn.files import code_hash, read_json, set_aside, side_by_side, write_json
from elrcn.manifest import Finding
from elrcn.preprocess.align import Crop, clip_crops, require_dlib
from elrcn.preprocess.frames import read_grey
from elrcn.preprocess.stackarray import open_folder

NO_FACE = ("whole", "fail")


def clip_key(manifest, i: int) -> str:
    """Return the clip's hash from the manifest, or of its frames' bytes where it has none."""
    known = manifest.table.iloc[i].get("sha256", "")
    if isinstance(known, str) and known:
        return known
    digest = hashlib.sha256()
    for path in manifest.frame_paths(i):
        try:
            digest.update(Path(path).read_bytes())
        except OSError as error:
            raise ElrcnError(f"A frame cannot be read ({error.strerror}).", where=path) from None
    return digest.hexdigest()


def is_cropped(frames) -> bool:
    """Whether frame files carry CASME II's own mark of cropped frames, ``reg_img``."""
    return Path(frames[0]).name.lower().startswith("reg_")


def _find(paths, clip, follow, target):
    frames = (read_grey(path) for path in paths)
    try:
        crops = clip_crops(frames, follow)
    except ElrcnError as error:
        raise ElrcnError(f"Clip {clip}: {error.what}", error.where, error.fix) from None
    record = {"clip": clip, "crops": None if crops is None else [asdict(crop) for crop in crops]}
    write_json(target, record, of=_place(target))


def _place(path):
    return f"{path.parent.name}/{path.name}"


def _load(path):
    """Crops of a record, None where there was no face; raises TypeError if it is no record."""
    crops = read_json(path, of=_place(path))["crops"]
    if crops is None:
        return None
    return [Crop(tuple(crop["matrix"]), crop["width"], crop["height"]) for crop in crops]


def _is_known(path):
    if read_json(path, of=_place(path)) is None:
        set_aside(path)
        return False
    return True


def find_crops(
    manifest,
    align: str,
    cache: str | Path,
    workers: int | None = None,
    progress: bool = True,
    no_face: str = "whole",
) -> tuple[list[list[Crop] | None], list[Finding]]:
    """Find the face of every clip that needs it, once.

    Parameters
    ----------
    manifest : Manifest
    align : {"none", "face", "face-follow"}
        See `elrcn.config.PreprocessConfig`.
    cache : str or Path
        Folder of the cache.
    workers, progress
        As `elrcn.preprocess.stack.build_stacks`.
    no_face : {"whole", "fail"}
        What to do with a clip without a face.

    Returns
    -------
    crops : list
        A clip's crops (one, or one a frame), or None where the whole frame is used: `align` is
        "none", the frames are cropped already, or there is no face.
    findings : list of Finding
        A remark for each clip without a face.

    Raises
    ------
    ElrcnError
        If `no_face` is "fail" and a clip has none, or dlib is needed and not installed.
    """
    if no_face not in NO_FACE:
        raise ElrcnError(f"There is no choice {no_face!r} for no_face.", fix=f"one of: {NO_FACE}")
    crops: list[list[Crop] | None] = [None] * len(manifest)
    wanted = [] if align == "none" else [i for i in range(len(manifest)) if _wants(manifest, i)]
    if not wanted:
        return crops, []
    code = code_hash("preprocess/align.py", "preprocess/frames.py")
    folder = Path(cache) / config_hash("crops", align, code)
    open_folder(folder, {"kind": "crops", "align": align})
    clips = [str(clip) for clip in manifest.table["clip_id"]]
    targets = {i: folder / f"{clip_key(manifest, i)}.json" for i in wanted}
    missing = [i for i in wanted if not _is_known(targets[i])]
    if missing:
        require_dlib()
    follow = align == "face-follow"
    jobs = ((_find, manifest.frame_paths(i), clips[i], follow, targets[i]) for i in missing)
    # Threads: decoding and the search for faces run outside the interpreter's lock.
    for _ in side_by_side(
        jobs, len(missing), title="faces", total=len(wanted), workers=workers, threads=True,
        progress=progress,
    ):  # fmt: skip
        pass
    findings = []
    for i in wanted:
        crops[i] = _load(targets[i])
        if crops[i] is None:
            what = "No face was found in the onset frame; the whole frame is used."
            where = manifest.table["frames"].iloc[i][0]
            findings.append(Finding("remark", what, where, clips[i], "no-face"))
    if findings and no_face == "fail":
        names = ", ".join(finding.clip for finding in findings)
        raise ElrcnError(
            f"No face was found in the onset frame of: {names}.",
            where=manifest.frame_paths(clips.index(findings[0].clip))[0],
            fix="use no_face='whole', or leave these clips out",
        )
    return crops, findings


def _wants(manifest, i):
    return not is_cropped(manifest.table.iloc[i]["frames"])


def drop_faceless(manifest, align: str, cache: str | Path, workers=None, progress=True):
    """Leave out the clips in which no face was found.

    Parameters
    ----------
    manifest, align, cache, workers, progress
        As `find_crops`.

    Returns
    -------
    manifest : Manifest
    findings : list of Finding
        An error for each clip left out.
    """
    _, findings = find_crops(manifest, align, cache, workers, progress)
    without = {finding.clip for finding in findings}
    kept = manifest.subset(~manifest.table["clip_id"].isin(without).to_numpy())
    what = "No face was found in the onset frame; the clip is left out."
    return kept, [Finding("error", what, f.where, f.clip, "error") for f in findings]
