#!/bin/bash
# Make the unprivileged builder (uid 1000) and the places that cibuildwheel writes to, usable by any uid: who
# builds with another uid than 1000 keeps it, so that the mounted caches stay theirs.
set -euo pipefail

if ! getent passwd 1000 >/dev/null; then
    getent group 1000 >/dev/null || groupadd --gid 1000 builder
    useradd --uid 1000 --gid 1000 --create-home --home-dir /home/builder --shell /bin/bash builder
fi
name=$(getent passwd 1000 | cut -d: -f1)
[ "$name" = builder ] || usermod --login builder --home /home/builder "$name"
for directory in /home/builder /project /output /opt/wheelkiln/mnt; do
    mkdir -p "$directory"
    chown 1000:1000 "$directory"
    chmod 0777 "$directory"
done
: >/constraints.txt
chmod 0666 /constraints.txt
rm -f /var/log/lastlog /var/log/faillog
