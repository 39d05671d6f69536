# trireme_library(NAME SOURCES ... USES ... [TESTS ...] [MPI_TESTS ...])
#
# One static library a folder. USES is the list of arrows out of the folder and the only place where they are declared. TESTS become one program
# and one ctest entry; each source in MPI_TESTS is a program of its own that scripts/launch/mpi starts on several ranks
# (core/comm/mpi_test.h). TEST_USES are libraries that only tests need.
add_custom_target(unit_tests)  # all programs of tests labelled unit
function(trireme_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;TESTS;TEST_USES;MPI_TESTS" ${ARGN})
  add_library(trireme_${name} STATIC ${ARG_SOURCES})
  add_library(trireme::${name} ALIAS trireme_${name})
  target_include_directories(trireme_${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(trireme_${name} PUBLIC ${ARG_USES})
  if(BUILD_TESTING AND ARG_TESTS)
    add_executable(${name}_test ${ARG_TESTS})
    target_link_libraries(${name}_test PRIVATE trireme::${name} ${ARG_TEST_USES} GTest::gmock_main)
    add_test(NAME ${name}_test COMMAND ${name}_test)
    set_tests_properties(${name}_test PROPERTIES LABELS unit TIMEOUT 300 ENVIRONMENT OMP_NUM_THREADS=1)  # tests that want more ask for them
    add_dependencies(unit_tests ${name}_test)
  endif()
  if(BUILD_TESTING)
    foreach(source ${ARG_MPI_TESTS})
      get_filename_component(test ${source} NAME_WE)
      add_executable(${test} ${source})
      target_link_libraries(${test} PRIVATE trireme::${name} ${ARG_TEST_USES} trireme_mpi_test_main)
      foreach(ranks 2 3 5)
        add_test(NAME ${test}_${ranks} COMMAND ${PROJECT_SOURCE_DIR}/scripts/launch/mpi -n ${ranks} $<TARGET_FILE:${test}>)
        set_tests_properties(${test}_${ranks} PROPERTIES LABELS mpi TIMEOUT 120 PROCESSORS 2)
      endforeach()
    endforeach()
  endif()
endfunction()

# trireme_program(trireme-data USES trireme::data): a program is its folder's library plus main.cpp.
function(trireme_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES" ${ARGN})
  if(NOT ARG_SOURCES)
    set(ARG_SOURCES main.cpp)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_USES})
endfunction()
