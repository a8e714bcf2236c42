#!/bin/bash
# Print one line: the compiler, its version, and the CPU features whose test it compiles and assembles. Each test is
# features/<architecture>/<feature>.c, its flags on its first line. Argument: gcc or clang.
set -euo pipefail

compiler=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
case $compiler in
    gcc) version=$(gcc -dumpfullversion -dumpversion) ;;
    *) version=$("$compiler" -dumpversion) ;;
esac

# A program in C++ is linked and run first: a compiler without its library accepts everything and builds nothing.
printf '#include <iostream>\nint main() { std::cout << "ok"; }\n' >"$scratch/main.cc"
case $compiler in gcc) cxx=g++ ;; *) cxx=clang++ ;; esac
if ! "$cxx" -o "$scratch/main" "$scratch/main.cc" || [ "$("$scratch/main")" != ok ]; then
    echo "wheelkiln: $cxx $version of this base cannot make a C++ program; see the lines above" >&2
    exit 1
fi

accepted=()
for test in "/mnt/wheelkiln/features/$(uname -m)"/*.c; do
    feature=$(basename "$test" .c)
    read -r -a flags <<<"$(sed -n '1s|^// flags: ||p' "$test")"
    if "$compiler" -O1 "${flags[@]}" -c -o "$scratch/test.o" "$test" 2>/dev/null; then
        accepted+=("$feature")
    fi
done
echo "$compiler $version ${accepted[*]}"
