"""Builds the Java programs of the tests, ``tests/conformance`` and ``tests/fhir-server``, with Maven and npm.

What a build makes stays in the ``target`` folder of the project; it is made anew when its sources have changed, or when
Maven's local repository has gone.
"""

import os
import shutil
import subprocess
from pathlib import Path

TESTS = Path(__file__).parents[1]
PACKAGES = "packages.txt"
"""Names of npm packages with their versions, one a line, where a project needs any."""


def missing(project: Path) -> str | None:
    """Why the program cannot be built or run here, or ``None``."""
    needed = ["java", "javac", "mvn", *(["npm"] if (project / PACKAGES).exists() else [])]
    absent = [command for command in needed if shutil.which(command) is None]
    return (
        f"{project.name} needs a JDK 17 and {', '.join(needed[2:])}; not found: {', '.join(absent)}" if absent else None
    )


def packages(project: Path) -> list[str]:
    """File names of the project's npm packages in ``target/packages``."""
    lines = (project / PACKAGES).read_text(encoding="utf-8").split()
    return [f"{line.replace('@', '-')}.tgz" for line in lines]


def class_path(project: Path) -> str:
    """Build the project if it is not up to date and return its class path. Raises CalledProcessError."""
    target = project / "target"
    listed = target / "classpath.txt"
    if not _is_current(project, listed):
        execute("mvn", "--quiet", "--batch-mode", "process-classes", cwd=project)
        listed.touch()
    folders = [target / "classes"]
    if (project / PACKAGES).exists():
        folders.append(target / "packages")
        folders[-1].mkdir(exist_ok=True)
        for name, line in zip(packages(project), (project / PACKAGES).read_text().split(), strict=True):
            if not (folders[-1] / name).exists():
                execute("npm", "pack", "--silent", "--pack-destination", str(folders[-1]), line, cwd=target)
    return os.pathsep.join([*map(str, folders), listed.read_text(encoding="utf-8")])


def _is_current(project: Path, listed: Path) -> bool:
    if not listed.exists():
        return False
    sources = [project / "pom.xml", *(project / "src").iterdir()]
    newest = max(path.stat().st_mtime for path in sources)
    jars = listed.read_text(encoding="utf-8").split(os.pathsep)
    return newest <= listed.stat().st_mtime and all(map(os.path.exists, jars))


def execute(*command: str, cwd: Path) -> None:
    """Run a program that builds or fetches something. Raises CalledProcessError."""
    # In a session of its own: Maven sets up the terminal, and would be stopped there if we run in its background.
    subprocess.run(command, cwd=cwd, check=True, stdin=subprocess.DEVNULL, start_new_session=True)
