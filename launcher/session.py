"""One run of the launcher, from its flags to the program."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from launcher import environment, requirements, settings, start
from launcher.arguments import MODES, Arguments
from launcher.folders import Folders, find

EXIT_FAILED, EXIT_NO_DISPLAY, EXIT_SYSTEM = 1, 2, 3
# Unpacked sizes vary with the platform, and pip needs room for the archives beside what it unpacks.
TEST_SPACE_MB, LITTLE_SPACE_MB = 400, 200


class Failure(Exception):
    """The start ends here; the message is one sentence for the person, `status` the exit status."""

    def __init__(self, sentence: str, status: int = EXIT_FAILED) -> None:
        super().__init__(sentence)
        self.status = status


class Session:
    """What the flags ask for, in one installation.

    The modules that are only needed when something has to be installed are imported there: they cost more time than the whole rest of a second start.
    """

    def __init__(self, program: Path, arguments: Arguments) -> None:
        self.arguments = arguments
        self.folders: Folders = find(program, arguments.data)
        self.program = program

    def run(self) -> int:
        """Install what is missing and become the program; returns only for `--install-only` and a chooser that was closed."""
        arguments = self.arguments
        if arguments.register or arguments.unregister:
            return self._change_links()
        if arguments.wants_window and not arguments.install_only:
            self._need_display()
        if arguments.skip_install:
            python = str(self.folders.python) if self.folders.python.exists() else sys.executable
            os.environ.update(self._absent_words())
            start.hand_over(self.folders, arguments, python)
        mode = arguments.mode or self._remembered()
        if self._asks_in_window() and (not mode or arguments.reinstall or self._flag("show_installer") or self._lacks(mode)):
            return self._ask(mode)
        mode = mode or self._detected()
        self._complete(mode)
        if arguments.install_only:
            return 0
        start.hand_over(self.folders, arguments, str(self.folders.python))

    def _change_links(self) -> int:
        from launcher import scheme

        try:
            tell(scheme.change(self.arguments.register, self.program, self.folders.data))
        except scheme.NotSupported as error:
            raise Failure(str(error)) from error
        except OSError as error:
            raise Failure(f"What opens links could not be written ({error.strerror or error}); look at the rights of your own folders.") from error
        return 0

    def _remembered(self) -> str:
        mode = settings.mode(self.program, self.folders.data, tell)
        if mode and mode not in MODES:
            tell(f"The settings name the mode '{mode}', which does not exist; choose one of {', '.join(MODES)} with --mode.")
            return ""
        return mode

    def _flag(self, name: str) -> bool:
        return settings.flag(self.program, self.folders.data, name)

    def _digest(self, wanted: requirements.Requirements, mode: str) -> str:
        enforced = "enforced" if self._flag("enforce_versions") else ""
        return environment.digest(self.folders, wanted.text + enforced, mode)

    def _lacks(self, mode: str) -> bool:
        """Whether something that `mode` needs is not installed; a stamped environment is not looked through."""
        wanted = self._wanted(mode)
        if environment.is_stamped(self.folders, mode, self._digest(wanted, mode)):
            return False
        found = requirements.site_packages_of(self.folders.environment)
        return not environment.exists(self.folders) or bool(requirements.missing(wanted, found, enforce=self._flag("enforce_versions")))

    def _absent_words(self) -> dict[str, str]:
        """For the program that is started without looking: what it will miss, so that it can say so."""
        mode = self.arguments.mode or settings.mode(self.program, self.folders.data, lambda sentence: None)
        if mode not in MODES or self.arguments.wants_tests:
            return {}
        absent = requirements.missing(self._wanted(mode), requirements.site_packages_of(self.folders.environment))
        return {"SFUMATO_ABSENT": ", ".join(requirements.name_of(line) for line in absent)} if absent else {}

    def _wanted(self, mode: str) -> requirements.Requirements:
        try:
            return requirements.read(self._files(mode))
        except requirements.RequirementsError as error:
            raise Failure(str(error)) from error

    def _detected(self) -> str:
        from launcher import modes

        mode = modes.detect()
        tell(f"Installing for the mode '{mode}', which the hardware suggests; another one is chosen with --mode.")
        return mode

    def _asks_in_window(self) -> bool:
        """Whether the mode is asked in a window: for the window only, and not where a terminal was asked for."""
        return self.arguments.wants_window and not self.arguments.console and not self.arguments.install_only

    def _need_display(self) -> None:
        from launcher.display import obstacle

        sentence = obstacle()
        if sentence:
            raise Failure(sentence, EXIT_NO_DISPLAY)

    def _files(self, mode: str) -> list[Path]:
        names = [f"requirements_{mode}.txt", *(["requirements_dev.txt"] if self.arguments.wants_tests else [])]
        return [self.program / name for name in names]

    def _complete(self, mode: str) -> None:
        """See that everything for `mode` is there; on a second start this reads the requirements files and one stamp, no more."""
        wanted = self._wanted(mode)
        names = ["tests" if self.arguments.wants_tests else mode]
        names += ["system-tests"] if self.arguments.wants_tests else ["system-window"] if self.arguments.wants_window else []
        value = self._digest(wanted, mode)
        if not self.arguments.reinstall and all(environment.is_stamped(self.folders, name, value) for name in names):
            self._remember(mode)
            return
        self._install(mode, wanted, self.arguments.reinstall)
        environment.stamp(self.folders, names, self._digest(wanted, mode))
        self._remember(mode)

    def _install(self, mode: str, wanted: requirements.Requirements, again: bool) -> None:
        from launcher import installer, process

        process.end_politely()
        self._system()
        self._make_environment()
        found = requirements.site_packages_of(self.folders.environment)
        absent = list(wanted.all) if again else requirements.missing(wanted, found, enforce=self._flag("enforce_versions"))
        if not absent:
            return
        tell(f"Installing {len(absent)} package{'s' if len(absent) != 1 else ''} for the mode '{mode}' into {self.folders.environment}.")
        environment.clear_stamp(self.folders)
        plan = installer.Plan(absent, wanted, self.arguments.offline, self._space_mb(mode, absent))
        try:
            installer.install(self.folders, plan, tell)
        except installer.InstallError as error:
            raise Failure(str(error)) from error
        except process.Ended as ended:
            raise Failure("Stopped; the next start goes on with what is missing.", 143) from ended

    def _space_mb(self, mode: str, absent: list[str]) -> int:
        """Free space to ask for: what the mode occupies if its largest part is among the absent packages, else a little."""
        from launcher import modes

        largest = "pyqt5" if mode == "remote" else "torch"
        fresh = not self.arguments.reinstall and largest in {requirements.name_of(line) for line in absent}
        return (modes.BY_NAME[mode].disk_mb if fresh else LITTLE_SPACE_MB) + (TEST_SPACE_MB if self.arguments.wants_tests else 0)

    def _system(self) -> None:
        """The operating system's part: libraries for the window and the tests, and what `venv` needs where there is no environment yet."""
        from launcher import system_libraries as system

        needs, why = (system.TESTS, "The tests") if self.arguments.wants_tests else (system.WINDOW, "The window") if self.arguments.wants_window else ((), "")
        if needs and not system.provide(needs, why, tell, offline=self.arguments.offline):
            raise Failure("Nothing was installed.", EXIT_SYSTEM)
        if not environment.exists(self.folders) and not system.provide(
            system.ENVIRONMENT, "Making a virtual environment", tell, offline=self.arguments.offline
        ):
            raise Failure("Nothing was installed.", EXIT_SYSTEM)

    def _make_environment(self) -> None:
        try:
            environment.create(self.folders)
        except (environment.NotMade, OSError) as error:
            raise Failure(str(error)) from error

    def _remember(self, mode: str) -> None:
        if self.arguments.wants_tests:
            # A test run must leave no trace in the settings of whoever runs it.
            return
        try:
            settings.remember(self.program, self.folders.data, {"mode": mode})
        except OSError as error:
            tell(f"The mode could not be remembered in {self.folders.data} ({error.strerror}); choose a folder that can be written with --data.")

    def _ask(self, mode: str) -> int:
        """Install the GUI toolkit alone, show the install screen, and become the program with the mode it remembered."""
        from launcher import modes

        self._install_toolkit()
        window = str(Path(__file__).with_name("choose.py"))
        command = [str(self.folders.python), window, "--preselect", mode or modes.detect(), "--data", str(self.folders.data)]
        command += ["--offline"] if self.arguments.offline else []
        command += ["--reinstall"] if self.arguments.reinstall else []
        status = subprocess.run(command, env=start.environment(self.folders, self.arguments, os.environ), check=False).returncode
        if status != 0:
            return status
        # It was asked for once.
        settings.remember(self.program, self.folders.data, {"show_installer": False})
        mode = self._remembered()
        if not mode:
            raise Failure(f"The mode could not be remembered in {self.folders.data}; choose a folder that can be written with --data.")
        start.hand_over(self.folders, self.arguments, str(self.folders.python))

    def _install_toolkit(self) -> None:
        wanted = requirements.read([self.program / "requirements_remote.txt"])
        toolkit = [line for line in wanted.lines if requirements.name_of(line).startswith("pyqt5")]
        self._install("remote", requirements.Requirements(tuple(toolkit), wanted.options, "", wanted.text), again=False)


def tell(sentence: str) -> None:
    """One line for the person, on standard error: standard output belongs to the program."""
    print(sentence, file=sys.stderr, flush=True)
