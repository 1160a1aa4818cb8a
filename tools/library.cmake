# The library as other programs link it: all layers below the command line in one archive, their
# headers, and how CMake and pkg-config find them. Headers need those of fmt and nlohmann-json.
add_library(star_archive STATIC
            $<TARGET_OBJECTS:core> $<TARGET_OBJECTS:cpu> ${cpu_objects} $<TARGET_OBJECTS:autograd>
            $<TARGET_OBJECTS:liv> $<TARGET_OBJECTS:star_library> $<TARGET_OBJECTS:no_cuda>)
set_target_properties(star_archive PROPERTIES OUTPUT_NAME star EXPORT_NAME star LINKER_LANGUAGE CXX)
target_compile_features(star_archive INTERFACE cxx_std_20)
target_include_directories(star_archive INTERFACE $<INSTALL_INTERFACE:include/star>)
get_target_property(link_options cpu INTERFACE_LINK_OPTIONS)
target_link_options(star_archive INTERFACE ${link_options})
target_link_libraries(star_archive INTERFACE Threads::Threads ${OPENBLAS} ${SQLITE} ${UTF8PROC} m
                      ${CMAKE_DL_LIBS})

install(TARGETS star_archive EXPORT star ARCHIVE DESTINATION lib COMPONENT library)
install(EXPORT star NAMESPACE star:: FILE star-targets.cmake DESTINATION lib/cmake/star
        COMPONENT library)
include(CMakePackageConfigHelpers)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/star-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES tools/star-config.cmake ${CMAKE_BINARY_DIR}/star-config-version.cmake
        DESTINATION lib/cmake/star COMPONENT library)

string(REPLACE ";" " " pc_link_options "${link_options}")
configure_file(tools/star.pc.in ${CMAKE_BINARY_DIR}/star.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/star.pc DESTINATION lib/pkgconfig COMPONENT library)

foreach(folder core autograd liv star star/after star/export)
  file(GLOB headers CONFIGURE_DEPENDS ${folder}/*.h ${folder}/*.def)
  install(FILES ${headers} DESTINATION include/star/${folder} COMPONENT library)
endforeach()
install(FILES cpu/cpu.h DESTINATION include/star/cpu COMPONENT library)
install(FILES cuda/cuda.h DESTINATION include/star/cuda COMPONENT library)
file(GLOB examples CONFIGURE_DEPENDS tools/examples/*)
install(FILES ${examples} DESTINATION share/doc/star/examples COMPONENT library)
