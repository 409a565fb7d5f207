# Windows (cmake/mingw-w64.cmake, tools/windows.sh): windows/ has what the code uses of POSIX, in front of every file.
#
# GCC cannot compile a function for several processors there (target_clones), so all code is compiled for those with
# AVX2, and windows/entry.c, which is not, refuses others. It also takes the stack to be aligned to 32 bytes, which
# Windows does not promise (GCC's bug 54412): the assembler is asked for moves that need no alignment.
set(ADATOM_WINDOWS_PROCESSOR x86-64-v3 CACHE STRING "The oldest processor that runs it, as GCC's -march calls it")
set(windows_definitions __USE_MINGW_ANSI_STDIO=1 _WIN32_WINNT=0x0A00 WIN32_LEAN_AND_MEAN NOMINMAX
  LIBARCHIVE_STATIC UTF8PROC_STATIC)
target_compile_definitions(adatom_compile INTERFACE ${windows_definitions})
target_compile_options(adatom_compile INTERFACE -include ${CMAKE_SOURCE_DIR}/windows/posix.h
  -march=${ADATOM_WINDOWS_PROCESSOR} -Wa,-muse-unaligned-vector-move
  -Wno-float-conversion) # mingw-w64's isfinite() names a cast that is not made
target_include_directories(adatom_compile BEFORE INTERFACE ${CMAKE_SOURCE_DIR}/windows/include)

add_library(windows_posix STATIC windows/files.c windows/names.c windows/process.c windows/texts.c windows/walk.c
  windows/wide.c)
add_library(windows_entry OBJECT windows/entry.c)
foreach(target windows_posix windows_entry)
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE ${windows_definitions})
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes)
  target_include_directories(${target} BEFORE PRIVATE windows/include)
endforeach()
target_link_libraries(windows_posix INTERFACE bcrypt)
target_link_libraries(adatom_compile INTERFACE windows_posix)
# What a program needs: its beginning, and a stack as large as elsewhere.
add_library(windows_program INTERFACE)
target_sources(windows_program INTERFACE $<TARGET_OBJECTS:windows_entry>)
target_link_options(windows_program INTERFACE -municode -Wl,--stack,8388608)
target_link_libraries(windows_program INTERFACE windows_posix)
# What Windows reads of a program's file: its version, and how texts and paths are to be taken.
enable_language(RC)
configure_file(windows/adatom.rc.in ${CMAKE_BINARY_DIR}/generated/adatom.rc @ONLY)
