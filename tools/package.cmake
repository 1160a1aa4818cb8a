# A release as packages: `cpack --config build/CPackConfig.cmake`, called by tools/release.sh. The
# archive holds the same tree as the Debian package.
include(GNUInstallDirs)
install(TARGETS star RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
install(FILES README.md CHANGELOG.md THIRD_PARTY.md DESTINATION ${CMAKE_INSTALL_DOCDIR}
        COMPONENT program)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright COMPONENT program)

# Completions and the manual page, as the program prints them: what it is asked, and the file.
foreach(printed "completion bash;bash-completion/completions/star"
                "completion zsh;zsh/vendor-completions/_star"
                "completion fish;fish/vendor_completions.d/star.fish" "man;man/man1/star.1")
  list(GET printed 0 words)
  list(GET printed 1 file)
  get_filename_component(folder ${file} DIRECTORY)
  get_filename_component(name ${file} NAME)
  install(CODE "execute_process(COMMAND $<TARGET_FILE:star> ${words}
    OUTPUT_FILE ${CMAKE_BINARY_DIR}/printed/${name} COMMAND_ERROR_IS_FATAL ANY)" COMPONENT program)
  install(FILES ${CMAKE_BINARY_DIR}/printed/${name}
          DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/${folder} COMPONENT program)
endforeach()
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/printed)

set(CPACK_GENERATOR TGZ DEB)
set(CPACK_INSTALL_CMAKE_PROJECTS "${CMAKE_BINARY_DIR};star;program;/")
set(CPACK_PACKAGE_NAME star)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "search for neural architectures, from scratch")
set(CPACK_PACKAGE_CONTACT "the authors of star")
set(CPACK_RESOURCE_FILE_LICENSE ${CMAKE_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_SYSTEM_NAME linux-${CMAKE_SYSTEM_PROCESSOR})
# Debian's own `star` is a tape archiver, whose command has this name too.
set(CPACK_DEBIAN_PACKAGE_NAME star-search)
set(CPACK_DEBIAN_PACKAGE_CONFLICTS star)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
include(CPack)
