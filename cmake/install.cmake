# What cmake --install puts where: component `library` is what programs that use graft need, component `program` what its users need.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(graft_package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/graft)

install(DIRECTORY include/graft DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT library)
install(TARGETS graft EXPORT graft-targets)
set(same_everywhere ARCH_INDEPENDENT)
if(GRAFT_BUILD_COMPILED)
  install(TARGETS graft_compiled EXPORT graft-targets DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
  set(same_everywhere "")
endif()
install(EXPORT graft-targets NAMESPACE graft:: DESTINATION ${graft_package_folder} COMPONENT library)
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/graft-config.cmake @ONLY CONTENT
     "@graft_dependencies@\ninclude(\"\${CMAKE_CURRENT_LIST_DIR}/graft-targets.cmake\")\n")
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/graft-config-version.cmake COMPATIBILITY SameMinorVersion ${same_everywhere})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/graft-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/graft-config-version.cmake
        DESTINATION ${graft_package_folder} COMPONENT library)

# pkg-config: graft for the headers alone, graft-compiled for the headers and the library. Their paths are relative to where they lie.
file(RELATIVE_PATH graft_up ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" graft_up ${graft_up})
set(graft_dnnl_flags -ldnnl)
if(GRAFT_dnnl_LIBRARY)
  get_filename_component(folder ${GRAFT_dnnl_LIBRARY} DIRECTORY)
  if(NOT folder IN_LIST CMAKE_CXX_IMPLICIT_LINK_DIRECTORIES)
    string(PREPEND graft_dnnl_flags "-L${folder} -Wl,-rpath,${folder} ")
  endif()
endif()
set(graft_dnnl_include "")
if(GRAFT_dnnl_INCLUDE_DIR AND NOT GRAFT_dnnl_INCLUDE_DIR IN_LIST CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES)
  set(graft_dnnl_include " -I${GRAFT_dnnl_INCLUDE_DIR}")
endif()
function(graft_install_pkg_config name description requires cflags libs)
  file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc @ONLY CONTENT [==[
prefix=${pcfiledir}/@graft_up@
includedir=${prefix}/@CMAKE_INSTALL_INCLUDEDIR@
libdir=${prefix}/@CMAKE_INSTALL_LIBDIR@

Name: @name@
Description: @description@
Version: @PROJECT_VERSION@
Requires: @requires@
Cflags: @cflags@
Libs: @libs@
]==])
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT library)
endfunction()
graft_install_pkg_config(graft "${PROJECT_DESCRIPTION}" "eigen3 >= 3.4, nlohmann_json >= 3.10, libutf8proc"
                         "-I\${includedir}${graft_dnnl_include} -fopenmp" "${graft_dnnl_flags} -fopenmp")
if(GRAFT_BUILD_COMPILED)
  get_target_property(definitions graft_compiled INTERFACE_COMPILE_DEFINITIONS)
  list(TRANSFORM definitions PREPEND -D)
  list(JOIN definitions " " definitions)
  graft_install_pkg_config(graft-compiled "${PROJECT_DESCRIPTION}, compiled" "graft = ${PROJECT_VERSION}" "${definitions}" "-L\${libdir} -lgraft")
endif()

if(GRAFT_BUILD_EXAMPLES)
  install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
  install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
endif()
