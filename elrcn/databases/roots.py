"""Where the user's copies lie: by option, environment variable or user configuration."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from elrcn.errors import ElrcnError

VARIABLES = {"CASME2": "ELRCN_CASME2", "SAMM": "ELRCN_SAMM"}


def config_path() -> Path:
    """Return the path of the user configuration, ``elrcn/config.toml`` in the system's place."""
    import platformdirs

    return Path(platformdirs.user_config_dir("elrcn")) / "config.toml"


def resolve_roots(
    casme2: str | Path | None = None, samm: str | Path | None = None
) -> dict[str, Path]:
    """Return the root folder of each database that is known; an option wins over the rest.

    Order: the option; the variables ``ELRCN_CASME2`` and ``ELRCN_SAMM``; the keys ``casme2`` and
    ``samm`` (at the top or under ``[roots]``) of `config_path`. Databases named nowhere are absent.

    Raises
    ------
    ElrcnError
        If a folder named does not exist or the configuration cannot be read.
    """
    options = {"CASME2": casme2, "SAMM": samm}
    configured, roots = None, {}
    for name, option in options.items():
        source = "the option"
        value = option
        if value is None and os.environ.get(VARIABLES[name], "").strip():
            source, value = f"the variable {VARIABLES[name]}", os.environ[VARIABLES[name]].strip()
        if value is None:
            configured = _configured() if configured is None else configured
            source, value = str(config_path()), configured.get(name.lower())
        if value is None:
            continue
        path = Path(value).expanduser()
        if not path.is_dir():
            raise ElrcnError(
                f"The folder of {name} does not exist.",
                where=f"{path} (from {source})",
                fix=f"give the folder that holds your copy of {name}",
            )
        roots[name] = path.resolve()
    return roots


def _configured() -> dict[str, str]:
    path = config_path()
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ElrcnError(
            f"The user configuration cannot be read: {error}.",
            where=path,
            fix='write lines such as: casme2 = "/path/to/CASME2"',
        ) from None
    nested = settings.get("roots", {})
    roots = {**settings, **(nested if isinstance(nested, dict) else {})}
    for name in ("casme2", "samm"):
        if name in roots and not isinstance(roots[name], str):
            raise ElrcnError(
                f"The user configuration's {name} is no text.",
                where=path,
                fix=f'write {name} = "/path/to/the/folder"',
            )
    return {n: roots[n] for n in ("casme2", "samm") if n in roots}
