#!/usr/bin/env bash
# Installs the Debian packages that building graft needs, if any is missing. Arguments: further packages.
set -euo pipefail
packages=(g++ cmake ninja-build libeigen3-dev libdnnl-dev libutf8proc-dev nlohmann-json3-dev libcxxopts-dev zlib1g-dev "$@")
missing=()
for package in "${packages[@]}"; do
  grep -q '^install ok installed' < <(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "cannot install ${missing[*]}: neither root nor sudo; install them and run this again" >&2; exit 1; }
  as_root=(sudo)
fi
echo "installing ${missing[*]}"
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
