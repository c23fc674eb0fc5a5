#!/bin/sh
# Starts Sfumato on Linux and macOS: finds a Python, or fetches one, and hands over to launcher/. Run it from anywhere; see README.md for the flags.
set -eu

# A link to this file, in ~/bin for example, leads to the program's folder too.
self=$0
while [ -L "$self" ]; do
    target=$(readlink "$self")
    case $target in
        /*) self=$target ;;
        *) self=$(dirname -- "$self")/$target ;;
    esac
done
root=$(CDPATH='' cd -- "$(dirname -- "$self")" && pwd -P)

supported='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'

launch() {
    python=$1
    shift
    # -I: neither the person's PYTHON* variables nor the current folder have a say in the launcher. -S: it needs no packages.
    exec "$python" -I -S "$root/launcher" "$@"
}

if [ "$(uname -s)" = Darwin ]; then
    data=${SFUMATO_DATA:-$HOME/Library/Application Support/sfumato}
else
    data=${SFUMATO_DATA:-${XDG_DATA_HOME:-${HOME:-/root}/.local/share}/sfumato}
fi

# 1. The environment of an earlier start, beside the program or, where that folder can not be written, with the data.
for python in "$root/.venv/bin/python" "$data/.venv/bin/python"; do
    if [ -x "$python" ] && [ -f "${python%/bin/python}/pyvenv.cfg" ]; then
        launch "$python" "$@"
    fi
done

# 2. A Python of the system: first one that can make environments, else any. 3.11 first, because the tests run on it.
for test in "$supported; import ensurepip, venv" "$supported"; do
    for name in python3.11 python3.12 python3.13 python3 python; do
        python=$(command -v "$name" 2>/dev/null) || continue
        if "$python" -I -c "$test" 2>/dev/null; then
            # Where Debian's own Python lacks venv, one that was fetched before is better than asking for a package.
            if [ "$test" = "$supported" ] && [ -x "$data/python/bin/python3" ]; then continue; fi
            launch "$python" "$@"
        fi
    done
done

# 3. A standalone build, fetched once, checked, and kept with the data.
if [ -x "$data/python/bin/python3" ]; then
    launch "$data/python/bin/python3" "$@"
fi

fail() {
    printf '%s\n' "$1" >&2
    exit 1
}

value=no
for word in "$@"; do
    if [ "$value" = yes ]; then
        value=no
        continue
    fi
    case $word in
        --offline) fail "No Python 3.11, 3.12 or 3.13 was found, and --offline forbids fetching one; install Python 3.11 and start again." ;;
        --mode | --data) value=yes ;;
        --*) ;;
        *) break ;;
    esac
done

case $(uname -s) in
    Linux) system=unknown-linux-gnu ;;
    Darwin) system=apple-darwin ;;
    *) fail "No Python 3.11, 3.12 or 3.13 was found, and none can be fetched for $(uname -s); install Python 3.11 and start again." ;;
esac
case $(uname -m) in
    x86_64 | amd64) platform=x86_64-$system ;;
    aarch64 | arm64) platform=aarch64-$system ;;
    *) fail "No Python 3.11, 3.12 or 3.13 was found, and none can be fetched for $(uname -m); install Python 3.11 and start again." ;;
esac

url='' sum=''
while read -r row_platform row_sum row_url; do
    if [ "$row_platform" = "$platform" ]; then
        url=$row_url sum=$row_sum
    fi
done <"$root/launcher/python_builds.txt"
[ -n "$url" ] || fail "launcher/python_builds.txt has no row for $platform; install Python 3.11 and start again."

mkdir -p "$data" || fail "The folder $data can not be made; set SFUMATO_DATA to one that can."
part=$data/python.tar.gz.part
printf 'No Python 3.11, 3.12 or 3.13 was found: fetching one (about 30 MB) into %s\n' "$data" >&2
if command -v curl >/dev/null 2>&1; then
    # A part of an earlier try is gone on with; where the server can not do that, it is fetched anew.
    curl --fail --location --silent --show-error --retry 3 --continue-at - --output "$part" "$url" \
        || { rm -f "$part"; curl --fail --location --silent --show-error --retry 3 --output "$part" "$url"; } \
        || fail "Python could not be fetched from $url; look at the connection, or install Python 3.11, and start again."
elif command -v wget >/dev/null 2>&1; then
    wget --quiet --continue --tries=3 --output-document="$part" "$url" \
        || fail "Python could not be fetched from $url; look at the connection, or install Python 3.11, and start again."
else
    fail "No Python 3.11, 3.12 or 3.13 was found, and neither curl nor wget to fetch one; install Python 3.11 and start again."
fi

if command -v sha256sum >/dev/null 2>&1; then found=$(sha256sum <"$part"); else found=$(shasum -a 256 <"$part"); fi
if [ "${found%% *}" != "$sum" ]; then
    rm -f "$part"
    fail "What was fetched from $url is not the Python that this version of Sfumato knows (SHA-256 ${found%% *}); it was deleted, start again."
fi

# Unpacked aside and renamed, so that an interruption leaves no half Python. tar itself refuses absolute names and "..".
fresh=$data/python.unpacking
rm -rf "$fresh"
mkdir "$fresh"
tar -xzf "$part" -C "$fresh" || fail "$part could not be unpacked; look at the free space of $data and start again."
rm -rf "$data/python"
mv "$fresh/python" "$data/python"
rm -rf "$fresh" "$part"
launch "$data/python/bin/python3" "$@"
