cmake_minimum_required(VERSION 3.25)
# Writes OUTPUT with the commit of SOURCE and its date, and touches it only when they have changed.
execute_process(COMMAND git describe --always --dirty --abbrev=12 --exclude=* WORKING_DIRECTORY ${SOURCE}
  OUTPUT_VARIABLE commit
  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT commit)
  set(commit unknown)
endif()
execute_process(COMMAND git log -1 --format=%cs WORKING_DIRECTORY ${SOURCE} OUTPUT_VARIABLE date
  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT date) # unpacked from an archive, whose files have its date
  file(TIMESTAMP ${SOURCE}/include/adatom/adatom.h date "%Y-%m-%d" UTC)
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT
  "#define ADATOM_BUILD_COMMIT \"@commit@\"\n#define ADATOM_BUILD_DATE \"@date@\"\n" @ONLY)
