# Installation: public headers, libraries, a CMake package and a pkg-config file. Everything may be moved afterwards.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

get_property(libraries GLOBAL PROPERTY troupe_libraries)
# Their targets are files of their own: only who uses them needs OpenSSL, or CAF.
list(REMOVE_ITEM libraries troupe_tls troupe_caf)
install(TARGETS ${libraries} troupe EXPORT troupe-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

# Headers of what was built; internal ones stay here.
foreach(layer IN ITEMS runtime actors io)
  if(IS_DIRECTORY ${PROJECT_SOURCE_DIR}/${layer})
    install(DIRECTORY ${layer}/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/troupe/${layer}
      FILES_MATCHING PATTERN "*.hpp"
      PATTERN "internal" EXCLUDE
      PATTERN "${layer}/caf" EXCLUDE PATTERN "${layer}/cluster" EXCLUDE
      PATTERN "${layer}/troupe.hpp" EXCLUDE PATTERN "${layer}/tls" EXCLUDE)
  endif()
endforeach()
if(TARGET troupe_tls)
  install(TARGETS troupe_tls EXPORT troupe-tls-targets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(DIRECTORY io/tls DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/troupe/io
    FILES_MATCHING PATTERN "*.hpp" PATTERN "internal" EXCLUDE)
endif()
if(TARGET troupe_caf)
  install(TARGETS troupe_caf EXPORT troupe-caf-targets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endif()
foreach(part IN ITEMS caf cluster)
  if(TARGET troupe_${part})
    install(DIRECTORY actors/${part} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/troupe/actors
      FILES_MATCHING PATTERN "*.hpp" PATTERN "internal" EXCLUDE)
  endif()
endforeach()
if(TARGET troupe_cluster)
  install(PROGRAMS actors/cluster/dev-ca DESTINATION ${CMAKE_INSTALL_DATADIR}/troupe)  # certificates for development
endif()
install(FILES io/troupe.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/troupe)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# find_package(troupe 0.1 COMPONENTS runtime actors io cluster testing tls caf)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/troupe)
install(EXPORT troupe-targets NAMESPACE troupe:: DESTINATION ${package_dir})
if(TARGET troupe_tls)
  install(EXPORT troupe-tls-targets NAMESPACE troupe:: DESTINATION ${package_dir})
endif()
if(TARGET troupe_caf)
  install(EXPORT troupe-caf-targets NAMESPACE troupe:: DESTINATION ${package_dir})
  install(FILES cmake/FindCAF.cmake DESTINATION ${package_dir})
endif()
configure_package_config_file(cmake/troupe-config.cmake.in ${PROJECT_BINARY_DIR}/troupe-config.cmake
  INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/troupe-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/troupe-config.cmake ${PROJECT_BINARY_DIR}/troupe-config-version.cmake
  DESTINATION ${package_dir})

# pkg-config --cflags --libs troupe: the layers that have code, highest first, as a linker wants static libraries.
# Parts that need CAF are left to the CMake package.
set(TROUPE_PC_LIBS "")
foreach(layer IN ITEMS io actors runtime)
  get_target_property(type troupe_${layer} TYPE)
  if(NOT type STREQUAL "INTERFACE_LIBRARY")
    string(APPEND TROUPE_PC_LIBS " -ltroupe_${layer}")
  endif()
endforeach()
set(TROUPE_PC_PREFIX ${CMAKE_INSTALL_PREFIX})
if(NOT IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR})
  # The file finds the prefix from its own place, so the installation can be moved.
  file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  string(REGEX REPLACE "/$" "" up ${up})
  set(TROUPE_PC_PREFIX "\${pcfiledir}/${up}")
endif()
foreach(dir IN ITEMS LIB INCLUDE)
  set(TROUPE_PC_${dir}DIR ${CMAKE_INSTALL_${dir}DIR})
  if(NOT IS_ABSOLUTE ${CMAKE_INSTALL_${dir}DIR})
    set(TROUPE_PC_${dir}DIR "\${prefix}/${CMAKE_INSTALL_${dir}DIR}")
  endif()
endforeach()
configure_file(cmake/troupe.pc.in ${PROJECT_BINARY_DIR}/troupe.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/troupe.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
if(TARGET troupe_tls)
  configure_file(cmake/troupe-tls.pc.in ${PROJECT_BINARY_DIR}/troupe-tls.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/troupe-tls.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endif()
