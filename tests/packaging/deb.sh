#!/usr/bin/env bash
# Packs graft for Debian and unpacks both packages into ROOT, where nothing else is; checks what they say about themselves.
# Usage: deb.sh CPACK BUILD ROOT
set -euo pipefail
cpack=$1 build=$2 root=$3
fail() { echo "FAILED: $*" >&2; exit 1; }
rm -rf "$root"
mkdir -p "$root"
log=$("$cpack" -G DEB --config "$build/CPackConfig.cmake" -B "$root/packages" 2>&1) || fail "$log"
for package in "$root"/packages/*.deb; do dpkg-deb -x "$package" "$root"; done

says() { dpkg-deb -f "$1" "$2"; }
program=$(echo "$root"/packages/graft_*.deb) library=$(echo "$root"/packages/libgraft-dev_*.deb)
for needed in libc6 libdnnl libgomp1 libstdc++6 libutf8proc; do
  [[ $(says "$program" Depends) == *$needed* ]] || fail "graft depends on $(says "$program" Depends), not on $needed"
done
for header in Eigen/Core dnnl.hpp nlohmann/json.hpp utf8proc.h; do
  path=$(find /usr/include -path "*/$header" | sed -n 1p)
  needed=$(dpkg-query -S "$path" | sed 's/:.*//')
  [[ $(says "$library" Depends) == *$needed* ]] || fail "libgraft-dev depends on $(says "$library" Depends), not on $needed"
done
for package in graft libgraft-dev; do
  grep -q '^Copyright: .*the graft authors$' "$root/usr/share/doc/$package/copyright" || fail "$package tells no copyright"
  grep -q "^$package (" < <(zcat "$root/usr/share/doc/$package/changelog.Debian.gz") || fail "$package has no changelog"
done
grep -q '^.TH GRAFT 1' < <(zcat "$root"/usr/share/man/man1/graft.1.gz) || fail "graft has no manual page"
if command -v lintian > /dev/null; then
  lintian --fail-on error --allow-root --suppress-tags bogus-mail-host,initial-upload-closes-no-bugs "$program" || fail "lintian finds errors in $program"
else
  echo "lintian is not installed: it is not asked"
fi
