#!/usr/bin/env bash
# Makes a Conan package of graft's headers and checks what is in it. What graft needs is taken from the system: empty packages stand in for
# Conan's, so nothing is fetched.  Usage: conan.sh CONAN SOURCE WORK
set -euo pipefail
conan=$1 source=$2 work=$3
rm -rf "$work"
mkdir -p "$work"
export CONAN_HOME=$work/home
"$conan" profile detect > "$work/log" 2>&1
for name in $(grep -o 'self.requires("[^"]*' "$source/cmake/packaging/conan/conanfile.py" | cut -d '"' -f 2); do
  cat > "$work/conanfile.py" << END
from conan import ConanFile
class Empty(ConanFile):
    name, version = "$name".split("/")
    def package_info(self):
        self.cpp_info.set_property("cmake_find_mode", "none")
END
  "$conan" create "$work/conanfile.py" --no-remote >> "$work/log" 2>&1 || { tail -n 30 "$work/log"; exit 1; }
done
"$conan" create "$source/cmake/packaging/conan" --no-remote -s compiler.cppstd=20 -o "graft/*:compiled=False" \
  -c tools.system.package_manager:mode=check --format=json > "$work/made.json" 2>> "$work/log" || { tail -n 30 "$work/log"; exit 1; }
package=$(grep -o '"package_folder": "[^"]*/b/graft[^/"]*/p"' "$work/made.json" | cut -d '"' -f 4 | tail -n 1)
for file in include/graft/graft.hpp lib/cmake/graft/graft-config.cmake licenses/LICENSE; do
  [ -f "$package/$file" ] || { echo "FAILED: the package in $package lacks $file"; exit 1; }
done
version=$("$conan" inspect "$source/cmake/packaging/conan" --format=json | grep -o '"version": "[^"]*' | cut -d '"' -f 4)
grep -q "PACKAGE_VERSION \"$version\"" "$package/lib/cmake/graft/graft-config-version.cmake" ||
  { echo "FAILED: the recipe says version $version, the package another"; exit 1; }
