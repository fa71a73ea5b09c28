"""The shape of the code: imports point one way, effects stay at the border."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "toolkit").rglob("*.py"))
SOURCES = [*FILES, ROOT / "app.py"]

# Which layer a module, or a whole package, belongs to. Imports point to the same layer or one before it.
LAYERS = [
    {"seeds", "config", "distributed", "metrics", "plot", "presets"},
    {"train", "models", "samplers", "diverge", "data"},
    {"iterated", "index"},
    {"hub"},
    {"raising"},
    {"runs", "publish", "font", "annotation"},
    {"cli", "__main__", "app", "web"},
    {"experiments"},
]
# Imported only where used.
HEAVY = {"torchvision", "timm", "gradio", "matplotlib", "PIL", "huggingface_hub", "contourpy", "fontTools"}

# Disk, network, screen: who may, and what it looks like.
MAY = {
    "annotation", "app", "cli", "data", "distributed", "experiments", "hub", "index", "publish", "runs",
    "web", "__main__",
}  # fmt: skip
IMPORTS = {
    "ftplib", "http", "huggingface_hub", "os", "requests", "safetensors", "shutil", "socket", "subprocess", "tempfile",
    "tqdm", "urllib",
}  # fmt: skip
CALLS = {
    "open", "print", "input", "mkdir", "unlink", "rmdir", "rename", "touch", "read_text", "read_bytes", "write_text",
    "write_bytes", "iterdir", "glob", "rglob", "save", "savefig", "tofile", "np.load", "np.save",
    "torch.load", "torch.save",
}  # fmt: skip
# An animation lives in a file: `plot.animation` writes the one it is told to. A font is saved into memory. A network of
# photographs is read from the package that brings it.
EXCEPT = {"plot": {"save", "savefig"}, "font": {"save"}, "models": {"torch.load", "urllib"}}


def name_of(path: Path) -> str:
    """toolkit/models/wta.py -> toolkit.models.wta"""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def trees() -> dict[str, ast.Module]:
    return {name_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES if path.exists()}


def part(name: str) -> str:
    """toolkit.models.wta -> models: what has a layer."""
    return name.split(".")[min(1, name.count("."))]


def imports(name: str, tree: ast.Module) -> Iterator[str]:
    """Every module that a module imports, anywhere in it, by its full name; a `from` import names module.thing too."""
    parts = name.split(".")
    package = parts if ROOT.joinpath(*parts, "__init__.py").exists() else parts[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{source}.{alias.name}" for alias in node.names)


def ours(name: str, tree: ast.Module, modules: set[str]) -> set[str]:
    """The modules of this project that a module imports: `from . import seeds, __version__` is toolkit.seeds."""
    found = set()
    for full in imports(name, tree):
        if full in modules:
            found.add(full)
        elif (parent := full.rpartition(".")[0]) in modules and not full.endswith("__"):
            found.add(parent)
    return found


@cache
def calls(tree: ast.Module) -> list[tuple[str, ast.Call]]:
    """What is called, and how: "print", "np.load", "path.read_text", or of what is no name "?.read_text"."""
    return [(dotted(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def test_imports_point_one_way() -> None:
    layer = {name: index for index, names in enumerate(LAYERS) for name in names}
    layer["toolkit"] = layer["cli"]  # the public names: what it exports may come from anywhere below
    parsed = trees()
    for name, tree in parsed.items():
        upward = {other for other in ours(name, tree, set(parsed)) if layer[part(other)] > layer[part(name)]}
        assert not upward, f"{name} imports {upward}, which stand above it"  # KeyError: a module without a layer


def test_no_two_modules_import_each_other() -> None:
    parsed = trees()
    graph = {name: ours(name, tree, set(parsed)) - {name} for name, tree in parsed.items()}
    assert list(TopologicalSorter(graph).static_order())  # raises CycleError otherwise


def test_only_the_border_touches_disk_network_or_screen() -> None:
    for name, tree in trees().items():
        if part(name) in MAY:
            continue
        called = {word for call, _ in calls(tree) for word in (call, call.rpartition(".")[2])} & CALLS
        imported = {full.split(".")[0] for full in imports(name, tree)} & IMPORTS
        astray = (called | imported) - EXCEPT.get(part(name), set())
        assert not astray, f"{name} is no place for {astray}"


def test_nothing_is_ever_unpickled() -> None:
    for name, tree in trees().items():
        picklers = {
            full for full in imports(name, tree) if full.split(".")[0] in {"pickle", "marshal", "joblib", "dill"}
        }
        loads = {ast.unparse(node) for call, node in calls(tree) if call == "torch.load"}
        unsafe = {load for load in loads if "weights_only=True" not in load}
        assert not picklers | unsafe, name


def test_importing_the_toolkit_imports_nothing_heavy() -> None:
    code = f"import sys, toolkit; print(*sorted({HEAVY} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_page_builds_no_network_and_computes_no_pixels() -> None:
    foreign = ("nn.", "torch.", "np.", "numpy.", "F.", "ImageDraw.", "ImageOps.")
    page = [tree for name, tree in trees().items() if part(name) in ("app", "web")]
    assert not [call for tree in page for call, _ in calls(tree) if call.startswith(foreign)]
