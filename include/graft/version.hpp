#pragma once
// The one place where the version stands; CMakeLists.txt reads it from here.
#define GRAFT_VERSION_MAJOR 0
#define GRAFT_VERSION_MINOR 1
#define GRAFT_VERSION_PATCH 0
