# Which bodies under `graft_include` list their templates for GRAFT_PRECISION, and so are compiled once a precision: a line each in
# `graft_list`, which is written only when that changes. Included when the build is configured, and run when a body has changed: CMake
# runs again only if the list is another one then.
file(GLOB_RECURSE bodies RELATIVE ${graft_include} ${graft_include}/graft/*-inl.hpp)
set(templated "")
foreach(body ${bodies})
  file(STRINGS ${graft_include}/${body} templates REGEX "^template .*GRAFT_PRECISION" LIMIT_COUNT 1)
  if(templates)
    string(APPEND templated "${body}\n")
  endif()
endforeach()
file(CONFIGURE OUTPUT ${graft_list} CONTENT "${templated}" @ONLY)
