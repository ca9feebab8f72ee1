# Configures, builds and runs one of the projects here, from scratch.  cmake -DNAME=... -DWORK=... [-DWITH=CACHE_VARIABLE=VALUE] [-DGOLDEN=FOLDER]
# [-DFLAGS_OF_ITS_OWN=ON] -P consume.cmake
file(REMOVE_RECURSE ${WORK})
execute_process(COMMAND ${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/${NAME} -B ${WORK} -G ${GENERATOR} -D${WITH} -DGOLDEN=${GOLDEN}
                        -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_EXPORT_COMPILE_COMMANDS=ON
                COMMAND_ERROR_IS_FATAL ANY)
file(READ ${WORK}/compile_commands.json commands)
if(NOT FLAGS_OF_ITS_OWN AND commands MATCHES "-march=|-Wall|-Wextra|-Wshadow|-fsanitize|-O[1-3]")
  message(FATAL_ERROR "graft hands its own flags (${CMAKE_MATCH_0}) to those who use it:\n${commands}")
endif()
execute_process(COMMAND ${CMAKE_COMMAND} --build ${WORK} COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${WORK}/${NAME} COMMAND_ERROR_IS_FATAL ANY)
