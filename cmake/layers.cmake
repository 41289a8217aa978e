# Layers as libraries. A file belongs to the layer of its folder, so adding a source needs no line here: the globs are
# checked again on every build. A layer without a .cpp is header-only and becomes an interface library.

# One include spelling for the tree, the build and the installation: <troupe/runtime/task.hpp>.
set(troupe_include_dir ${PROJECT_BINARY_DIR}/include)
file(MAKE_DIRECTORY ${troupe_include_dir}/troupe)
foreach(layer IN ITEMS runtime actors io)
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${layer} ${troupe_include_dir}/troupe/${layer} SYMBOLIC)
endforeach()
file(CREATE_LINK ${PROJECT_SOURCE_DIR}/io/troupe.hpp ${troupe_include_dir}/troupe/troupe.hpp SYMBOLIC)

# Gives `target` asio the way our sources use it. Programs that link troupe never see it.
function(troupe_use_asio target)
  target_compile_definitions(${target} PRIVATE ASIO_STANDALONE ASIO_NO_DEPRECATED)
  if("thread" IN_LIST TROUPE_SANITIZE)  # ThreadSanitizer does not understand stand-alone fences
    target_compile_definitions(${target} PRIVATE ASIO_DISABLE_FENCED_BLOCK)
  endif()
  target_include_directories(${target} SYSTEM PRIVATE $<TARGET_PROPERTY:asio::asio,INTERFACE_INCLUDE_DIRECTORIES>)
endfunction()

# troupe_add_library(name SOURCES file... USES target...)
# The library troupe_<name>, known to users as troupe::<name>.
function(troupe_add_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;USES")
  set(target troupe_${name})
  if(arg_SOURCES)
    set(scope PUBLIC)
    add_library(${target} ${arg_SOURCES})
    troupe_compile_as_ours(${target})
    troupe_use_asio(${target})
    set_target_properties(${target} PROPERTIES
      VERSION ${PROJECT_VERSION}
      SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  else()
    set(scope INTERFACE)
    add_library(${target} INTERFACE)
  endif()
  add_library(troupe::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  target_compile_features(${target} ${scope} cxx_std_20)
  target_include_directories(${target} ${scope} $<BUILD_INTERFACE:${troupe_include_dir}>)
  target_link_libraries(${target} ${scope} ${arg_USES} Threads::Threads)
  set_property(GLOBAL APPEND PROPERTY troupe_libraries ${target})
endfunction()

# troupe_add_layer(name [USES lower_layer...])
function(troupe_add_layer name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "USES")
  list(TRANSFORM arg_USES PREPEND troupe_)
  file(GLOB sources CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/${name}/*.cpp
    ${PROJECT_SOURCE_DIR}/${name}/internal/*.cpp)
  troupe_add_library(${name} SOURCES ${sources} USES ${arg_USES})
endfunction()

# troupe_add_testing(layer...): the test kit, from the folder testing/ of each layer.
function(troupe_add_testing)
  list(TRANSFORM ARGN REPLACE "(.+)" "${PROJECT_SOURCE_DIR}/\\1/testing/*.cpp" OUTPUT_VARIABLE globs)
  file(GLOB sources CONFIGURE_DEPENDS ${globs})
  list(TRANSFORM ARGN PREPEND troupe_)
  troupe_add_library(testing SOURCES ${sources} USES ${ARGN})
endfunction()

# troupe_add_tls(USES lower...): io/tls as a library of its own, if TLS is wanted.
function(troupe_add_tls)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "USES")
  if(NOT TROUPE_TLS)
    return()
  endif()
  if(NOT TARGET OpenSSL::SSL)
    message(FATAL_ERROR "TLS needs OpenSSL 3 (Debian: apt install libssl-dev), or build with -DTROUPE_TLS=OFF.")
  endif()
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/io/tls/*.cpp)
  list(TRANSFORM arg_USES PREPEND troupe_)
  troupe_add_library(tls SOURCES ${sources} USES ${arg_USES})
  target_link_libraries(troupe_tls PRIVATE OpenSSL::SSL OpenSSL::Crypto)
endfunction()

# troupe_add_cluster(USES lower...): actors/cluster as a library of its own.
function(troupe_add_cluster)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "USES")
  file(GLOB sources CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/actors/cluster/*.cpp ${PROJECT_SOURCE_DIR}/actors/cluster/internal/*.cpp)
  list(TRANSFORM arg_USES PREPEND troupe_)
  troupe_add_library(cluster SOURCES ${sources} USES ${arg_USES})
endfunction()

# troupe_add_caf(USES lower...): actors/caf as a library of its own, if CAF is wanted.
function(troupe_add_caf)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "USES")
  if(NOT TROUPE_CAF)
    return()
  endif()
  if(NOT TARGET CAF::core)
    message(FATAL_ERROR "actors/caf needs CAF 0.17 (Debian 12: apt install libcaf-dev; elsewhere -DCAF_ROOT=<prefix>), "
                        "or build with -DTROUPE_CAF=OFF.")
  endif()
  file(GLOB sources CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/actors/caf/*.cpp ${PROJECT_SOURCE_DIR}/actors/caf/internal/*.cpp)
  list(TRANSFORM arg_USES PREPEND troupe_)
  troupe_add_library(caf SOURCES ${sources} USES ${arg_USES} CAF::core)
  # CAF's headers cast the ends of its queues to elements, which they are not, and do not touch them then.
  if("undefined" IN_LIST TROUPE_SANITIZE)
    target_compile_options(troupe_caf PUBLIC $<BUILD_INTERFACE:-fno-sanitize=vptr>)
  endif()
endfunction()
