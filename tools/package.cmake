# A release as packages: `cpack --config build/CPackConfig.cmake`, called by tools/release.sh. The
# archive holds the same tree as the Debian package.
include(GNUInstallDirs)
install(TARGETS star RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES README.md CHANGELOG.md THIRD_PARTY.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)

# Completions, as the program prints them.
foreach(shell_file "bash;bash-completion/completions/star" "zsh;zsh/vendor-completions/_star"
                   "fish;fish/vendor_completions.d/star.fish")
  list(GET shell_file 0 shell)
  list(GET shell_file 1 file)
  get_filename_component(folder ${file} DIRECTORY)
  get_filename_component(name ${file} NAME)
  install(CODE "execute_process(COMMAND $<TARGET_FILE:star> completion ${shell}
    OUTPUT_FILE ${CMAKE_BINARY_DIR}/completion.${shell} COMMAND_ERROR_IS_FATAL ANY)")
  install(FILES ${CMAKE_BINARY_DIR}/completion.${shell}
          DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/${folder} RENAME ${name})
endforeach()

set(CPACK_GENERATOR TGZ DEB)
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
