"""graft from the sources that this recipe lies in:  conan create cmake/packaging/conan --build=missing"""

import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load
from conan.tools.system.package_manager import Apt

required_conan_version = ">=2.0"


class Graft(ConanFile):
    name = "graft"
    description = "Tunes transformer encoders with adapters on CPUs: a C++20 library and a program"
    license = "MIT"
    topics = ("transformers", "adapters", "fine-tuning", "cpu")
    package_type = "static-library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"compiled": [True, False], "program": [True, False]}
    default_options = {"compiled": True, "program": False}

    @property
    def _sources(self):
        return os.path.join(self.recipe_folder, "..", "..", "..")

    def set_version(self):
        parts = re.findall(r"GRAFT_VERSION_\w+ (\d+)", load(self, os.path.join(self._sources, "include", "graft", "version.hpp")))
        self.version = ".".join(parts)

    def export_sources(self):
        for pattern in ("CMakeLists.txt", "LICENSE", "*.md", "cmake/*", "docs/*", "examples/*", "include/*"):
            copy(self, pattern, self._sources, self.export_sources_folder, excludes="build*")

    def requirements(self):
        self.requires("eigen/3.4.0", transitive_headers=True)
        self.requires("nlohmann_json/3.11.3", transitive_headers=True)
        self.requires("utf8proc/2.8.0", transitive_headers=True)
        if self.options.program:
            self.requires("cxxopts/3.0.0")
            self.requires("zlib/1.2.13")

    def system_requirements(self):
        Apt(self).install(["libdnnl-dev"])  # Conan's own oneDNN is older than what graft needs

    def validate(self):
        check_min_cppstd(self, 20)

    def layout(self):
        cmake_layout(self)

    def generate(self):
        CMakeDeps(self).generate()
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["GRAFT_BUILD_COMPILED"] = bool(self.options.compiled)
        toolchain.cache_variables["GRAFT_BUILD_EXAMPLES"] = bool(self.options.program)
        toolchain.cache_variables["GRAFT_BUILD_TESTS"] = False
        toolchain.cache_variables["GRAFT_NATIVE"] = False
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))

    def package_id(self):
        if not self.info.options.compiled and not self.info.options.program:
            self.info.clear()

    def package_info(self):
        self.cpp_info.set_property("cmake_find_mode", "none")  # graft's own CMake package, of the same targets
        self.cpp_info.builddirs = [os.path.join("lib", "cmake", "graft")]
        self.cpp_info.libs = ["graft"] if self.options.compiled else []
