"""Which languages' tools are here, as the sandbox sees them."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from codekiln.core.errors import SandboxError
from codekiln.core.settings import load_settings
from codekiln.languages import Language
from codekiln.languages.recipes import Recipe, recipe_of
from codekiln.sandbox import Isolation, Program
from codekiln.verify.programs.runner import host_folder

# By language and isolation: looked for once in the life of the process.
_MISSING: dict[tuple[str, str], str] = {}


def toolchain_folder(recipe: Recipe) -> str:
    """Where codekiln's own toolchain of a recipe is; "" where it needs none."""
    if not recipe.folder:
        return ""
    return str(load_settings().cache_dir / "toolchains" / recipe.folder)


def missing_tools(recipe: Recipe, isolation: Isolation) -> str:
    """Empty where programs of a language can be built (and run) here, else what they need."""
    key = recipe.language, isolation.name
    if key not in _MISSING:
        _MISSING[key] = _missing(recipe, isolation)
    return _MISSING[key]


def has_own_judge(language: Language, isolation: Isolation, *, has_examples: bool) -> bool:
    """Whether the language's own compiler or interpreter looks at answers here."""
    if not language.has_tools or language.name == "python":
        return False
    if recipe_of(language.name).dialect and not has_examples:
        return False
    try:
        return not missing_tools(recipe_of(language.name), isolation)
    except SandboxError:
        return False


def forget_tools() -> None:
    """Look for tools anew, as after an installation."""
    _MISSING.clear()


def _missing(recipe: Recipe, isolation: Isolation) -> str:
    done = "run" if recipe.run else "compiled"
    what = f"{recipe.language} programs cannot be {done} here; they need {recipe.needs}"
    if recipe.folder and not Path(toolchain_folder(recipe)).is_dir():
        return what
    for name, *_ in recipe.tools:
        if recipe.host:
            # Its folder is only shown to programs; what is on the path here says where it is.
            is_here = shutil.which(name) is not None and _has_folder(recipe)
        else:
            found = isolation.run(Program(argv=("sh", "-c", f"command -v {shlex.quote(name)}")))
            is_here = found.exit_code == 0
        if not is_here:
            return what
    return ""


def _has_folder(recipe: Recipe) -> bool:
    """Whether the command that tells a toolchain's folder works: it may be a proxy of none."""
    try:
        host_folder(recipe.host, recipe.needs)
    except SandboxError:
        return False
    return True
