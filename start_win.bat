@echo off
rem Starts Sfumato on Windows: finds a Python, or fetches one, and hands over to launcher\. Run it from anywhere; see README.md for the flags.
rem Delayed expansion stays off and nothing is CALLed with a path, so that ! and %% in the folder's name stay what they are.
setlocal EnableExtensions DisableDelayedExpansion
chcp 65001 >nul
set "ROOT=%~dp0"
set "SUPPORTED=import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))"
set "DATA=%SFUMATO_DATA%"
if not defined DATA set "DATA=%LOCALAPPDATA%\sfumato"

rem 1. The environment of an earlier start, beside the program or with the data.
set "PYTHON=%ROOT%.venv\Scripts\python.exe"
if exist "%PYTHON%" if exist "%ROOT%.venv\pyvenv.cfg" goto launch
set "PYTHON=%DATA%\.venv\Scripts\python.exe"
if exist "%PYTHON%" if exist "%DATA%\.venv\pyvenv.cfg" goto launch

rem 2. A Python of the system. The launcher "py" knows all that were installed for it; "python" may be the store's empty stand-in, so it is tried.
set "PYTHON="
for %%V in (3.11 3.12 3.13) do if not defined PYTHON for /f "usebackq delims=" %%P in (`py -%%V -I -c "import sys; print(sys.executable)" 2^>nul`) do set "PYTHON=%%P"
if defined PYTHON if exist "%PYTHON%" goto launch
set "PYTHON=python"
python -I -c "%SUPPORTED%" >nul 2>nul && goto launch

rem 3. A standalone build, fetched once, checked, and kept with the data.
set "PYTHON=%DATA%\python\python.exe"
if exist "%PYTHON%" goto launch
set "PLATFORM=x86_64-pc-windows-msvc"
if /i "%PROCESSOR_ARCHITECTURE%"=="ARM64" set "PLATFORM=aarch64-pc-windows-msvc"
set "SUM="
for /f "usebackq tokens=1-3" %%A in ("%ROOT%launcher\python_builds.txt") do if "%%A"=="%PLATFORM%" set "SUM=%%B"
if not defined SUM (
    echo launcher\python_builds.txt has no row for this machine; install Python 3.11 and start again. 1>&2
    exit /b 1
)
for /f "usebackq tokens=1-3" %%A in ("%ROOT%launcher\python_builds.txt") do if "%%A"=="%PLATFORM%" set "URL=%%C"
if not exist "%DATA%" mkdir "%DATA%"
set "PART=%DATA%\python.tar.gz.part"
echo No Python 3.11, 3.12 or 3.13 was found: fetching one (about 45 MB).
curl.exe --fail --location --silent --show-error --retry 3 --continue-at - --output "%PART%" "%URL%"
if errorlevel 1 (
    del /q "%PART%" 2>nul
    curl.exe --fail --location --silent --show-error --retry 3 --output "%PART%" "%URL%"
)
if errorlevel 1 (
    echo Python could not be fetched; look at the connection, or install Python 3.11, and start again. 1>&2
    exit /b 1
)
set "FOUND="
for /f "usebackq delims=" %%H in (`certutil -hashfile "%PART%" SHA256 ^| findstr /r /x "[0-9a-f]*"`) do if not defined FOUND set "FOUND=%%H"
if /i not "%FOUND%"=="%SUM%" (
    del /q "%PART%"
    echo What was fetched is not the Python that this version of Sfumato knows; it was deleted, start again. 1>&2
    exit /b 1
)
set "FRESH=%DATA%\python.unpacking"
if exist "%FRESH%" rmdir /s /q "%FRESH%"
mkdir "%FRESH%"
tar.exe -xzf "%PART%" -C "%FRESH%"
if errorlevel 1 (
    echo The fetched Python could not be unpacked; look at the free space and start again. 1>&2
    exit /b 1
)
if exist "%DATA%\python" rmdir /s /q "%DATA%\python"
move "%FRESH%\python" "%DATA%\python" >nul
rmdir /s /q "%FRESH%"
del /q "%PART%"

:launch
rem -I: neither PYTHON* variables nor the current folder have a say in the launcher. -S: it needs no packages.
"%PYTHON%" -I -S "%ROOT%launcher" %*
exit /b %ERRORLEVEL%
